"""The provider's side of the Dataspace Protocol 2025-1: what it does with each message, and what it owes in return.

Each message is answered first; what follows from it is marked as due in the same transaction and done by the post, so that
a killed provider goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from datalab.errors import PolicyRefusal, SourceError
from datalab.model.decision import Door
from datalab.policy import Facts, decide, parse, valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.reach import Reach
from datalab_connectors.dsp.messages import HTTP_ENDPOINT, PULL, message, received
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER, ENDED, NEGOTIATION, PROVIDER, TRANSFER, IllegalMove, after
from datalab_connectors.sandbox.catalogue import PARTICIPANT, offer
from datalab_connectors.sandbox.identity import Caller
from datalab_connectors.sandbox.shelf import File, Holding

NEGOTIATIONS, TRANSFERS = "negotiation", "transfer"
_RULES = ("permission", "prohibition", "obligation")


class Unknown(SourceError):
    """Something that does not exist, or not for who asks: both are 404 in the protocol."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider of one sandbox. ``endpoint`` is where its data is served; tokens live ``token_seconds``."""

    shelf: Mapping[str, Holding]
    store: Store
    reach: Reach
    endpoint: str
    token_seconds: float

    def find(self, kind: str, pid: str, caller: Caller) -> Process:
        """Return a process of the caller's; raise ``Unknown`` otherwise."""
        process = self.store.get(kind, pid)
        if process is None or process.party != caller.participant:
            raise Unknown(f"no {kind} with this id")
        return process

    def request(self, body: Any, caller: Caller) -> Process:
        """Take a first contract request. The same request sent again is the same negotiation."""
        asked = received(body, "ContractRequestMessage")
        if "callbackAddress" not in asked:
            raise IllegalMove("a first request needs a callbackAddress")
        self.reach.check_url(asked["callbackAddress"])
        known = self.store.with_peer(NEGOTIATIONS, asked["consumerPid"], caller.participant)
        if known is not None:
            return known
        holding = self._holding(asked["offer"])
        process = Process(
            pid=f"urn:uuid:{uuid.uuid4()}",
            kind=NEGOTIATIONS,
            peer=asked["consumerPid"],
            party=caller.participant,
            subject=f"urn:uuid:{uuid.uuid4()}",
            state=after(NEGOTIATION, "", "request", CONSUMER),
            data={
                "callback": asked["callbackAddress"].rstrip("/"),
                "holding": holding.id,
                "reasons": _objections(holding, caller),
            },
        )
        self.store.save(replace(process, due=self._answer(process, asked["offer"], holding)))
        return process

    def negotiate(self, process: Process, move: str, body: Any) -> None:
        """Take a later message of a negotiation: ``request``, ``events``, ``verification`` or ``termination``."""
        kinds = {
            "request": "ContractRequestMessage",
            "events": "ContractNegotiationEventMessage",
            "verification": "ContractAgreementVerificationMessage",
            "termination": "ContractNegotiationTerminationMessage",
        }
        said = _of(process, received(body, kinds[move]))
        if move == "events":
            if said["eventType"] != "ACCEPTED":
                raise IllegalMove("a consumer cannot finalize")
            move = "accepted"
        if move == "verification" and process.state in {"VERIFIED", "FINALIZED"}:
            return  # sent again because our answer was lost
        due = {"accepted": "agree", "verification": "finalize"}.get(move, "")
        if move == "request":
            due = self._answer(process, said["offer"], self._holding(said["offer"]))
        self.store.save(replace(process, state=after(NEGOTIATION, process.state, move, CONSUMER), due=due))

    def transfer(self, body: Any, caller: Caller) -> Process:
        """Take a transfer request under a finalized agreement of the caller's."""
        asked = received(body, "TransferRequestMessage")
        self.reach.check_url(asked["callbackAddress"])
        known = self.store.with_peer(TRANSFERS, asked["consumerPid"], caller.participant)
        if known is not None:
            return known
        agreed = [
            item
            for item in self.store.about(NEGOTIATIONS, asked["agreementId"])
            if item.party == caller.participant and item.state == "FINALIZED"
        ]
        if not agreed:
            raise Unknown("no agreement with this id")
        end = valid_until(parse(json.dumps(agreed[0].data["agreement"])))
        if end and end <= rfc3339(dt.datetime.now(dt.UTC)):
            raise IllegalMove(f"the agreement ended at {end}")
        if asked["format"] != PULL:
            raise IllegalMove(f"the only format offered is {PULL}")
        process = Process(
            pid=f"urn:uuid:{uuid.uuid4()}",
            kind=TRANSFERS,
            peer=asked["consumerPid"],
            party=caller.participant,
            subject=asked["agreementId"],
            state=after(TRANSFER, "", "request", CONSUMER),
            due="start",
            data={"callback": asked["callbackAddress"].rstrip("/"), "holding": agreed[0].data["holding"]},
        )
        self.store.save(process)
        return process

    def steer(self, process: Process, move: str, body: Any) -> None:
        """Take a later message of a transfer: ``start``, ``completion``, ``suspension`` or ``termination``."""
        _of(process, received(body, f"Transfer{move.capitalize()}Message"))
        state = after(TRANSFER, process.state, move, CONSUMER)
        data = {key: value for key, value in process.data.items() if key != "token" or state not in ENDED}
        self.store.save(replace(process, state=state, due="", data=data))

    def file(self, pid: str, name: str, token: str) -> File:
        """Return the file that a token opens; raise ``PolicyRefusal`` for a token that does not, or no longer."""
        process = self.store.get(TRANSFERS, pid)
        held = str(process.data.get("token", "")) if process else ""
        if process is None or not held or process.state != "STARTED" or not hmac.compare_digest(held.encode(), token.encode()):
            raise PolicyRefusal("this token opens nothing")
        if process.data["expires"] <= rfc3339(dt.datetime.now(dt.UTC)):
            self._terminate(process, ["The token has expired."])
            raise PolicyRefusal("this token has expired")
        for file in self.shelf[process.data["holding"]].files if process.data["holding"] in self.shelf else ():
            if file.id == name:
                return file
        raise Unknown("no such distribution")

    def act(self, process: Process) -> None:
        """Do what is due in a process: its new state and the message about it are written together."""
        match process.due:
            case "agree":
                self._agree(process)
            case "counter":
                holding = self.shelf[process.data["holding"]]
                said = message("ContractOfferMessage", **_pids(process), offer=offer(holding, target=True))
                self._move(process, "offer", f"negotiations/{process.peer}/offers", said)
            case "refuse":
                self._terminate(process, list(process.data["reasons"]))
            case "finalize":
                said = message("ContractNegotiationEventMessage", **_pids(process), eventType="FINALIZED")
                self._move(process, "finalized", f"negotiations/{process.peer}/events", said)
            case "start":
                self._start(process)

    def _agree(self, process: Process) -> None:
        holding = self.shelf[process.data["holding"]]
        agreement = {
            **offer(holding, target=True),
            "@id": process.subject,
            "@type": "Agreement",
            "assignee": process.party,
            "timestamp": rfc3339(dt.datetime.now(dt.UTC)),
        }
        said = message("ContractAgreementMessage", **_pids(process), agreement=agreement)
        self._move(process, "agreement", f"negotiations/{process.peer}/agreement", said, agreement=agreement)

    def _start(self, process: Process) -> None:
        token = secrets.token_urlsafe(32)
        expires = rfc3339(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.token_seconds))
        properties = {"authorization": token, "authType": "bearer", "expires": expires}
        address = {
            "@type": "DataAddress",
            "endpointType": HTTP_ENDPOINT,
            "endpoint": f"{self.endpoint}/data/{process.pid}",
            "endpointProperties": [
                {"@type": "EndpointProperty", "name": name, "value": value} for name, value in properties.items()
            ],
        }
        said = message("TransferStartMessage", **_pids(process), dataAddress=address)
        self._move(process, "start", f"transfers/{process.peer}/start", said, token=token, expires=expires)

    def _terminate(self, process: Process, reasons: list[str]) -> None:
        negotiating = process.kind == NEGOTIATIONS
        kind = "ContractNegotiationTerminationMessage" if negotiating else "TransferTerminationMessage"
        said = message(kind, **_pids(process), code="policy", reason=reasons)
        folder = "negotiations" if negotiating else "transfers"
        self._move(process, "termination", f"{folder}/{process.peer}/termination", said, token="")

    def _move(self, process: Process, move: str, path: str, said: Mapping[str, Any], **data: Any) -> None:
        """Make one move, unless the process was changed meanwhile: then the move is no longer due."""
        table = NEGOTIATION if process.kind == NEGOTIATIONS else TRANSFER
        with self.store.change():
            now = self.store.get(process.kind, process.pid)
            if now is None or now.state != process.state or now.due != process.due:
                return
            state = after(table, process.state, move, PROVIDER)
            self.store.save(replace(process, state=state, due="", data={**process.data, **data}))
            self.store.post(process.pid, f"{process.data['callback']}/{path}", said)

    def _holding(self, asked: Mapping[str, Any]) -> Holding:
        holding = self.shelf.get(asked.get("target", ""))
        if holding is None or holding.offer_id != asked["@id"]:
            raise Unknown("no such offer")
        return holding

    def _answer(self, process: Process, asked: Mapping[str, Any], holding: Holding) -> str:
        """Return what is due after a request: the terms decide, and other terms than ours are met with an offer of ours."""
        if process.data["reasons"]:
            return "refuse"
        ours = {key: holding.policy.get(key) for key in _RULES}
        return "agree" if ours == {key: asked.get(key) for key in _RULES} else "counter"


def _objections(holding: Holding, caller: Caller) -> list[str]:
    """Return why the terms forbid what the caller declares; nothing where it declares nothing."""
    if caller.intent is None:
        return []
    decision = decide(
        Door.ACQUIRE,
        [parse(json.dumps(offer(holding, target=True)))],
        caller.intent,
        moment=dt.datetime.now(dt.UTC),
        facts=Facts(personal_data=holding.personal_data, participant=caller.participant),
        subject=holding.offer_id,
        target=holding.id,
        actor=PARTICIPANT,
    )
    return [] if decision.permitted else list(decision.reasons)


def _pids(process: Process) -> dict[str, str]:
    return {"providerPid": process.pid, "consumerPid": process.peer}


def _of(process: Process, said: dict[str, Any]) -> dict[str, Any]:
    if said.get("providerPid") != process.pid or said.get("consumerPid") != process.peer:
        raise IllegalMove("the message names other process ids")
    return said
