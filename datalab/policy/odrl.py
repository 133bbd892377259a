"""Reading ODRL as the Dataspace Protocol 2025-1 carries it (plain JSON) into the small profile of `datalab.model.policy`.

What cannot be read with certainty is named in ``Policy.unknown``, and then every decision is a no. ``and`` and ``or`` become
several rules (disjunctive normal form); ``xone`` does where each operand has an exact opposite.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.policy import Constraint, Duty, Policy, Rule
from datalab.policy import terms

_MAX_CHARS = 1_000_000
_MAX_RULES = 64
_NAMESPACE = "http://www.w3.org/ns/odrl/2/"
_PROFILES = {"", _NAMESPACE, _NAMESPACE + "core", _NAMESPACE + "odrl.jsonld", "http://www.w3.org/ns/odrl.jsonld"}
_POLICY_KEYS = {
    "@context", "@type", "@id", "uid", "target", "assigner", "assignee", "timestamp", "profile", "conflict",
    "permission", "prohibition", "obligation",
}  # fmt: skip
_RULE_KEYS = {"@type", "@id", "uid", "target", "assigner", "action", "constraint", "duty", "remedy"}
_DUTY_KEYS = {"@type", "@id", "uid", "target", "assigner", "assignee", "action", "constraint", "consequence"}
_LOGICAL = ("and", "or", "xone")

Alternatives = list[tuple[Constraint, ...]]
"""A condition as alternatives: it holds where all constraints of one of them hold."""


def parse(text: str) -> Policy:
    """Read the JSON text of an offer, agreement or set; raise ``ProtocolError`` where it is not a JSON object with rules."""
    body = _keys(_object(text))
    reader = _Reader(_text(body.get("target")))
    reader.only(body, _POLICY_KEYS, "the policy")
    for profile in _list(body.get("profile")):
        if _text(profile) not in _PROFILES:
            reader.unknown.append(f"profile {_text(profile)!r}")
    if terms.local(_text(body.get("conflict"))) not in {"", "prohibit", "perm"}:
        reader.unknown.append(f"conflict strategy {_text(body.get('conflict'))!r}")
    permissions = reader.rules(body.get("permission"), "permission")
    prohibitions = reader.rules(body.get("prohibition"), "prohibition")
    obligations = reader.duties(body.get("obligation"), "obligation")
    if not (permissions or prohibitions or obligations or reader.unknown):
        raise ProtocolError("the policy has neither a permission nor a prohibition", where=_short(text))
    return Policy(
        id=_text(body.get("@id") or body.get("uid")),
        permissions=permissions,
        prohibitions=prohibitions,
        obligations=obligations,
        unknown=tuple(dict.fromkeys(reader.unknown)),
        verbatim=text,
    )


class _Reader:
    """Collects what cannot be read while the rest is."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.unknown: list[str] = []

    def only(self, body: Mapping[str, Any], known: set[str], where: str) -> None:
        self.unknown += [f"{key!r} in {where}" for key in body if key not in known]

    def rules(self, value: Any, kind: str) -> tuple[Rule, ...]:
        found: list[Rule] = []
        for item in _list(value):
            if not isinstance(item, Mapping):
                self.unknown.append(f"a {kind} that is not an object")
                continue
            body = _keys(item)
            self.only(body, _RULE_KEYS, f"a {kind}")
            if (target := _text(body.get("target"))) and self.target and target != self.target:
                self.unknown.append(f"a {kind} for another target, {target!r}")
            duties = self.duties(body.get("duty"), "duty") + self.duties(body.get("remedy"), "remedy")
            alternatives = self.conditions(body.get("constraint"), f"a {kind}")
            found += [
                Rule(action, alternative, duties if kind == "permission" else ())
                for action in self.actions(body.get("action"), kind)
                for alternative in alternatives
            ]
        return tuple(found)

    def duties(self, value: Any, kind: str) -> tuple[Duty, ...]:
        found: list[Duty] = []
        for item in _list(value):
            if not isinstance(item, Mapping):
                self.unknown.append(f"a {kind} that is not an object")
                continue
            body = _keys(item)
            self.only(body, _DUTY_KEYS, f"a {kind}")
            alternatives = self.conditions(body.get("constraint"), f"a {kind}")
            if len(alternatives) != 1:
                self.unknown.append(f"alternatives in a {kind}")
            found += [
                Duty(action, alternatives[0] if alternatives else ()) for action in self.actions(body.get("action"), kind)
            ]
        return tuple(found)

    def actions(self, value: Any, kind: str) -> list[str]:
        found: list[str] = []
        for item in _list(value):
            name = item if isinstance(item, str) else _text(item) if isinstance(item, Mapping) and set(item) == {"@id"} else ""
            if name:
                found.append(terms.local(name))
            else:
                self.unknown.append(f"an action that is not a name, in a {kind}")
        if not found:
            self.unknown.append(f"a {kind} without an action")
        return found

    def conditions(self, value: Any, where: str) -> Alternatives:
        return self._all(self._condition(item, where) for item in _list(value))

    def _all(self, parts: Iterable[Alternatives]) -> Alternatives:
        whole: Alternatives = [()]
        for part in parts:
            if len(whole) * len(part) > _MAX_RULES:
                self.unknown.append(f"a condition with more than {_MAX_RULES} alternatives")
                return [()]
            whole = [left + right for left, right in itertools.product(whole, part)]
        return whole

    def _condition(self, value: Any, where: str) -> Alternatives:
        if not isinstance(value, Mapping):
            self.unknown.append(f"a constraint that is not an object, in {where}")
            return [()]
        body = _keys(value)
        logical = [name for name in body if name in {*_LOGICAL, "andSequence"}]
        if not logical:
            return [(self._atomic(body, where),)]
        operands = _list(body[logical[0]])
        if len(logical) > 1 or logical[0] == "andSequence" or not operands or set(body) - {*_LOGICAL, "@type", "@id", "uid"}:
            self.unknown.append(f"logical constraint {' and '.join(logical)!r} in {where}")
            return [()]
        parts = [self._condition(item, where) for item in operands]
        if logical[0] == "and":
            return self._all(parts)
        if logical[0] == "or":
            return list(itertools.chain.from_iterable(parts))
        return self._exactly_one(parts, where)

    def _exactly_one(self, parts: Sequence[Alternatives], where: str) -> Alternatives:
        atoms = [part[0][0] for part in parts if len(part) == 1 and len(part[0]) == 1]
        if len(atoms) != len(parts) or any(_opposite(atom) is None for atom in atoms):
            self.unknown.append(f"logical constraint 'xone' in {where}")
            return [()]
        return [
            tuple(atom if place == chosen else _opposite(atom) or atom for place, atom in enumerate(atoms))
            for chosen in range(len(atoms))
        ]

    def _atomic(self, body: Mapping[str, Any], where: str) -> Constraint:
        self.only(body, {"@type", "@id", "uid", "leftOperand", "operator", "rightOperand"}, f"a constraint of {where}")
        right = tuple(_text(item) for item in _list(body.get("rightOperand")))
        return Constraint(terms.local(_text(body.get("leftOperand"))), terms.local(_text(body.get("operator"))), right)


