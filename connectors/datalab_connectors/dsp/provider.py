"""The provider's side: which offers it makes, to whom it says yes, and how its data leaves.

The policy door decides on every request. Files leave by pull, under a token that dies with its transfer, or by push to an
address that the consumer names.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from datalab.errors import PolicyRefusal, SourceError
from datalab.model.decision import Door
from datalab.policy import Facts, decide, parse, valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.http import HttpClient
from datalab.ports.reach import Reach
from datalab_connectors.dsp.callers import Caller
from datalab_connectors.dsp.exchange import Turn, Unknown
from datalab_connectors.dsp.holdings import File, Holding, find, offer_of
from datalab_connectors.dsp.messages import HTTP_ENDPOINT, PULL, PUSH
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.terms import same_terms
from datalab_connectors.dsp.transitions import ENDED, IllegalMove

_SECRETS = ("token", "address")
"""What is forgotten when a transfer ends."""
BY_DISTRIBUTION = "distribution"
"""Said in a data address: below the endpoint, each distribution has a path of its own."""
_EDC = "https://w3id.org/edc/v0.0.1/ns/"
"""The names under which EDC's consumers look for address and token: they read the properties of a reference, as JSON-LD."""
Judge = Callable[[Holding, Caller], list[str]]
"""Why a caller may not have a holding; nothing where it may."""
Witness = Callable[[Process, str], None]
Pusher = Callable[[File, Mapping[str, Any], Callable[[], bool]], None]
"""Brings a file to the data address of a consumer, as long as the last argument says go on."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's strategy. ``endpoint`` is where its data is served; tokens live ``token_seconds``.

    ``pushers`` are the ways to push, by ``endpointType``. ``judge`` replaces the policy door's answer on the declared intent.
    ``witness`` hears of each move before the other side does; after a kill it may hear of the same move again.
    """

    shelf: Mapping[str, Holding]
    store: Store
    reach: Reach
    endpoint: str
    token_seconds: float
    participant: str
    judge: Judge | None = None
    pushers: Mapping[str, Pusher] | None = None
    witness: Witness | None = None

    def opened(self, process: Process, said: Mapping[str, Any], caller: Caller) -> Process:
        """Take a contract request, or a transfer request under a finalized agreement of the caller's."""
        self.reach.check_url(process.data["callback"])
        return self._asked(process, said, caller) if process.kind == "negotiation" else self._ordered(process, said)

    def heard(self, process: Process, move: str, said: Mapping[str, Any], text: str) -> Process:
        """Take a later message of the consumer's."""
        del text
        if process.kind == "transfer":
            data = {key: value for key, value in process.data.items() if key not in _SECRETS or process.state not in ENDED}
            resumed = move == "start" and process.data["format"] == PUSH
            return replace(process, due="push" if resumed else "", data=data)
        due = {"accepted": "agree", "verification": "finalize"}.get(move, "")
        if move == "request":
            holding = self._holding(said["offer"])
            if holding.id != process.data["holding"]:
                raise Unknown("no such offer")
            due = _answer(process, said["offer"], holding)
        return replace(process, due=due)

    def turn(self, process: Process) -> Turn | None:
        """Make the move that is due."""
        turn = self._turn(process)
        if turn is not None and self.witness is not None:
            self.witness(process, turn.move)
        return turn

    def _turn(self, process: Process) -> Turn | None:
        holding = self.shelf.get(process.data["holding"])
        match process.due:
            case "agree" if holding is not None:
                agreement = {
                    **offer_of(holding, self.participant, target=True),
                    "@id": process.subject,
                    "@type": "Agreement",
                    "assignee": process.party,
                    "timestamp": rfc3339(dt.datetime.now(dt.UTC)),
                }
                return Turn("agreement", {"agreement": agreement}, {"agreement": agreement})
            case "counter" if holding is not None:
                return Turn("offer", {"offer": offer_of(holding, self.participant, target=True)})
            case "refuse":
                return self.ending(process, list(process.data["reasons"]))
            case "finalize":
                return Turn("finalized")
            case "start":
                return self._start(process)
            case "push" if holding is not None:
                return self._push(process, holding)
        return self.ending(process, ["This is no longer on offer."])

    def resuming(self, process: Process) -> Turn:
        """Return the move that resumes a transfer which this side suspended: a pull goes on under a new token."""
        return self._start(process)

    def ending(self, process: Process, reasons: list[str]) -> Turn:
        """Return the move that ends a process; a transfer's token dies with it."""
        forgotten = dict.fromkeys(_SECRETS) if process.kind == "transfer" else {}
        return Turn("termination", {"code": "policy", "reason": reasons}, forgotten)

    def file(self, pid: str, name: str, token: str) -> File:
        """Return the file that a token opens, the only one of its dataset where ``name`` is "".

        Raise ``PolicyRefusal`` for a token that opens nothing, or no longer.
        """
        process = self.store.get("transfer", pid)
        held = str(process.data.get("token", "")) if process else ""
        if process is None or not held or process.state != "STARTED" or not hmac.compare_digest(held.encode(), token.encode()):
            raise PolicyRefusal("this token opens nothing")
        if process.data["expires"] <= rfc3339(dt.datetime.now(dt.UTC)):
            raise Expired(process)
        found = find(self.shelf, process.data["holding"], name)
        if found is None:
            raise Unknown("no such distribution")
        return found

    def flowing(self, pid: str, token: str) -> bool:
        """Whether the data of a transfer may go on to flow to who holds this token."""
        process = self.store.get("transfer", pid)
        return process is not None and process.state == "STARTED" and process.data.get("token") == token

    def _asked(self, process: Process, said: Mapping[str, Any], caller: Caller) -> Process:
        holding = self._holding(said["offer"])
        reasons = (self.judge or self._objections)(holding, caller)
        process = replace(
            process, subject=f"urn:uuid:{uuid.uuid4()}", data={**process.data, "holding": holding.id, "reasons": reasons}
        )
        return replace(process, due=_answer(process, said["offer"], holding))

    def _ordered(self, process: Process, said: Mapping[str, Any]) -> Process:
        agreed = [
            item
            for item in self.store.about("negotiation", said["agreementId"])
            if item.party == process.party and item.state == "FINALIZED"
        ]
        if not agreed:
            raise Unknown("no agreement with this id")
        end = valid_until(parse(json.dumps(agreed[0].data["agreement"])))
        if end and end <= rfc3339(dt.datetime.now(dt.UTC)):
            raise IllegalMove(f"the agreement ended at {end}")
        data = {**process.data, "holding": agreed[0].data["holding"], "format": said["format"]}
        if said["format"] == PUSH:
            data["address"] = self._landing(said.get("dataAddress"))
        elif said["format"] != PULL:
            raise IllegalMove(f"the formats offered are {PULL} and {PUSH}")
        return replace(process, subject=said["agreementId"], due="start", data=data)

    def _landing(self, address: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if address is None or address["endpointType"] not in (self.pushers or {}):
            raise IllegalMove("a push needs a dataAddress of a type that is offered here")
        if address["endpointType"] == HTTP_ENDPOINT:
            self.reach.check_url(address.get("endpoint", ""))
        return address

    def _start(self, process: Process) -> Turn:
        if process.data.get("format") == PUSH:
            return Turn("start", due="push")
        token = secrets.token_urlsafe(32)
        expires = rfc3339(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.token_seconds))
        endpoint = f"{self.endpoint}/data/{process.pid}"
        said = {"authorization": token, "authType": "bearer", "expires": expires, "paths": BY_DISTRIBUTION}
        address = {
            "@type": "DataAddress",
            "endpointType": HTTP_ENDPOINT,
            "endpoint": endpoint,
            "endpointProperties": properties({**said, f"{_EDC}endpoint": endpoint, f"{_EDC}authorization": token}),
        }
        return Turn("start", {"dataAddress": address}, {"token": token, "expires": expires})

    def _push(self, process: Process, holding: Holding) -> Turn | None:
        push = (self.pushers or {})[process.data["address"]["endpointType"]]

        def wanted() -> bool:
            now = self.store.get("transfer", process.pid)
            return now is not None and (now.state, now.due) == (process.state, process.due)

        try:
            wishes = {item["name"]: item["value"] for item in process.data["address"].get("endpointProperties", [])}
            for file in holding.files:
                if wishes.get("distribution", file.id) != file.id:
                    continue
                push(file, process.data["address"], wanted)
        except SourceError as error:
            return self.ending(process, [error.what]) if wanted() else None
        return Turn("completion", keeps=dict.fromkeys(_SECRETS))

    def _holding(self, asked: Mapping[str, Any]) -> Holding:
        holding = self.shelf.get(asked.get("target", ""))
        if holding is None or holding.offer_id != asked["@id"]:
            raise Unknown("no such offer")
        return holding

    def _objections(self, holding: Holding, caller: Caller) -> list[str]:
        """Return why the terms forbid what the caller declares; nothing where it declares nothing."""
        if caller.intent is None:
            return []
        decision = decide(
            Door.ACQUIRE,
            [parse(json.dumps(offer_of(holding, self.participant, target=True)))],
            caller.intent,
            moment=dt.datetime.now(dt.UTC),
            facts=Facts(personal_data=holding.personal_data, participant=caller.participant),
            subject=holding.offer_id,
            target=holding.id,
            actor=self.participant,
        )
        return [] if decision.permitted else list(decision.reasons)


class Expired(PolicyRefusal):
    """A token that was good once; the transfer it belongs to ends with it."""

    def __init__(self, process: Process) -> None:
        super().__init__("this token has expired")
        self.process = process


def properties(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return endpoint properties as the protocol lists them."""
    return [{"@type": "EndpointProperty", "name": name, "value": value} for name, value in values.items()]


def push_by_http(client: HttpClient) -> Pusher:
    """Return the pusher to HTTP landing points: ``PUT endpoint/name``, resumed where the landing point has a part."""

    def push(file: File, address: Mapping[str, Any], wanted: Callable[[], bool]) -> None:
        named = {item["name"]: item["value"] for item in address.get("endpointProperties", [])}
        token = named.get("authorization", "").removeprefix("Bearer ")
        client.upload(f"{address['endpoint']}/{quote(file.id, safe='')}", file.path, token=token, wanted=wanted)

    return push


def _answer(process: Process, asked: Mapping[str, Any], holding: Holding) -> str:
    """Return what is due after a request: the terms decide, and other terms than ours are met with an offer of ours."""
    if process.data["reasons"]:
        return "refuse"
    return "agree" if same_terms(asked, {"target": holding.id, **holding.policy}) else "counter"
