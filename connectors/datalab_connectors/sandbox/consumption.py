"""The contract consumption of the sandbox: a consumer node of its own, which speaks the Dataspace Protocol with the provider beside it.

What a user of the node asks for in Simpl's words becomes a negotiation or a transfer of the protocol, kept in SQLite: the node
remembers them over a restart, and takes up what it had not yet sent.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.routing import Route

from datalab.errors import DatalabError
from datalab.ports.http import HttpClient
from datalab_connectors.dsp.callers import identity_token
from datalab_connectors.dsp.consumer import agreement_in
from datalab_connectors.dsp.endpoints import process_routes
from datalab_connectors.dsp.exchange import Exchange
from datalab_connectors.dsp.holdings import Holding
from datalab_connectors.dsp.messages import HTTP_ENDPOINT, PULL, PUSH
from datalab_connectors.dsp.post import Post
from datalab_connectors.dsp.provider import properties
from datalab_connectors.dsp.session import open_process
from datalab_connectors.dsp.store import Process, Store
from datalab_connectors.dsp.transitions import CONSUMER
from datalab_connectors.dsp.versions import V2025_1
from datalab_connectors.dsp.wishes import Wishes
from datalab_connectors.sandbox.catalogue import PARTICIPANT, offer
from datalab_connectors.sandbox.identity import Realm

NODE = "did:web:node.sandbox.datalab.example"
_CALLBACKS = "/node"
_PATIENCE = 10.0
_STATES = {"REQUESTED": "REQUESTED", "FINALIZED": "FINALIZED", "TERMINATED": "TERMINATED"}


@dataclass(frozen=True, slots=True)
class Template:
    """A destination that the node knows: its id, sharing method, name and JSON schema."""

    id: str
    method: str
    label: str
    schema: Mapping[str, Any]


_OBJECT = {"type": "string", "description": "Which file of the offering, by its identifier; all of them without it"}
TEMPLATES = (
    Template(
        "3",
        "HTTPDATA_PUSH",
        "Data Template HttpDataPush",
        {
            "type": "object",
            "required": ["type", "baseUrl"],
            "properties": {
                "type": {"type": "string", "const": "HttpData", "default": "HttpData"},
                "deprovisioningEnabled": {"type": "string", "const": "false", "default": "false"},
                "baseUrl": {"type": "string", "format": "uri", "description": "Where the data is pushed to"},
                "objectName": _OBJECT,
            },
        },
    ),
    Template(
        "14",
        "REST_API",
        "Data Template REST API",
        {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"type": "string", "const": "HttpData-PULL"}, "objectName": _OBJECT},
        },
    ),
)


class ConsumerNode:
    """The node of a sandbox that is reached at ``base``; its provider stands at ``endpoint``."""

    def __init__(self, folder: Path, shelf: Mapping[str, Holding], base: str, endpoint: str, client: HttpClient) -> None:
        self.endpoint = endpoint
        self.realm = Realm()
        self._shelf = shelf
        self._client = client
        self._token = identity_token(NODE)
        self._store = Store(folder / "node.sqlite")
        self._exchange = Exchange(CONSUMER, self._store, Wishes(), f"{base}{_CALLBACKS}")
        self._post = Post(self._store, client, self._exchange.act, self._token)
        self._exchange.wake = self._post.wake

    def routes(self) -> list[Route]:
        """Return where the provider calls back."""
        return process_routes(self._exchange, lambda _: None, None, _CALLBACKS)

    def start(self) -> None:
        """Begin; what was not yet sent before a restart is sent now."""
        self._post.start()
        for kind in ("negotiation", "transfer"):
            for process in self._store.under_way(kind):
                if not process.peer:
                    self._send(process)

    def close(self) -> None:
        """Stop, and close the store."""
        self._post.stop()
        self._store.close()

    def offers(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return what the provider's connector offers under a contract definition: one offer, or none."""
        holding = self._shelf.get(asked["assetId"])
        if holding is None or holding.offer_id != asked["contractDefinitionId"] or asked["providerEndpoint"] != self.endpoint:
            return []
        return [
            {
                "providerParticipantId": PARTICIPANT,
                "providerEndpointUrl": self.endpoint,
                "assetId": holding.id,
                "offerId": holding.offer_id,
                "policy": {"id": holding.offer_id, "type": "USAGE", "policyConstraints": _constraints(holding)},
            }
        ]

    def negotiate(self, asked: Mapping[str, str]) -> str | None:
        """Begin a negotiation; return its id, None where nothing of the kind is on offer."""
        if not self.offers(asked):
            return None
        terms = offer(self._shelf[asked["assetId"]], target=True)
        process = self._exchange.begin(
            "negotiation", asked["assetId"], self.endpoint, V2025_1, offer=terms, says={"offer": terms}, at=_now(), rounds=1
        )
        self._send(process)
        return process.pid

    def contract(self, pid: str) -> dict[str, Any] | None:
        """Return a negotiation as the node tells it, None for an unknown one."""
        process = self._store.get("negotiation", pid)
        if process is None:
            return None
        agreed = agreement_in(process.data["message"])["@id"] if process.state == "FINALIZED" else None
        return {
            "@id": process.pid,
            "type": "CONSUMER",
            "protocol": "dataspace-protocol-http:2025-1",
            "state": _STATES.get(process.state, "REQUESTED"),
            "counterPartyAddress": self.endpoint,
            "counterPartyId": PARTICIPANT,
            "createdAt": process.data["at"],
            **({"contractAgreementId": agreed} if agreed else {}),
            **_failure(process),
        }

    def transfer(self, contract: str, destination: Mapping[str, Any]) -> str | None:
        """Begin a transfer to a destination; return its id, None for an unknown contract."""
        agreed = self._agreed(contract)
        if agreed is None:
            return None
        named = str(destination.get("objectName") or "")
        says: dict[str, Any] = {"agreementId": contract, "format": PULL}
        if destination["type"] == "HttpData":
            wished = {"distribution": named} if named else {}
            address = {"@type": "DataAddress", "endpointType": HTTP_ENDPOINT, "endpoint": destination["baseUrl"]}
            says |= {"format": PUSH, "dataAddress": {**address, "endpointProperties": properties(wished)}}
        process = self._exchange.begin(
            "transfer", contract, self.endpoint, V2025_1, says=says, asset=agreed.subject, named=named
        )
        self._send(process)
        return process.pid

    def progress(self, pid: str) -> dict[str, Any] | None:
        """Return a transfer as the node tells it, None for an unknown one."""
        process = self._store.get("transfer", pid)
        if process is None:
            return None
        state = "INITIAL" if process.state == "REQUESTED" else process.state
        ended = {"finalState": state} if state in {"COMPLETED", "TERMINATED"} else {}
        return {
            "@id": process.pid,
            "type": "CONSUMER",
            "state": state,
            **ended,
            "assetId": process.data["asset"],
            "contractId": process.subject,
            "correlationId": process.peer,
            "transferType": process.data["says"]["format"],
            **_failure(process),
        }

    def reference(self, pid: str) -> dict[str, str] | None:
        """Return under which address and token a transfer's data can be pulled; None where it cannot."""
        process = self._store.get("transfer", pid)
        address = process.data.get("address") if process is not None and process.state == "STARTED" else None
        if process is None or not address:
            return None
        said = {item["name"]: item["value"] for item in address["endpointProperties"]}
        files = self._shelf[process.data["asset"]].files
        named = process.data["named"] or files[0].id
        return {
            "baseUrl": f"{address['endpoint']}/{quote(named, safe='')}",
            "authorizationHeaderValue": f"Bearer {said['authorization']}",
            "expiresAt": said["expires"],
        }

    def _agreed(self, contract: str) -> Process | None:
        """Return the negotiation that a contract came from."""
        final = (item for asset in self._shelf for item in self._store.about("negotiation", asset) if item.state == "FINALIZED")
        return next((item for item in final if agreement_in(item.data["message"])["@id"] == contract), None)

    def _send(self, process: Process) -> None:
        """Send a first message in a thread of its own: the provider is this very server, and answers while we wait."""

        def send() -> None:
            try:
                open_process(self._exchange, self._client, process, process.data["says"], self._token, _PATIENCE)
            except DatalabError as error:
                with contextlib.suppress(DatalabError):
                    self._exchange.end(process, [error.what])

        threading.Thread(target=send, name="sandbox-node", daemon=True).start()


def _now() -> int:
    """Return the moment in milliseconds since the epoch, as an EDC tells it."""
    return int(time.time() * 1000)


def _constraints(holding: Holding) -> list[dict[str, str]]:
    """Return the plain conditions of the permissions, as the connector's catalogue tells them."""
    return [
        {
            "condition": str(item["leftOperand"]),
            "conditionOperator": str(item["operator"]),
            "conditionValue": item["rightOperand"]
            if isinstance(item["rightOperand"], str)
            else json.dumps(item["rightOperand"]),
        }
        for rule in holding.policy.get("permission", ())
        for item in rule.get("constraint", ())
        if "leftOperand" in item
    ]


def _failure(process: Process) -> dict[str, Any]:
    reasons = "; ".join(map(str, process.data.get("reasons", ())))
    return {"errorDetail": reasons} if reasons else {}
