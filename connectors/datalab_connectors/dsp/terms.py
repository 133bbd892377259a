"""Terms on the wire: spelt so that whoever reads JSON-LD loses nothing, and compared as they are understood, not as they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from datalab.policy import parse

_ODRL = "http://www.w3.org/ns/odrl/2/"
_XSD = "http://www.w3.org/2001/XMLSchema#"
_TYPES = {bool: "boolean", int: "integer", float: "double"}
_KNOWN = frozenset(
    ("use", "eq", "gt", "gteq", "lt", "lteq", "neq", "isA", "hasPart", "isPartOf", "isAllOf", "isAnyOf", "isNoneOf")
)
"""Actions, operands and operators that the protocol's context knows (2025-1, context/odrl.jsonld)."""


def spelt_out(said: Any, key: str = "") -> Any:
    """Return a message of 2025-1 with all other words of ODRL as IRIs: by JSON-LD they mean nothing else, and a peer would drop them."""
    if isinstance(said, Mapping):
        return {name: spelt_out(value, name) for name, value in said.items()}
    if isinstance(said, list):
        return [spelt_out(value, key) for value in said]
    word = isinstance(said, str) and key in {"action", "leftOperand", "operator"} and ":" not in said
    return _ODRL + said if word and said not in _KNOWN else said


def typed(rules: Any, key: str = "") -> Any:
    """Return rules whose right operands are no bare numbers or truth values, which the protocol's schema refuses, but the same as typed literals."""
    if isinstance(rules, Mapping):
        return {name: typed(value, name) for name, value in rules.items()}
    if isinstance(rules, list):
        return [typed(value, key) for value in rules]
    bare = key == "rightOperand" and type(rules) in _TYPES
    return {"@value": json.dumps(rules), "@type": _XSD + _TYPES[type(rules)]} if bare else rules


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
