"""The rules of several policies as one that is as strict as all of them together: what a release is passed on under."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from datalab.errors import PolicyRefusal, ProtocolError
from datalab.policy import terms

_RULES = ("permission", "prohibition", "obligation")


def combined_rules(policies: Sequence[str]) -> dict[str, Any]:
    """Return ``permission``, ``prohibition`` and ``obligation`` of the policies (JSON texts), combined.

    A prohibition or obligation of one holds for all. A permission stays where every policy gives one for that action, under
    the conditions and duties of all of them. Raise ``PolicyRefusal`` where nothing stays permitted.
    """
    read = [_rules(text) for text in policies]
    if not read:
        raise PolicyRefusal("without terms nothing is passed on")
    permissions = read[0]["permission"]
    for other in read[1:]:
        permissions = [
            both for one, two in itertools.product(permissions, other["permission"]) if (both := _both(one, two)) is not None
        ]
    found = {
        "permission": _once(permissions),
        "prohibition": _once(rule for rules in read for rule in rules["prohibition"]),
        "obligation": _once(rule for rules in read for rule in rules["obligation"]),
    }
    if not found["permission"]:
        raise PolicyRefusal("the terms of the sources have no permission in common", next="publish a release of one source")
    return {kind: rules for kind, rules in found.items() if rules}


def _rules(text: str) -> dict[str, list[Any]]:
    try:
        body = json.loads(text)
    except ValueError:
        raise ProtocolError("a policy is not readable JSON") from None
    plain = {terms.local(key) if key.startswith("odrl:") else key: value for key, value in body.items()}
    return {kind: [_free(rule) for rule in _list(plain.get(kind))] for kind in _RULES}


def _free(rule: Any) -> Any:
    """Return a rule without whom and what it was about: that is said anew by the offer made from it."""
    if not isinstance(rule, Mapping):
        return rule
    return {key: value for key, value in rule.items() if key not in {"target", "assigner", "assignee", "odrl:target"}}


def _both(one: Any, two: Any) -> dict[str, Any] | None:
    if one == two:
        return dict(one)
    if not isinstance(one, Mapping) or not isinstance(two, Mapping) or one.get("action") != two.get("action"):
        return None
    both = {**two, **one}
    for key in ("constraint", "duty"):
        values = _once([*_list(one.get(key)), *_list(two.get(key))])
        if values:
            both[key] = values
    return both


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _once(rules: Any) -> list[Any]:
    found: list[Any] = []
    for rule in rules:
        if rule not in found:
            found.append(rule)
    return found
