"""Version 2024-1 on the wire and back: the same messages with prefixed keys, as JSON-LD in one fixed compaction.

What others send varies with their JSON-LD processor (EDC's prefixes keys, unwraps lists of one, wraps names in ``@id``), so
reading is by a small normaliser and not by a processor: prefixes of the known namespaces go, lists become lists, names
become strings. Inside, every message has the form of 2025-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datalab.errors import ProtocolError

CONTEXT = "https://w3id.org/dspace/2024/1/context.json"
NAMESPACE = "https://w3id.org/dspace/2024/1/"
_DEPTH = 40
_NAMESPACES = {
    "dspace": NAMESPACE,
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dcterms": "http://purl.org/dc/terms/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
}
_WORDS = {
    "dspace": (
        "agreement", "agreementId", "callbackAddress", "code", "consumerPid", "dataAddress", "endpoint",
        "endpointProperties", "endpointType", "eventType", "filter", "name", "offer", "participantId", "providerPid", "reason",
        "state", "timestamp", "value",
        "CatalogError", "CatalogRequestMessage", "ContractAgreementMessage", "ContractAgreementVerificationMessage",
        "ContractNegotiation", "ContractNegotiationError", "ContractNegotiationEventMessage",
        "ContractNegotiationTerminationMessage", "ContractOfferMessage", "ContractRequestMessage", "DataAddress",
        "DatasetRequestMessage", "EndpointProperty", "TransferCompletionMessage", "TransferError", "TransferProcess",
        "TransferRequestMessage", "TransferStartMessage", "TransferSuspensionMessage", "TransferTerminationMessage",
    ),
    "dcat": (
        "accessService", "byteSize", "catalog", "dataset", "distribution", "endpointDescription", "endpointURL", "keyword",
        "mediaType", "servesDataset", "service", "Catalog", "Dataset", "DataService", "Distribution",
    ),
    "dct": ("creator", "description", "format", "identifier", "issued", "language", "license", "modified", "publisher", "title"),
    "odrl": (
        "action", "and", "andSequence", "assignee", "assigner", "constraint", "duty", "hasPolicy", "leftOperand", "obligation",
        "operator", "or", "permission", "profile", "prohibition", "rightOperand", "target", "xone", "Agreement", "Offer",
    ),
    "spdx": ("algorithm", "checksum", "checksumValue"),
}  # fmt: skip
_PREFIX = {word: prefix for prefix, words in _WORDS.items() for word in words}
_LISTS = frozenset(
    (
        "and", "andSequence", "catalog", "constraint", "dataset", "distribution", "endpointProperties", "filter", "hasPolicy",
        "obligation", "or", "permission", "prohibition", "reason", "service", "xone",
    )
)  # fmt: skip
_NAMES = frozenset(
    (
        "action", "agreementId", "assignee", "assigner", "callbackAddress", "code", "consumerPid", "endpoint", "endpointType",
        "endpointURL", "eventType", "format", "issued", "leftOperand", "license", "operator", "participantId", "providerPid",
        "publisher", "state", "target", "timestamp", "title",
    )
)  # fmt: skip
"""Keys whose value is one string, however it was wrapped."""
_ODRL_VALUES = frozenset(("action", "leftOperand", "operator"))
_DSPACE_VALUES = frozenset(("eventType", "state"))


def encode(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message in the words of 2024-1."""
    body = _encoded({key: value for key, value in message.items() if key != "@context"}, str(message.get("@type", "")))
    return {"@context": CONTEXT, **body}


def decode(body: Any, context: str) -> Any:
    """Return a message of 2024-1 in the words of 2025-1; raise ``ProtocolError`` for another version's."""
    if not isinstance(body, Mapping):
        return body
    prefixes = _prefixes(body.get("@context"))
    rest = {key: value for key, value in body.items() if key != "@context"}
    return {"@context": [context], **_decoded(rest, prefixes, 0)}


