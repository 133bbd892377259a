"""A stand-in for EDC's management API, where no Java is: in the shapes of EDC 0.14.0, over our own consumer and a real provider.

Negotiations and transfers behind it are real ones of the Dataspace Protocol. It is no EDC: what a real one does is tried in
``test_real_edc.py``. ``Api`` can misbehave: see its fields.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from datalab_connectors.dsp.callers import identity_token
from datalab_connectors.dsp.consumer import Consumer, agreement_in
from datalab_connectors.dsp.messages import message

from datalab.errors import DatalabError
from datalab.ports.http import HttpClient, HttpRefused
from datalab.ports.reach import Reach

KEY = "a-key-of-the-stand-in"
EDC = "https://w3id.org/edc/v0.0.1/ns/"
CONTEXT = {"@vocab": EDC, "edc": EDC, "odrl": "http://www.w3.org/ns/odrl/2/"}
CATALOGUE = ["https://w3id.org/dspace/2025/1/context.jsonld", "https://w3id.org/edc/dspace/v0.0.1"]
REACH = Reach(frozenset({"127.0.0.1"}), loopback=True)
PROTOCOL = "dataspace-protocol-http:2025-1"


class Api:
    """The state of the stand-in."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.things: dict[str, dict[str, Any]] = {}
        self.agreements: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, Any] = {}
        self.ends: dict[str, threading.Event] = {}
        self.asked: list[tuple[str, Any]] = []
        self.token = identity_token("did:web:consumer.example", None, b"")

    def answer(self, path: str, asked: Any) -> tuple[int, Any]:  # noqa: C901 - one case for each address
        """Return status and body for a request."""
        self.asked.append((path, asked))
        parts = [unquote(part) for part in path.strip("/").split("/")[1:]]
        match parts:
            case ["catalog", "request"]:
                return self._catalogue(asked)
            case ["catalog", "dataset", "request"]:
                found = [item for item in self._datasets(asked) if item["@id"] == asked["@id"]]
                missing = {"@type": "CatalogError", "code": "404", "reason": ["no such dataset"], "@context": CATALOGUE}
                return (200, {**found[0], "@context": CATALOGUE}) if found else problem(502, json.dumps(missing))
            case ["contractnegotiations"]:
                return self._begin("ContractNegotiation", asked, self._negotiate)
            case ["contractnegotiations", "request"]:
                return 200, [item for item in reversed(self.things.values()) if item["@type"] == "ContractNegotiation"]
            case ["contractnegotiations", name, "agreement"] if name in self.agreements:
                return 200, self.agreements[name]
            case ["contractagreements", name]:
                found = [item for item in self.agreements.values() if item["@id"] == name]
                return (200, found[0]) if found else problem(404, f"Object with ID={name} was not found", "ObjectNotFound")
            case ["transferprocesses"]:
                return self._begin("TransferProcess", asked, self._transfer)
            case ["transferprocesses", name, "terminate"] if name in self.things:
                self.things[name]["state"] = "TERMINATED"
                self.ends[name].set()
                return 204, None
            case ["contractnegotiations" | "transferprocesses", name] if name in self.things:
                return 200, self.things[name]
            case ["edrs", name, "dataaddress"] if name in self.sources:
                address, token = self.sources[name]
                return 200, {"@type": "DataAddress", "endpoint": address, "authorization": token, "authType": "bearer"}
        return problem(404, f"Object of type Thing with ID={parts[-1]} was not found", "ObjectNotFound")

    def _catalogue(self, asked: Any) -> tuple[int, Any]:
        if asked["protocol"] != PROTOCOL:
            return problem(502, f"No provider dispatcher registered for protocol: {asked['protocol']}")
        pages = asked["querySpec"]
        datasets = self._datasets(asked)[pages["offset"] : pages["offset"] + pages["limit"]]
        return 200, {"@id": str(uuid.uuid4()), "@type": "Catalog", "dataset": datasets, "@context": CATALOGUE}

    def _datasets(self, asked: Any) -> list[dict[str, Any]]:
        found, url = [], f"{asked['counterPartyAddress']}/catalog/request"
        with HttpClient(REACH) as client:
            while url:
                answer = client.post(url, message("CatalogRequestMessage"), token=self.token)
                found += answer.body.get("dataset", [])
                links = answer.headers.get("link", "").split(",")
                url = next((link.split(">")[0].strip(" <") for link in links if 'rel="next"' in link), "")
        return [dataset(item) for item in found]

    def _begin(self, kind: str, asked: Any, work: Any) -> tuple[int, Any]:
        name = str(uuid.uuid4())
        marks = asked.get("callbackAddresses", [])
        self.things[name] = {"@type": kind, "@id": name, "state": "INITIAL", "callbackAddresses": marks[0] if marks else []}
        self.ends[name] = threading.Event()

        def run() -> None:
            try:
                work(name, asked)
            except DatalabError as error:
                said = {"@type": "ContractNegotiationError", "code": "400", "reason": [error.what]}
                self.things[name] |= {"state": "TERMINATED", "errorDetail": f"It failed: {json.dumps(said)}"}

        threading.Thread(target=run, daemon=True).start()
        return 200, {"@type": "IdResponse", "@id": name, "@context": CONTEXT}

    def _negotiate(self, name: str, asked: Any) -> None:
        policy = asked["policy"]
        rules = {key: policy[key] for key in ("permission", "prohibition", "obligation") if key in policy}
        offer_id = base64.b64decode(policy["@id"].split(":")[0]).decode()
        terms = {"@type": "Offer", "@id": offer_id, "target": policy["target"]["@id"], **rules}
        said = agreement_in(self._consumer(asked).negotiate(name, terms))
        agreed = {"@id": str(uuid.uuid4()), "@type": "odrl:Agreement", **prefixed(rules)}
        self.agreements[name] = {
            "@type": "ContractAgreement",
            "@id": said["@id"],
            "assetId": said["target"],
            "policy": {**agreed, "odrl:assignee": said["assignee"], "odrl:target": {"@id": said["target"]}},
            "contractSigningDate": 1795250313,
            "consumerId": said["assignee"],
            "providerId": said["assigner"],
            "@context": CONTEXT,
        }
        self.things[name] |= {"state": "FINALIZED", "contractAgreementId": said["@id"]}

    def _transfer(self, name: str, asked: Any) -> None:
        with self._consumer(asked).transfer(asked["contractId"], "csv") as source:
            self.sources[name] = (source.url, source.token)
            self.things[name]["state"] = "STARTED"
            if asked["transferType"] == "HttpData-PUSH":
                headers = {"authorization": f"Bearer {source.token}"}
                with urllib.request.urlopen(urllib.request.Request(source.url, headers=headers)) as stream:
                    body = iter(lambda: stream.read(1 << 14), b"")
                    says = {"content-type": "application/octet-stream"}
                    request = urllib.request.Request(
                        asked["dataDestination"]["baseUrl"], data=body, headers=says, method="POST"
                    )
                    urllib.request.urlopen(request).close()
                self.things[name]["state"] = "COMPLETED"
            else:
                self.ends[name].wait(60)

    def _consumer(self, asked: Any) -> Consumer:
        return Consumer(self.state, asked["counterPartyAddress"], REACH, self.token, patience=10)