def _opposite(constraint: Constraint) -> Constraint | None:
    operator = terms.OPPOSITE.get(constraint.operator)
    return Constraint(constraint.left, operator, constraint.right) if operator else None


def _object(text: str) -> Mapping[str, Any]:
    if len(text) > _MAX_CHARS:
        raise ProtocolError(f"the policy is longer than {_MAX_CHARS} characters", where=_short(text))
    try:
        body = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the policy is not readable JSON: {error}", where=_short(text)) from None
    if not isinstance(body, Mapping):
        raise ProtocolError("the policy is not a JSON object", where=_short(text))
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that comes twice: readers would differ in which one counts."""
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return body


def _keys(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with its keys in the form without a prefix."""
    pairs = [(terms.local(key) if key.startswith(("odrl:", _NAMESPACE)) else key, value) for key, value in body.items()]
    return _once_or_error(pairs)


def _once_or_error(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    try:
        return _once(pairs)
    except ValueError as error:
        raise ProtocolError(f"the policy is ambiguous: {error}") from None


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """Return a value as text: a literal, ``{"@value": …}`` or ``{"@id": …}``; anything else in JSON, so that it matches nothing."""
    if isinstance(value, Mapping):
        for key in ("@value", "@id", "uid"):
            if key in value:
                return _text(value[key])
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    return text[:80] + ("…" if len(text) > 80 else "")
