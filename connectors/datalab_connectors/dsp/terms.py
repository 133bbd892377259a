"""Terms on the wire: spelt so that whoever reads JSON-LD loses nothing, and compared as they are understood, not as they are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from datalab.policy import parse

_ODRL = "http://www.w3.org/ns/odrl/2/"
_XSD = "http://www.w3.org/2001/XMLSchema#"
_TYPES = {bool: "boolean", int: "integer", float: "double"}
_KNOWN = frozenset(
    ("use", "eq", "gt", "gteq", "lt", "lteq", "neq", "isA", "hasPart", "isPartOf", "isAllOf", "isAnyOf", "isNoneOf")
)
"""Actions, operands and operators that the protocol's context knows (2025-1, context/odrl.jsonld)."""


def spelt_out(said: Any) -> Any:
    """Return a message of 2025-1 with all other words of ODRL as IRIs: by JSON-LD they mean nothing else, and a peer would drop them."""
    return _each(_spelt_out, said)


def typed(rules: Any) -> Any:
    """Return rules whose right operands are no bare numbers or truth values, which the protocol's schema refuses, but the same as typed literals."""
    return _each(_typed, rules)


def _each(change: Callable[[str, Any], Any], said: Any, key: str = "") -> Any:
    """Return ``said`` with every value that is no object and no list changed, given the key that it stands under."""
    if isinstance(said, Mapping):
        return {name: _each(change, value, name) for name, value in said.items()}
    if isinstance(said, list):
        return [_each(change, value, key) for value in said]
    return change(key, said)


def _spelt_out(key: str, value: Any) -> Any:
    word = isinstance(value, str) and key in {"action", "leftOperand", "operator"} and ":" not in value
    return _ODRL + value if word and value not in _KNOWN else value


def _typed(key: str, value: Any) -> Any:
    bare = key == "rightOperand" and type(value) in _TYPES
    return {"@value": json.dumps(value), "@type": _XSD + _TYPES[type(value)]} if bare else value


def same_terms(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two offers, or an offer and an agreement, have the same rules for the same dataset."""
    if one.get("target") != other.get("target"):
        return False
    left, right = parse(json.dumps(one)), parse(json.dumps(other))
    return (left.permissions, left.prohibitions, left.obligations, left.unknown) == (
        right.permissions,
        right.prohibitions,
        right.obligations,
        right.unknown,
    )
