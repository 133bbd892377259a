"""The consumer's side of the Dataspace Protocol: from an offer to an agreement, from an agreement to the data.

State is kept in SQLite: a negotiation that was cut off, on either side, is continued and not begun anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.ports.connector import Progress
from datalab.ports.http import HttpRefused
from datalab.ports.landing import Arrival, Landed, Landing
from datalab.ports.reach import Reach
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.dsp.callbacks import Delivery
from datalab_connectors.dsp.exchange import Turn
from datalab_connectors.dsp.messages import HTTP_ENDPOINT, PULL, PUSH
from datalab_connectors.dsp.provider import BY_DISTRIBUTION, properties
from datalab_connectors.dsp.session import NotYet, Session, open_process
from datalab_connectors.dsp.sessions import Key, lend
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import ENDED, IllegalMove
from datalab_connectors.dsp.versions import V2025_1, Version, recognise
from datalab_connectors.processes import alive, alone

_POLL = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where a distribution can be pulled from, and with which token. ``renew`` asks for both again; None: they did not change."""

    url: str
    token: str
    renew: Callable[[], tuple[str, str] | None]

    def __repr__(self) -> str:
        return f"Source({self.url!r})"


class Consumer:
    """One participant's dealings with one provider at ``endpoint``.

    ``patience`` is how long it waits, in seconds; ``rounds`` how often it answers other terms with its own again.
    """

    def __init__(
        self,
        state: Path,
        endpoint: str,
        reach: Reach,
        token: str,
        *,
        patience: float = 30.0,
        version: Version = V2025_1,
        door: Doorstep | None = None,
        rounds: int = 1,
    ) -> None:
        self._state = state
        self._endpoint = endpoint.rstrip("/")
        self._reach = reach
        self._token = token
        self._patience = patience
        self._version = version
        self._door = door or Doorstep()
        self._rounds = rounds
        self._path = state / "consumer.sqlite"

    def agreed(self, subject: str) -> list[str]:
        """Return the agreement messages reached about ``subject``, to the letter, newest first."""
        if not self._path.exists():
            return []
        with contextlib.closing(Store(self._path)) as store:
            found = [item for item in store.about("negotiation", subject) if item.state == "FINALIZED"]
            return [str(item.data["message"]) for item in reversed(found)]

    def settle(self) -> None:
        """Say what an earlier process still owed the provider when it was killed, and end what it left behind."""
        if not self._path.exists():
            return
        with contextlib.closing(Store(self._path)) as store:
            if not store.letters(time.time()) and not self._left_behind(store):
                return
        with self._session() as session:
            for left in self._left_behind(session.store):
                self._abandon(session, left, "The consumer restarted.")

    def negotiate(self, subject: str, offer: Mapping[str, Any]) -> str:
        """Conclude an agreement on exactly ``offer`` (with its target); return the agreement message to the letter.

        Raise ``PolicyRefusal`` where the provider says no, ``ProtocolError`` where it breaks the protocol or wants other
        terms, ``SourceError`` where it does not answer in time: calling again goes on from there.
        """
        with alone(self._state / "negotiating.lock"), contextlib.closing(Store(self._path)) as store:
            process = self._unfinished(store, "negotiation", subject)
            port = int(process.data["port"]) if process else 0
            with self._session(port) as session:
                if process is not None and session.port != port:
                    self._abandon(session, process, "The consumer restarted and begins anew.")
                    process = None
                if process is None:
                    process = session.exchange.begin(
                        "negotiation",
                        subject,
                        self._endpoint,
                        self._version,
                        offer=dict(offer),
                        port=session.port,
                        rounds=self._rounds,
                    )
                final = self._conclude(session, process)
        if final.state == "TERMINATED":
            reasons = "\n".join(str(reason) for reason in final.data.get("reasons", ())) or "no reason given"
            if final.data.get("ours"):
                raise ProtocolError(f"the negotiation was ended: {reasons}", where=self._endpoint)
            raise PolicyRefusal(f"the provider refused: {reasons}", where=self._endpoint)
        return str(final.data["message"])

    @contextlib.contextmanager
    def transfer(self, agreement_id: str, name: str) -> Iterator[Source]:
        """Ask for the distribution ``name`` under an agreement; complete the transfer when the block ends well, terminate it otherwise."""
        with self._session() as session:
            process = self._order(session, agreement_id, {"format": PULL})
            started = session.exchange.wait(process, lambda now: now.state != "REQUESTED", self._patience)
            held = [self._source(started, name)]

            def renew() -> tuple[str, str] | None:
                now = session.exchange.wait(process, lambda now: now.state != "SUSPENDED", self._patience)
                if now.state != "STARTED":
                    return None
                held.append(self._source(now, name))
                return held[-1] if held[-1] != held[-2] else None

            with self._ending(session, process):
                yield Source(*held[0], renew)

    def take(
        self,
        agreement_id: str,
        name: str,
        landing: Landing,
        *,
        limit: int,
        sha256: str | None = None,
        progress: Progress | None = None,
    ) -> Landed:
        """Have the provider push the file ``name`` of an agreement to this side; return it, landed and checked."""
        with self._session() as session:
            token = secrets.token_urlsafe(32)
            process = self._begin(session, agreement_id)
            address = {
                "@type": "DataAddress",
                "endpointType": HTTP_ENDPOINT,
                "endpoint": f"{session.address}/landing/{process.pid}",
                "endpointProperties": properties({"authorization": token, "authType": "bearer", "distribution": name}),
            }
            with landing.receive(name, limit=limit, sha256=sha256) as arrival:
                session.deliveries[process.pid, name] = Delivery(token, arrival, threading.Lock())
                self._order(session, agreement_id, {"format": PUSH, "dataAddress": address}, process)
                self._await_push(session, process, arrival, progress)
            assert arrival.landed is not None
            return arrival.landed

    def _await_push(self, session: Session, process: Process, arrival: Arrival, progress: Progress | None) -> None:
        """Wait as long as bytes come; raise ``SourceError`` where they stay away or the provider ends it."""
        grown, size = time.monotonic(), 0
        while time.monotonic() - grown < self._patience:
            with contextlib.suppress(NotYet):
                session.exchange.wait(process, lambda now: now.state in ENDED, _POLL)
                break
            if arrival.size > size:
                grown, size = time.monotonic(), arrival.size
                if progress is not None:
                    progress(arrival.name, size, None)
        now = session.store.get("transfer", process.pid) or process
        if now.state != "COMPLETED":
            self._abandon(session, now, "The push did not come to its end in time.")
            raise SourceError(f"the push did not arrive: {_why(now)}", where=self._endpoint, next="fetch it again")
        if progress is not None:
            progress(arrival.name, arrival.size, arrival.size)

    def _begin(self, session: Session, agreement_id: str) -> Process:
        for left in self._left_behind(session.store):
            self._abandon(session, left, "The consumer restarted.")
        return session.exchange.begin("transfer", agreement_id, self._endpoint, self._version, owner=os.getpid())

    def _order(self, session: Session, agreement_id: str, says: Mapping[str, Any], process: Process | None = None) -> Process:
        process = process or self._begin(session, agreement_id)
        asked = {"agreementId": agreement_id, **says}
        open_process(session.exchange, session.client, process, asked, self._token, self._patience)
        return process

    @contextlib.contextmanager
    def _ending(self, session: Session, process: Process) -> Iterator[None]:
        """Say how a transfer ended; once the data is here and verified, what the provider notes is its own affair."""
        try:
            yield
        except BaseException:
            self._say(session, process, Turn("termination", {"code": "aborted", "reason": ["It was not completed."]}))
            raise
        self._say(session, process, Turn("completion", keeps={"address": None}))

    def _say(self, session: Session, process: Process, turn: Turn) -> None:
        now = session.store.get(process.kind, process.pid) or process
        with contextlib.suppress(IllegalMove):
            session.exchange.make(now, dataclasses.replace(turn, keeps={**turn.keeps, "ours": True}))

    def _conclude(self, session: Session, process: Process) -> Process:
        if not process.peer:
            says = {"offer": process.data["offer"]}
            open_process(session.exchange, session.client, process, says, self._token, self._patience)
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            with contextlib.suppress(NotYet):
                return session.exchange.wait(process, lambda now: now.state in ENDED, min(_POLL, self._patience))
            self._ask_state(session, process)
        raise SourceError(
            "the provider did not conclude the negotiation in time",
            where=self._endpoint,
            next="try again: it goes on from here",
        )

    def _ask_state(self, session: Session, process: Process) -> None:
        """Learn from the provider what a lost callback would have said."""
        now = session.store.get(process.kind, process.pid) or process
        try:
            told = session.client.get(f"{self._endpoint}/negotiations/{now.peer}", token=self._token).body
        except HttpRefused as error:
            if error.status == 404:
                session.exchange.end(now, ["The provider no longer knows the negotiation."])
            return
        except SourceError:
            return
        state = self._version.read(told, "ContractNegotiation")["state"]
        if state == "TERMINATED":
            session.exchange.end(now, ["The provider ended the negotiation."])
        elif state == "FINALIZED" and now.state == "VERIFIED":
            session.exchange.note(now, "FINALIZED")

    def _source(self, process: Process, name: str) -> tuple[str, str]:
        address = process.data.get("address")
        if process.state != "STARTED" or not isinstance(address, dict):
            raise SourceError(f"the transfer did not start: {_why(process)}", where=self._endpoint)
        values = {item["name"]: item["value"] for item in address.get("endpointProperties", [])}
        if "endpoint" not in address or not values.get("authorization"):
            raise ProtocolError("the transfer started without an endpoint and a token", where=self._endpoint)
        self._reach.check_url(address["endpoint"])
        url = address["endpoint"]
        if values.get("paths") == BY_DISTRIBUTION:
            url = f"{url.rstrip('/')}/{quote(name, safe='')}"
        return url, values["authorization"].removeprefix("Bearer ")

    def _abandon(self, session: Session, process: Process, reason: str) -> None:
        """End a process of this side, and tell the provider if it can be told."""
        now = session.store.get(process.kind, process.pid) or process
        if now.peer and now.state not in ENDED:
            url, wire = session.exchange.letter(now, "termination", {"code": "restart", "reason": [reason]})
            with contextlib.suppress(SourceError):
                session.client.post(url, wire, token=self._token)
        session.exchange.end(now, [reason])

    def _left_behind(self, store: Store) -> list[Process]:
        """Return the unfinished transfers of processes that were killed."""
        found = (item for item in store.under_way("transfer") if item.party == self._endpoint)
        return [item for item in found if not alive(int(item.data.get("owner", 0)))]

    def _unfinished(self, store: Store, kind: str, subject: str) -> Process | None:
        found = [item for item in store.about(kind, subject) if item.state not in ENDED and item.party == self._endpoint]
        return found[-1] if found else None

    def _session(self, port: int = 0) -> contextlib.AbstractContextManager[Session]:
        return lend(Key(self._path, self._reach, self._door), self._token, port)


def agreement_in(text: str) -> dict[str, Any]:
    """Return the agreement in a kept agreement message, in whichever version it was written."""
    body = json.loads(text)
    said = recognise(body).read(body, "ContractAgreementMessage")
    agreement: dict[str, Any] = said["agreement"]
    return agreement


def _why(process: Process) -> str:
    return "; ".join(str(reason) for reason in process.data.get("reasons", ())) or f"it is {process.state}"