def plain(body: Any, more: Mapping[str, str] | None = None) -> Any:
    """Return compacted JSON-LD of any version in plain words, whatever its context: of our namespaces and of ``more`` by prefix."""
    known = {**_NAMESPACES, **(more or {})}
    return _decoded(body, {f"{prefix}:": "" for prefix in known} | dict.fromkeys(known.values(), ""), 0)


def _encoded(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_encoded(item, kind) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        _key(key, kind): _encoded_value(key, item, str(value.get("@type", "")) if isinstance(item, dict | list) else kind)
        for key, item in value.items()
    }


def _key(key: str, kind: str) -> str:
    if key == "dataset" and kind == "DatasetRequestMessage":
        return "dspace:dataset"
    return f"{_PREFIX[key]}:{key}" if key in _PREFIX else key


def _encoded_value(key: str, value: Any, kind: str) -> Any:
    if key == "accessService" and not isinstance(value, list):
        value = [value if isinstance(value, Mapping) else {"@id": value}]
    if isinstance(value, str):
        if key == "@type" and value in _PREFIX:
            return f"{_PREFIX[value]}:{value}"
        if key in _ODRL_VALUES and ":" not in value:
            return f"odrl:{value}"
        if key in _DSPACE_VALUES:
            return f"dspace:{value}"
        if key == "description":
            return [{"@value": value, "@language": "en"}]
    return _encoded(value, kind)


def _prefixes(context: Any) -> dict[str, str]:
    """Return the prefixes of a message, by namespace; raise ``ProtocolError`` where its context is not one of this version."""
    found = {namespace: prefix for prefix, namespace in _NAMESPACES.items()}
    known = False
    for entry in context if isinstance(context, list) else [context]:
        if entry == CONTEXT:
            known = True
        elif isinstance(entry, Mapping):
            known = known or NAMESPACE in entry.values()
            found |= {
                space: prefix
                for prefix, space in entry.items()
                if isinstance(space, str) and space in found and prefix != "@vocab"
            }
    if not known:
        raise ProtocolError("the message is not one of version 2024-1: its @context does not say so")
    return {f"{prefix}:": "" for prefix in (*_NAMESPACES, *found.values())} | dict.fromkeys(_NAMESPACES.values(), "")


def _decoded(value: Any, prefixes: Mapping[str, str], depth: int) -> Any:
    if depth > _DEPTH:
        raise ProtocolError("the message is nested too deeply")
    if isinstance(value, list):
        return [_decoded(item, prefixes, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    body: dict[str, Any] = {}
    for key, item in value.items():
        local = _local(key, prefixes)
        if local in body:
            raise ProtocolError(f"{local!r} comes twice in one object")
        found = _decoded_value(local, item, prefixes, depth)
        if local in _LISTS and found == []:
            continue  # an empty list says what a missing key says
        body[local] = found
    return body


def _decoded_value(key: str, value: Any, prefixes: Mapping[str, str], depth: int) -> Any:
    if key == "@type":
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return _local(value, prefixes) if isinstance(value, str) else value
    if key in _NAMES:
        value = _name(value)
        if isinstance(value, str) and key in _ODRL_VALUES | _DSPACE_VALUES:
            return _local(value, prefixes)
        return value
    if key == "accessService" and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if key == "description":
        first = value[0] if isinstance(value, list) and value else value
        return _name(first)
    if key in _LISTS and isinstance(value, Mapping):
        value = [value]
    if key == "filter" and not isinstance(value, list):
        value = [value]
    return _decoded(value, prefixes, depth + 1)


def _name(value: Any) -> Any:
    """Return the string in ``{"@id": …}``, ``{"@value": …}`` or a list of one of them."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping) and isinstance(value.get("@id", value.get("@value")), str):
        return value.get("@id", value.get("@value"))
    return value


def _local(word: str, prefixes: Mapping[str, str]) -> str:
    if word.startswith("@"):
        return word
    for prefix in prefixes:
        if word.startswith(prefix):
            return word[len(prefix) :]
    return word