def dataset(item: dict[str, Any]) -> dict[str, Any]:
    """Return a dataset as EDC shows it, with another offer id each time."""
    [offer], file = item["hasPolicy"], item["distribution"][0]
    parts = (offer["@id"], item["@id"], str(uuid.uuid4()))
    rules = {key: offer[key] for key in ("permission", "prohibition", "obligation") if key in offer}
    service = {"@id": str(uuid.uuid4()), "@type": "DataService", "endpointDescription": "dspace:connector"}
    return {
        "@id": item["@id"],
        "@type": "Dataset",
        "hasPolicy": [{"@id": ":".join(base64.b64encode(part.encode()).decode() for part in parts), "@type": "Offer", **rules}],
        "distribution": [
            {"@type": "Distribution", "format": way, "accessService": service} for way in ("HttpData-PULL", "HttpData-PUSH")
        ],
        "edc:name": item["title"],
        "description": item["description"],
        "id": item["@id"],
        "edc:contenttype": file["mediaType"],
        "edc:fileName": file["fileName"],
        "edc:byteSize": float(file["byteSize"]),
        "edc:sha256": file["checksum"]["checksumValue"],
        "edc:personalData": False,
    }


def prefixed(value: Any) -> Any:
    """Return rules as EDC tells them in an agreement: prefixed keys, lists of one unwrapped, names as objects."""
    if isinstance(value, list):
        return prefixed(value[0]) if len(value) == 1 else [prefixed(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {"action", "leftOperand", "operator"}
    return {f"odrl:{key}": {"@id": f"odrl:{item}"} if key in named else prefixed(item) for key, item in value.items()}


def problem(status: int, said: str, kind: str = "BadGateway") -> tuple[int, Any]:
    """Return a list of errors as EDC gives it."""
    return status, [{"message": said, "type": kind, "path": None, "invalidValue": None}]


@contextlib.contextmanager
def stand_in(state: Path) -> Iterator[tuple[str, Api]]:
    """Serve the API until the block ends; yield its address."""
    api = Api(state)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, asked: Any) -> None:
            if self.headers.get("x-api-key") != KEY:
                status, body = problem(401, "Request could not be authenticated", "AuthenticationFailed")
            else:
                try:
                    status, body = api.answer(self.path.removeprefix("/management"), asked)
                except HttpRefused as error:
                    status, body = problem(502, error.what)
            raw = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/management", api
        for end in api.ends.values():
            end.set()
        server.shutdown()
        thread.join()
