"""Version 2024-1: what its official schemas refuse is refused, but for what is read leniently on purpose; what we write passes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from datalab_connectors.dsp.holdings import File, Holding, catalogue_of, dataset_of
from datalab_connectors.dsp.messages import HTTP_ENDPOINT, message
from datalab_connectors.dsp.provider import properties
from datalab_connectors.dsp.versions import V2024_1, V2025_1, choose, named, recognise

from datalab.errors import ProtocolError
from tests.unit.connectors.broken import mutations

REFERENCE = os.environ.get("DATALAB_REFERENCE_DATA", "")
FOLDER = Path(REFERENCE) / "dsp-2024-1"
needs_reference = pytest.mark.skipif(not REFERENCE, reason="DATALAB_REFERENCE_DATA is not set")
TERMS = {
    "permission": [
        {"action": "use", "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:Research"}]}
    ]
}
PIDS = {"providerPid": "urn:p", "consumerPid": "urn:c"}
OFFER = {"@id": "urn:o", "@type": "Offer", "target": "urn:d", "assigner": "urn:a", **TERMS}
ADDRESS = {
    "@type": "DataAddress",
    "endpointType": HTTP_ENDPOINT,
    "endpoint": "http://127.0.0.1/x",
    "endpointProperties": properties({"authorization": "t"}),
}
REASON = {"code": "x", "reason": ["y"]}
FILE = File("f", Path("f.csv"), "csv", "text/csv", "F", 7, "0" * 64)
HELD = Holding("h", "o", "Title", "Words", "Holder", TERMS, (FILE,), "CC0-1.0", ("a",), ("en",))
OURS = [
    message("CatalogRequestMessage"),
    message("Dataset", **{key: value for key, value in dataset_of(HELD, "urn:us", "http://x").items() if key != "@type"}),
    catalogue_of([HELD], "urn:us", "http://x"),
    message("ContractRequestMessage", consumerPid="urn:c", offer=OFFER, callbackAddress="http://x"),
    message("ContractOfferMessage", providerPid="urn:p", offer=OFFER, callbackAddress="http://x"),
    message("ContractAgreementMessage", **PIDS, agreement={**OFFER, "@type": "Agreement", "assignee": "urn:b", "timestamp": "2026-11-21T07:00:00Z"}),
    message("ContractAgreementVerificationMessage", **PIDS),
    message("ContractNegotiationEventMessage", **PIDS, eventType="ACCEPTED"),
    message("ContractNegotiationTerminationMessage", **PIDS, **REASON),
    message("ContractNegotiation", **PIDS, state="AGREED"),
    message("ContractNegotiationError", **PIDS, **REASON),
    message("TransferRequestMessage", consumerPid="urn:c", agreementId="urn:g", format="HttpData-PULL", callbackAddress="http://x", dataAddress=ADDRESS),
    message("TransferStartMessage", **PIDS, dataAddress=ADDRESS),
    message("TransferSuspensionMessage", **PIDS, **REASON),
    message("TransferCompletionMessage", **PIDS),
    message("TransferTerminationMessage", **PIDS, **REASON),
    message("TransferProcess", **PIDS, state="STARTED"),
    message("TransferError", **PIDS, **REASON),
    message("CatalogError", **REASON),
]  # fmt: skip
FOR_PEOPLE = {"description", "title", "keyword", "endpointDescription"}
FOR_THE_POLICY_DOOR = {"assigner", "assignee", "leftOperand", "operator", "duty"}
"""It fails closed on what it does not know, and no message is refused for it."""


def schemas():
    import jsonschema_rs

    found = {
        path.stem.removesuffix("-schema").replace("-", ""): json.loads(path.read_text())
        for path in FOLDER.glob("*/schema/*-schema.json")
    }
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in found.values()])
    return {name: jsonschema_rs.Draft201909Validator(schema, registry=registry) for name, schema in found.items()}


def examples():
    for path in sorted(FOLDER.glob("*/example/*.json")):
        yield path.stem, json.loads(path.read_text())


def local(kind):
    return kind.partition(":")[2]


@needs_reference
def test_every_official_example_is_read():
    found = 0
    for _, body in examples():
        kind = local(body["@type"])
        said = V2024_1.read(body, kind)
        assert said["@type"] == kind
        assert not any(":" in key for key in said)
        found += 1
    assert found == 23


@needs_reference
@pytest.mark.parametrize("said", OURS, ids=lambda said: said["@type"])
def test_what_we_write_passes_the_official_schema_and_reads_back(said):
    wire = V2024_1.write(said)
    if said["@type"] == "ContractAgreementMessage":
        wire["dspace:callbackAddress"] = "http://x"
    validator = schemas()[said["@type"].lower()]
    assert not [error.message for error in validator.iter_errors(wire)]
    again = V2024_1.read(wire, said["@type"])
    again.pop("callbackAddress", None)
    assert {key: value for key, value in said.items() if key != "callbackAddress"} == again


@needs_reference
def test_what_the_official_schemas_refuse_is_refused():
    validators, refused, lenient = schemas(), 0, 0
    for _, body in examples():
        kind = local(body["@type"])
        validator = validators[kind.lower()]
        if not validator.is_valid(body):  # some examples break their own schemas: odrl:operand, an array missing
            continue
        for way, change, broken in mutations(body, ["x"]):
            if validator.is_valid(broken):
                continue
            if _forgiven(way, change):
                lenient += 1
                continue
            refused += 1
            with pytest.raises(ProtocolError):
                V2024_1.read(broken, kind)
    assert refused > 400
    assert lenient < refused


def _forgiven(way, change):
    """Whether a fault is one that is read leniently."""
    words = [local(step) or step for step in way if isinstance(step, str)]
    return (
        change in (["x"], [])  # a list of one is its one value, an empty list says what a missing key says
        or (change == {} and words[-1] in {"accessService", "constraint", "filter", "reason", "service"})  # one for a list
        or (change == "drop" and words[-1] in {"callbackAddress", "endpoint"})  # 2025-1 does without them there
        or (words[-1] == "filter" and change != "drop")
        or bool(FOR_PEOPLE & set(words))
        or bool(FOR_THE_POLICY_DOOR & set(words))
    )


def test_what_edc_sends_is_read():
    """Prefixes of its own, names as ``@id``, lists of one unwrapped, empty lists."""
    body = {
        "@context": {"@vocab": "https://w3id.org/edc/v0.0.1/ns/", "d": "https://w3id.org/dspace/2024/1/", "o": "http://www.w3.org/ns/odrl/2/"},
        "@id": "1",
        "@type": "d:ContractOfferMessage",
        "d:providerPid": "urn:p",
        "d:consumerPid": {"@id": "urn:c"},
        "d:callbackAddress": "http://x",
        "d:offer": {
            "@id": "offer",
            "@type": "o:Offer",
            "o:target": {"@id": "urn:d"},
            "o:assigner": {"@id": "them"},
            "o:permission": {"o:action": {"@id": "o:use"}, "o:constraint": {"o:leftOperand": {"@id": "o:purpose"}, "o:operator": {"@id": "o:eq"}, "o:rightOperand": "x"}},
            "o:prohibition": [],
            "o:obligation": [],
        },
    }  # fmt: skip
    offer = V2024_1.read(body, "ContractOfferMessage")["offer"]
    assert offer["permission"] == [
        {"action": "use", "constraint": [{"leftOperand": "purpose", "operator": "eq", "rightOperand": "x"}]}
    ]
    assert (offer["target"], offer["assigner"]) == ("urn:d", "them")
    assert "prohibition" not in offer


@pytest.mark.parametrize(
    "context", [None, [], "https://w3id.org/dspace/2025/1/context.jsonld", {"dspace": "https://w3id.org/dspace/v0.8/"}, 7]
)
def test_another_version_is_refused(context):
    with pytest.raises(ProtocolError):
        V2024_1.read({"@context": context, "@type": "dspace:TransferCompletionMessage", "dspace:providerPid": "p", "dspace:consumerPid": "c"}, "TransferCompletionMessage")  # fmt: skip


def test_hostile_bodies_are_protocol_errors():
    deep = {"odrl:action": "odrl:use"}
    for _ in range(3000):
        deep = {"odrl:and": [deep]}
    context = "https://w3id.org/dspace/2024/1/context.json"
    twice = {"dspace:providerPid": "p", "providerPid": "q", "dspace:consumerPid": "c"}
    for body in (
        None, [], 7, "x", {}, {"@context": context, "@type": ["x", "y"]}, {"@context": context, "@type": "dspace:Catalog", "odrl:permission": [deep]},
        {"@context": context, "@type": "dspace:TransferCompletionMessage", **twice},
    ):  # fmt: skip
        with pytest.raises(ProtocolError):
            V2024_1.read(body, "TransferCompletionMessage")


def test_the_newest_common_version_is_chosen():
    both = {"protocolVersions": [{"version": "2024-1", "path": "/old"}, {"version": "2025-1", "path": "/new/"}]}
    assert choose(both) == (V2025_1, "/new")
    assert choose(both, "2024/1") == (V2024_1, "/old")
    edc = {"@context": {}, "dspace:protocolVersions": [{"dspace:version": "v0.8", "dspace:path": "/"}, {"dspace:version": "2024/1", "dspace:path": "2024/1"}]}  # fmt: skip
    assert choose(edc) == (V2024_1, "/2024/1")
    for body in (None, [], {}, {"protocolVersions": "x"}, {"protocolVersions": [7, {"version": 1}]}, {"protocolVersions": [{"version": "v0.8", "path": "/"}]}):  # fmt: skip
        with pytest.raises(ProtocolError, match="does not speak"):
            choose(body)
    with pytest.raises(ProtocolError):
        named("v0.8")
    assert recognise(V2024_1.write(OURS[0])) == V2024_1
    assert recognise(OURS[0]) == V2025_1
