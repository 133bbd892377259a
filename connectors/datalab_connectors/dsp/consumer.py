"""The consumer's side of the Dataspace Protocol 2025-1: from an offer to an agreement, from an agreement to a data address.

State is kept in SQLite: a negotiation that was cut off, on either side, is continued and not begun anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.ports.http import HttpRefused
from datalab.ports.reach import Reach
from datalab_connectors.dsp.messages import PULL, message, received
from datalab_connectors.dsp.session import NotYet, Session
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER, NEGOTIATION, PROVIDER, TRANSFER, after

_POLL = 1.0
_UNDER_WAY = frozenset(("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED"))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a transfer can be pulled from, and with which token."""

    process: Process
    endpoint: str
    token: str

    def __repr__(self) -> str:
        return f"Source({self.endpoint!r})"


class Consumer:
    """One participant's dealings with one provider at ``endpoint``; ``patience`` is how long it waits, in seconds."""

    def __init__(self, state: Path, endpoint: str, reach: Reach, token: str, *, patience: float = 30.0) -> None:
        self._state = state
        self._endpoint = endpoint.rstrip("/")
        self._reach = reach
        self._token = token
        self._patience = patience
        self._path = state / "consumer.sqlite"

    def agreed(self, subject: str) -> list[str]:
        """Return the agreement messages reached about ``subject``, to the letter, newest first."""
        if not self._path.exists():
            return []
        with contextlib.closing(Store(self._path)) as store:
            found = [item for item in store.about("negotiation", subject) if item.state == "FINALIZED"]
            return [str(item.data["message"]) for item in reversed(found)]

    def negotiate(self, subject: str, offer: Mapping[str, Any]) -> str:
        """Conclude an agreement on exactly ``offer`` (with its target); return the agreement message to the letter.

        Raise ``PolicyRefusal`` where the provider says no, ``ProtocolError`` where it breaks the protocol or wants other
        terms, ``SourceError`` where it does not answer in time: calling again goes on from there.
        """
        with self._one_at_a_time(), contextlib.closing(Store(self._path)) as store:
            process = self._unfinished(store, subject)
            port = int(process.data["port"]) if process else 0
            with self._session(port) as session:
                if process is not None and session.port != port:
                    self._abandon(session, process)
                    process = None
                if process is None:
                    process = Process(
                        pid=f"urn:uuid:{uuid.uuid4()}",
                        kind="negotiation",
                        peer="",
                        party=self._endpoint,
                        subject=subject,
                        state=after(NEGOTIATION, "", "request", CONSUMER),
                        data={"offer": dict(offer), "port": session.port},
                    )
                    session.store.save(process)
                final = self._conclude(session, process)
        if final.state == "TERMINATED":
            reasons = "\n".join(str(reason) for reason in final.data.get("reasons", ())) or "no reason given"
            if final.data.get("ours"):
                raise ProtocolError(f"the negotiation was ended: {reasons}", where=self._endpoint)
            raise PolicyRefusal(f"the provider refused: {reasons}", where=self._endpoint)
        return str(final.data["message"])

    @contextlib.contextmanager
    def transfer(self, agreement_id: str) -> Iterator[Source]:
        """Ask for the data of an agreement; complete the transfer when the block ends well, terminate it otherwise."""
        with self._session(0) as session:
            process = Process(f"urn:uuid:{uuid.uuid4()}", "transfer", "", self._endpoint, "REQUESTED", subject=agreement_id)
            session.store.save(process)
            asked = message(
                "TransferRequestMessage",
                consumerPid=process.pid,
                agreementId=agreement_id,
                format=PULL,
                callbackAddress=session.address,
            )
            self._open(session, process, f"{self._endpoint}/transfers/request", asked, "TransferProcess")
            started = session.wait(process, lambda now: now.state != "REQUESTED", self._patience)
            source = self._source(started)
            try:
                yield source
            except BaseException:
                with contextlib.suppress(SourceError):
                    self._end(session, started, "termination", code="aborted", reason=["The transfer was not completed."])
                raise
            with contextlib.suppress(SourceError):  # the data is here and verified: what the provider notes is its own affair
                self._end(session, started, "completion")

    def _conclude(self, session: Session, process: Process) -> Process:
        if not process.peer:
            asked = message(
                "ContractRequestMessage", consumerPid=process.pid, offer=process.data["offer"], callbackAddress=session.address
            )
            self._open(session, process, f"{self._endpoint}/negotiations/request", asked, "ContractNegotiation")
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            with contextlib.suppress(NotYet):
                return session.wait(process, lambda now: now.state not in _UNDER_WAY, min(_POLL, self._patience))
            self._ask_state(session, process)
        raise SourceError(
            "the provider did not conclude the negotiation in time",
            where=self._endpoint,
            next="try again: it goes on from here",
        )

    def _ask_state(self, session: Session, process: Process) -> None:
        """Learn from the provider what a lost callback would have said."""
        now = session.look(process.kind, process.pid) or process
        try:
            told = session.client.get(f"{self._endpoint}/negotiations/{now.peer}", token=self._token).body
        except HttpRefused as error:
            if error.status == 404:
                session.end(now, ["The provider no longer knows the negotiation."])
            return
        except SourceError:
            return
        state = received(told, "ContractNegotiation")["state"]
        if state == "TERMINATED":
            session.end(now, ["The provider ended the negotiation."])
        elif state == "FINALIZED" and now.state == "VERIFIED":
            with session.store.change():
                now = session.look(process.kind, process.pid) or now
                if now.state == "VERIFIED":
                    session.store.save(replace(now, state=after(NEGOTIATION, now.state, "finalized", PROVIDER)))

    def _open(self, session: Session, process: Process, url: str, asked: Mapping[str, Any], kind: str) -> None:
        """Send a first message until it is answered; its id makes the same request again the same process."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                told = received(session.client.post(url, asked, token=self._token, repeat=True).body, kind)
                break
            except HttpRefused as error:
                session.end(process, [error.what])
                raise
            except ProtocolError:
                raise
            except SourceError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        session.learn_peer(process, told["providerPid"])

    def _source(self, process: Process) -> Source:
        address = process.data.get("address")
        if process.state != "STARTED" or not isinstance(address, dict):
            reasons = "; ".join(str(reason) for reason in process.data.get("reasons", ())) or f"it is {process.state}"
            raise SourceError(f"the transfer did not start: {reasons}", where=self._endpoint)
        values = {item["name"]: item["value"] for item in address.get("endpointProperties", [])}
        if "endpoint" not in address or not values.get("authorization"):
            raise ProtocolError("the transfer started without an endpoint and a token", where=self._endpoint)
        self._reach.check_url(address["endpoint"])
        return Source(process, address["endpoint"].rstrip("/"), values["authorization"].removeprefix("Bearer "))

    def _end(self, session: Session, process: Process, move: str, **fields: Any) -> None:
        now = session.look("transfer", process.pid) or process
        said = message(f"Transfer{move.capitalize()}Message", providerPid=now.peer, consumerPid=now.pid, **fields)
        data = {key: value for key, value in now.data.items() if key != "address"}
        session.store.save(replace(now, state=after(TRANSFER, now.state, move, CONSUMER), data=data))
        session.client.post(f"{self._endpoint}/transfers/{now.peer}/{move}", said, token=self._token)

    def _abandon(self, session: Session, process: Process) -> None:
        """End a negotiation whose callbacks can no longer reach us; one that was verified may turn out to be final."""
        if process.peer:
            said = message(
                "ContractNegotiationTerminationMessage",
                providerPid=process.peer,
                consumerPid=process.pid,
                code="restart",
                reason=["The consumer restarted and begins anew."],
            )
            with contextlib.suppress(SourceError):
                session.client.post(f"{self._endpoint}/negotiations/{process.peer}/termination", said, token=self._token)
        session.end(process, ["The consumer restarted."])

    def _unfinished(self, store: Store, subject: str) -> Process | None:
        found = [
            item for item in store.about("negotiation", subject) if item.state in _UNDER_WAY and item.party == self._endpoint
        ]
        return found[-1] if found else None

    def _session(self, port: int) -> Session:
        return Session(self._path, self._reach, self._token, port)

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Two processes that want the same agreement get one: the second finds what the first reached."""
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._state / "negotiating.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
