"""The messages of the Dataspace Protocol 2025-1: built here, and checked here before they are sent or believed.

Required fields and types follow the JSON schemas of the specification (tag 2025-1-err1); where its text asks for more
than its schemas, the text counts for what we send. An offer in a catalogue has no target, an offer in a message has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datalab.errors import ProtocolError
from datalab.ports.bodies import parse_json
from datalab_connectors.dsp.shapes import (
    Check,
    Misshapen,
    anything,
    containing,
    either,
    list_of,
    matching,
    one_of,
    record,
    text,
)

VERSION = "2025-1"
CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
PULL = "HttpData-PULL"
PUSH = "HttpData-PUSH"
HTTP_ENDPOINT = "https://w3id.org/idsa/v4.1/HTTP"
NEGOTIATION_STATES = ("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED")
TRANSFER_STATES = ("REQUESTED", "STARTED", "TERMINATED", "COMPLETED", "SUSPENDED")

_DEPTH = 16
_OPERATORS = (
    "eq", "gt", "gteq", "lteq", "hasPart", "isA", "isAllOf", "isAnyOf", "isNoneOf", "isPartOf", "lt", "term-lteq", "neq",
)  # fmt: skip
_LOGICAL = ("and", "andSequence", "or", "xone")
_TIMESTAMP = r"[0-9]{4,}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-4]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-][01][0-9]:[0-5][0-9])?"


def _right_operand(value: Any, where: str) -> None:
    if not isinstance(value, str | dict | list):
        raise Misshapen(f"{where} is neither a string nor an object nor a list")


def _constraint(value: Any, where: str) -> None:
    if where.count(".") > _DEPTH:
        raise Misshapen("the constraints are nested too deeply")
    if isinstance(value, dict) and any(key in value for key in _LOGICAL):
        record({}, dict.fromkeys(_LOGICAL, list_of(_constraint)), exactly_one=_LOGICAL, without=("leftOperand",))(value, where)
    else:
        record({"leftOperand": text, "operator": one_of(*_OPERATORS), "rightOperand": _right_operand})(value, where)


_rule = record({"action": text}, {"constraint": list_of(_constraint)})
_policy = {
    "profile": either(text, list_of(text)),
    "permission": list_of(_rule, at_least=1),
    "prohibition": list_of(_rule, at_least=1),
    "obligation": list_of(_rule, at_least=1),
}
_rules = ("permission", "prohibition")
_catalogue_offer = record({"@id": text}, {"@type": one_of("Offer"), **_policy}, any_of=_rules, without=("target",))
_message_offer = record({"@id": text, "@type": one_of("Offer")}, {"target": text, **_policy}, any_of=_rules)
_targeted_offer = record({"@id": text, "@type": one_of("Offer"), "target": text}, _policy, any_of=_rules)
_agreement = record(
    {"@id": text, "@type": one_of("Agreement"), "target": text, "assigner": text, "assignee": text},
    {"timestamp": matching(_TIMESTAMP), **_policy},
    any_of=_rules,
)
_service = record(
    {"@id": text, "@type": one_of("DataService"), "endpointURL": text}, {"servesDataset": list_of(anything, at_least=1)}
)
_distribution = record(
    {"accessService": either(text, _service), "format": text}, {"hasPolicy": list_of(_catalogue_offer, at_least=1)}
)
_dataset = record(
    {"@id": text, "hasPolicy": list_of(_catalogue_offer, at_least=1), "distribution": list_of(_distribution, at_least=1)}
)


def _catalogue(value: Any, where: str) -> None:
    if where.count(".") > _DEPTH:
        raise Misshapen("the catalogues are nested too deeply")
    optional = {
        "dataset": list_of(_dataset, at_least=1),
        "catalog": list_of(_catalogue, at_least=1),
        "service": list_of(_service, at_least=1),
        "distribution": list_of(_distribution, at_least=1),
    }
    record({"@id": text, "@type": one_of("Catalog")}, optional, without=("hasPolicy",))(value, where)


_pids = {"providerPid": text, "consumerPid": text}
_reasons = {"code": text, "reason": list_of(anything, at_least=1)}
_address = record(
    {"@type": one_of("DataAddress"), "endpointType": text},
    {
        "endpoint": text,
        "endpointProperties": list_of(record({"@type": one_of("EndpointProperty"), "name": text, "value": text}), at_least=1),
    },
)
_SHAPES: dict[str, Check] = {
    "CatalogRequestMessage": record({}, {"filter": list_of(anything)}),
    "DatasetRequestMessage": record({"dataset": text}),
    "Catalog": record({"participantId": text, "@id": text}),
    "Dataset": _dataset,
    "CatalogError": record({}, {"code": text, "reason": list_of(anything)}),
    "ContractRequestMessage": record(
        {"consumerPid": text, "offer": _message_offer},
        {"providerPid": text, "callbackAddress": text},
        exactly_one=("callbackAddress", "providerPid"),
    ),
    "ContractOfferMessage": record(
        {"providerPid": text, "offer": _targeted_offer},
        {"consumerPid": text, "callbackAddress": text},
        exactly_one=("callbackAddress", "consumerPid"),
    ),
    "ContractAgreementMessage": record({**_pids, "agreement": _agreement}),
    "ContractAgreementVerificationMessage": record(_pids),
    "ContractNegotiationEventMessage": record({**_pids, "eventType": one_of("ACCEPTED", "FINALIZED")}),
    "ContractNegotiationTerminationMessage": record(_pids, _reasons),
    "ContractNegotiation": record({**_pids, "state": one_of(*NEGOTIATION_STATES)}),
    "ContractNegotiationError": record(_pids, _reasons),
    "TransferRequestMessage": record(
        {"agreementId": text, "format": text, "callbackAddress": text, "consumerPid": text}, {"dataAddress": _address}
    ),
    "TransferStartMessage": record(_pids, {"dataAddress": _address}),
    "TransferCompletionMessage": record(_pids),
    "TransferTerminationMessage": record(_pids, _reasons),
    "TransferSuspensionMessage": record(_pids, _reasons),
    "TransferProcess": record({**_pids, "state": one_of(*TRANSFER_STATES)}),
    "TransferError": record(_pids, _reasons),
}
_loose_rule = record({"action": text}, {"constraint": list_of(anything)})
_loose_rules = dict.fromkeys(_rules, list_of(_loose_rule, at_least=1)) | {"obligation": list_of(_loose_rule, at_least=1)}
_loose_offer = record(
    {"@id": text, "@type": one_of("Offer"), "assigner": text}, {"target": text, **_loose_rules}, any_of=_rules
)
_loose_catalogue_offer = record(
    {"@id": text, "@type": one_of("Offer")}, {"assigner": text, **_loose_rules}, any_of=_rules, without=("target",)
)
_loose_agreement = record(
    {"@id": text, "@type": one_of("Agreement"), "target": text, "assigner": text, "assignee": text},
    {"timestamp": matching(_TIMESTAMP), **_loose_rules},
    any_of=_rules,
)
_loose_service = either(text, record({}, {"endpointURL": text, "servesDataset": list_of(anything, at_least=1)}))
_loose_distribution = record({"accessService": either(_loose_service, list_of(_loose_service, at_least=1))}, {"format": text})
_loose_dataset = record(
    {"hasPolicy": list_of(_loose_catalogue_offer, at_least=1)},
    {"@id": text, "title": text, "distribution": list_of(_loose_distribution, at_least=1)},
)
_loose_catalogue = record(
    {},
    {
        "participantId": text,
        "dataset": list_of(_loose_dataset, at_least=1),
        "service": list_of(_loose_service, at_least=1),
        "distribution": list_of(_loose_distribution, at_least=1),
    },
    without=("hasPolicy",),
)
_SHAPES_2024: dict[str, Check] = {
    **_SHAPES,
    "Catalog": _loose_catalogue,
    "Dataset": _loose_dataset,
    "ContractRequestMessage": record(
        {"consumerPid": text, "offer": _loose_offer, "callbackAddress": text}, {"providerPid": text}
    ),
    "ContractOfferMessage": record(
        {"providerPid": text, "offer": _loose_offer}, {"consumerPid": text, "callbackAddress": text}
    ),
    "ContractAgreementMessage": record({**_pids, "agreement": _loose_agreement}, {"callbackAddress": text}),
    "TransferError": record(_pids, {"code": text, "reason": list_of(anything)}),
}
"""What 2024-1 asks for in the words of 2025-1: less of catalogues and constraints, more of who sends."""
_context = containing(CONTEXT)


def message(kind: str, **fields: Any) -> dict[str, Any]:
    """Build a message of ``kind``; a message of ours that does not fit its shape is a programming error (``ValueError``)."""
    body = {"@context": [CONTEXT], "@type": kind, **fields}
    _check(body, kind, _SHAPES)
    return body


def received(body: Any, *kinds: str, older: bool = False) -> dict[str, Any]:
    """Return ``body`` as a message of one of ``kinds``, or raise ``ProtocolError`` naming what is wrong and where.

    ``older`` measures it, already in the words of 2025-1, by what version 2024-1 asks for.
    """
    found = body.get("@type") if isinstance(body, dict) else None
    if found not in kinds or not isinstance(body, dict):
        raise ProtocolError(f"expected a {' or '.join(kinds)}, got {str(found)[:60]!r}")
    try:
        _check(body, found, _SHAPES_2024 if older else _SHAPES)
    except Misshapen as error:
        raise ProtocolError(f"not a valid {found}: {error}") from None
    return body


def read_json(raw: bytes) -> Any:
    """Read a message body; raise ``ProtocolError`` for what is not JSON."""
    try:
        return parse_json(raw.decode())
    except ValueError:
        raise ProtocolError("the message is not readable JSON") from None


def _check(body: Mapping[str, Any], kind: str, shapes: Mapping[str, Check]) -> None:
    if "@context" not in body:
        raise Misshapen("@context is missing")
    _context(body["@context"], "@context")
    shapes[kind](body, "")
    if kind == "Catalog" and shapes is _SHAPES:
        _catalogue(body, "")
