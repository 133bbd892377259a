"""Our own checks agree with the official schemas: what those refuse, these refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from datalab_connectors.dsp.messages import CONTEXT, message, read_json, received
from datalab_connectors.dsp.terms import same_terms
from datalab_connectors.dsp.versions import V2024_1, V2025_1

from datalab.errors import ProtocolError
from tests.unit.connectors.broken import mutations

REFERENCE = os.environ.get("DATALAB_REFERENCE_DATA", "")
FOLDER = Path(REFERENCE) / "dsp-2025-1"
needs_reference = pytest.mark.skipif(not REFERENCE, reason="DATALAB_REFERENCE_DATA is not set")
EXAMPLES = sorted(FOLDER.glob("*/example/*.json")) if REFERENCE else []


def official():
    """Return a validator per message type; three schemas of the specification need their anchors repaired."""
    import jsonschema_rs

    schemas = {}
    for path in FOLDER.glob("*/*-schema.json"):
        text = path.read_text().replace(".json#definitions/", ".json#/definitions/")
        schemas[path.stem.removesuffix("-schema").replace("-", "")] = json.loads(text)
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas.values()])
    return {name: jsonschema_rs.Draft201909Validator(schema, registry=registry) for name, schema in schemas.items()}


def typed_examples():
    found = [json.loads(path.read_text()) for path in EXAMPLES]
    return [body for body in found if "@type" in body]


@needs_reference
def test_all_official_examples_are_accepted():
    examples = typed_examples()
    assert len(examples) == 24
    for body in examples:
        assert received(body, body["@type"]) is body


@needs_reference
def test_what_the_official_schemas_refuse_is_refused():
    validators = official()
    refused = 0
    for body in typed_examples():
        kind = body["@type"]
        validator = validators[kind.lower()]
        assert validator.is_valid(body)
        for _, _, broken in mutations(body, "???", ["x"]):
            if validator.is_valid(broken):
                continue
            refused += 1
            with pytest.raises(ProtocolError):
                received(broken, kind)
    assert refused > 1000


@pytest.mark.parametrize("body", [None, [], 7, "x", {}, {"@type": "Catalog"}, {"@type": ["Catalog"], "@context": [CONTEXT]}])
def test_garbage_is_a_protocol_error(body):
    with pytest.raises(ProtocolError):
        received(body, "Catalog")


def test_constraints_nested_without_end_are_refused():
    deep: dict[str, object] = {"leftOperand": "a", "operator": "eq", "rightOperand": "b"}
    for _ in range(400):
        deep = {"and": [deep]}
    offer = {"@id": "o", "@type": "Offer", "permission": [{"action": "use", "constraint": [deep]}]}
    body = {
        "@context": [CONTEXT],
        "@type": "ContractRequestMessage",
        "consumerPid": "c",
        "callbackAddress": "x",
        "offer": offer,
    }
    with pytest.raises(ProtocolError, match="nested"):
        received(body, "ContractRequestMessage")


def test_a_wrong_message_of_ours_is_never_built():
    with pytest.raises(ValueError, match="consumerPid"):
        message("TransferCompletionMessage", providerPid="p")


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000])
def test_bytes_that_are_not_json(raw):
    with pytest.raises(ProtocolError):
        read_json(raw)


def test_words_that_the_protocols_context_does_not_know_go_as_iris_and_mean_the_same():
    """JSON-LD knows ``use`` from the context of 2025-1, and nothing of ``distribute`` or ``purpose``."""
    purpose = {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": "dpv:ScientificResearch"}
    terms = {
        "permission": [{"action": "use", "constraint": [{"and": [purpose]}]}, {"action": "distribute"}],
        "obligation": [{"action": "ex:water"}],
    }
    said = message(
        "ContractOfferMessage",
        providerPid="p",
        consumerPid="c",
        offer={"@id": "o", "@type": "Offer", "assigner": "a", "target": "d", **terms},
    )
    offer = V2025_1.write(said)["offer"]
    odrl = "http://www.w3.org/ns/odrl/2/"
    assert offer["permission"][0]["action"] == "use"
    assert offer["permission"][0]["constraint"][0]["and"] == [{**purpose, "leftOperand": f"{odrl}purpose"}]
    assert [rule["action"] for rule in (*offer["permission"], *offer["obligation"])] == ["use", f"{odrl}distribute", "ex:water"]
    assert same_terms(offer, said["offer"])
    assert V2024_1.read(V2024_1.write(said), "ContractOfferMessage")["offer"] == said["offer"]
