"""Reading ODRL 2.2 into the small profile of `datalab.model.policy`: as the Dataspace Protocol, EDC, Catena-X and Simpl-Open write it.

What cannot be read with certainty is named in ``Policy.unknown``, and then every decision is a no. ``and`` and ``or`` become
several rules (disjunctive normal form); ``xone`` does where each operand has an exact opposite.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.policy import Constraint, Duty, Policy, Rule
from datalab.policy import terms
from datalab.policy.jsonld import document, items, keys, odd_context, short, text_of

_MAX_ALTERNATIVES = 64
_MAX_RULES = 1000
_MAX_CONDITIONS = 4000
_MAX_READINGS = 4096
"""So many rules may come of actions and alternatives: what a policy says in a megabyte must not take a gigabyte to hold."""
_NAMESPACE = "http://www.w3.org/ns/odrl/2/"
_PROFILES = {
    "", _NAMESPACE, _NAMESPACE + "core", _NAMESPACE + "odrl.jsonld", "http://www.w3.org/ns/odrl.jsonld", "cx-policy:profile2405",
    "https://w3id.org/catenax/2025/9/policy/profile2509", "https://w3id.org/catenax/policy/profile2405",
}  # fmt: skip
_POLICY_KEYS = {
    "@context", "@type", "@id", "uid", "target", "assigner", "assignee", "timestamp", "profile", "conflict",
    "permission", "prohibition", "obligation", "dspace:timestamp", "dspace:consumerId", "dspace:providerId",
}  # fmt: skip
_RULE_KEYS = {"@type", "@id", "uid", "target", "assigner", "assignee", "action", "constraint"}
_DUTY_KEYS = {*_RULE_KEYS, "consequence", "attributedParty", "informedParty"}
_CONSTRAINT_KEYS = {"@type", "@id", "uid", "leftOperand", "operator", "rightOperand", "dataType"}
_TYPES = {
    "the policy": {"Offer", "Set", "Agreement", "Policy"},
    "a permission": {"Permission", "Rule"},
    "a prohibition": {"Prohibition", "Rule"},
    "a constraint": {"Constraint", "AtomicConstraint", "LogicalConstraint"},
}
_DUTY_TYPES = {"Duty", "Obligation", "Rule"}
_XSD = ("xsd:", "http://www.w3.org/2001/XMLSchema#")
_LOGICAL = ("and", "or", "xone", "andSequence")

Alternatives = list[tuple[Constraint, ...]]
"""A condition as alternatives: it holds where all constraints of one of them hold."""


def parse(text: str) -> Policy:
    """Read the JSON text of an offer, agreement or set; raise ``ProtocolError`` where it is not a JSON object with rules."""
    body = keys(document(text))
    reader = _Reader(text_of(body.get("target")))
    reader.only(body, _POLICY_KEYS, "the policy")
    for part in odd_context(body.get("@context")):
        reader.note(part)
    for profile in items(body.get("profile")):
        if text_of(profile) not in _PROFILES:
            reader.note(f"profile {terms.shown(text_of(profile))!r}")
    if terms.local(text_of(body.get("conflict"))) not in {"", "prohibit", "perm"}:
        reader.note(f"conflict strategy {terms.shown(text_of(body.get('conflict')))!r}")
    # An offer's assignee narrows whom it is for; an agreement's is who concluded it, which its connector has checked.
    concluded = terms.local(text_of(body.get("@type"))) == "Agreement"
    parties = () if concluded else reader.assignees(body.get("assignee"))
    permissions = reader.rules(body.get("permission"), "permission", parties)
    prohibitions = reader.rules(body.get("prohibition"), "prohibition", parties)
    obligations = reader.duties(body.get("obligation"), "obligation")
    if not (permissions or prohibitions or obligations or reader.unknown):
        raise ProtocolError("the policy has neither a permission nor a prohibition", where=short(text))
    return Policy(
        id=text_of(body.get("@id") or body.get("uid")),
        permissions=permissions,
        prohibitions=prohibitions,
        obligations=obligations,
        unknown=tuple(reader.unknown),
        vouchable=tuple(part for part, vouchable in reader.unknown.items() if vouchable),
        verbatim=text,
    )


class _Reader:
    """Collects what cannot be read while the rest is; ``unknown`` says of each part whether a steward may vouch for it."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.unknown: dict[str, bool] = {}
        self.number = 0
        self.conditions_read = 0
        self.readings = 0

    def note(self, part: str, *, vouchable: bool = False) -> None:
        self.unknown[part] = self.unknown.get(part, True) and vouchable

    def only(self, body: Mapping[str, Any], known: set[str], where: str) -> None:
        """Note keys that are not known, and a type that contradicts the place where the object stands."""
        for key in body:
            if key not in known:
                self.note(f"{terms.shown(key)!r} in {where}")
        kind = "a constraint" if where.startswith("a constraint") else where
        for item in items(body.get("@type")):
            if terms.local(text_of(item)) not in _TYPES.get(kind, _DUTY_TYPES):
                self.note(f"the type {terms.shown(text_of(item))!r} of {where}")

    def rules(self, value: Any, kind: str, parties: tuple[Constraint, ...]) -> tuple[Rule, ...]:
        found: list[Rule] = []
        for item in items(value):
            if (body := self._object(item, f"a {kind}")) is None:
                continue
            extra = "remedy" if kind == "prohibition" else "duty"
            self.only(body, _RULE_KEYS | {extra, "remedy"}, f"a {kind}")
            self._same_target(body.get("target"), kind)
            duties = self.duties(body.get("duty"), "duty") + self.duties(body.get("remedy"), "remedy")
            whom = parties + self.assignees(body.get("assignee"))
            alternatives = self.conditions(body.get("constraint"), f"a {kind}")
            for action, refinements in self.actions(body.get("action"), kind):
                if not self._room(len(refinements) * len(alternatives)):
                    break
                found += [Rule(action, whom + fine + one, duties) for fine in refinements for one in alternatives]
        return tuple(found)

    def duties(self, value: Any, kind: str) -> tuple[Duty, ...]:
        found: list[Duty] = []
        for item in items(value):
            if (body := self._object(item, f"a {kind}")) is None:
                continue
            self.only(body, _DUTY_KEYS, f"a {kind}")
            alternatives = self.conditions(body.get("constraint"), f"a {kind}")
            party = text_of(body.get("attributedParty") or body.get("informedParty"))
            consequences = self.duties(body.get("consequence"), "consequence")
            for action, refinements in self.actions(body.get("action"), kind):
                if not self._room(1):
                    break
                if len(alternatives) != 1 or len(refinements) != 1:
                    self.note(f"alternatives in a {kind}")
                found.append(Duty(action, alternatives[0] + refinements[0], party, consequences))
        return tuple(found)

    def assignees(self, value: Any) -> tuple[Constraint, ...]:
        """Return who a rule is for, as a constraint on the lab itself; a collection is the group of its name."""
        named = []
        for item in items(value):
            body = keys(item) if isinstance(item, Mapping) else {}
            if "refinement" in body:
                self.note("a refinement of the assignee")
            if set(body) - {"@id", "uid", "@type", "role", "source", "refinement"}:
                self.note("an assignee with more than a name")
            name = body.get("@id", body.get("uid", body.get("source"))) if body else item
            named.append(text_of(name))
        return (Constraint(terms.ASSIGNEE, "isAnyOf", tuple(named)),) if named else ()

    def actions(self, value: Any, kind: str) -> list[tuple[str, Alternatives]]:
        """Return the actions, each with its refinements as a condition."""
        found: list[tuple[str, Alternatives]] = []
        for item in items(value):
            name, fine = item if isinstance(item, str) else "", None
            if isinstance(item, Mapping):
                body = keys(item)
                inner = body.get("rdf:value", body.get("value"))
                if set(item) == {"@id"}:
                    name = text_of(item)
                elif inner is not None and set(body) <= {"rdf:value", "value", "refinement"} and len(body) == 2:
                    name, fine = text_of(inner), body.get("refinement")
            if name.strip():
                found.append((terms.local(name), self.conditions(fine, f"a {kind}")))
            else:
                self.note(f"an action that is not a name, in a {kind}")
        if not found:
            self.note(f"a {kind} without an action")
        return found

    def conditions(self, value: Any, where: str) -> Alternatives:
        return self._all((self._condition(item, where) for item in items(value)), where)

    def _object(self, item: Any, what: str) -> dict[str, Any] | None:
        self.number += 1
        if self.number > _MAX_RULES:
            self.note(f"more than {_MAX_RULES} rules and duties")
            return None
        if not isinstance(item, Mapping):
            self.note(f"{what} that is not an object")
            return None
        return keys(item)

    def _same_target(self, value: Any, kind: str) -> None:
        for item in items(value):
            target = text_of(item)
            if self.target and target != self.target:
                self.note(f"a {kind} for another target, {terms.shown(target)!r}")
            self.target = self.target or target

    def _all(self, parts: Iterable[Alternatives], where: str) -> Alternatives:
        whole: Alternatives = [()]
        for part in parts:
            if len(whole) * len(part) > _MAX_ALTERNATIVES:
                self.note(f"a condition with more than {_MAX_ALTERNATIVES} alternatives, in {where}")
                return [()]
            whole = [left + right for left, right in itertools.product(whole, part)]
        return whole

    def _room(self, number: int) -> bool:
        self.readings += number
        if self.readings > _MAX_READINGS:
            self.note(f"more than {_MAX_READINGS} alternatives of rules and duties")
        return self.readings <= _MAX_READINGS

    def _condition(self, value: Any, where: str) -> Alternatives:
        self.conditions_read += 1
        if self.conditions_read > _MAX_CONDITIONS:
            self.note(f"more than {_MAX_CONDITIONS} conditions")
            return [()]
        if not isinstance(value, Mapping):
            self.note(f"a constraint that is not an object, in {where}")
            return [()]
        body = keys(value)
        logical = [name for name in body if name in _LOGICAL]
        if not logical:
            return [(self._atomic(body, where),)]
        operands = items(body[logical[0]])
        if len(logical) > 1 or not operands or set(body) - {*_LOGICAL, "@type", "@id", "uid"}:
            self.note(f"logical constraint {' and '.join(logical)!r} in {where}")
            return [()]
        self.only(body, set(body), f"a constraint of {where}")
        parts = [self._condition(item, where) for item in operands]
        if logical[0] == "or":
            alternatives = list(itertools.chain.from_iterable(parts))
            return alternatives if len(alternatives) <= _MAX_ALTERNATIVES else self._all([alternatives], where)
        if logical[0] == "xone":
            return self._exactly_one(parts, value, where)
        if logical[0] == "andSequence":  # that all hold can be measured, in which order they came to hold cannot
            self._unmeasured("andSequence", value, where)
        return self._all(parts, where)

    def _exactly_one(self, parts: Sequence[Alternatives], value: Any, where: str) -> Alternatives:
        if len(parts) > _MAX_ALTERNATIVES:
            self.note(f"a condition with more than {_MAX_ALTERNATIVES} alternatives, in {where}")
            return [()]
        atoms = [part[0][0] for part in parts if len(part) == 1 and len(part[0]) == 1]
        if len(atoms) != len(parts) or any(_opposite(atom) is None for atom in atoms):
            self._unmeasured("xone", value, where)  # that one holds is still measured
            return self._all([list(itertools.chain.from_iterable(parts))], where)
        return [
            tuple(atom if place == chosen else _opposite(atom) or atom for place, atom in enumerate(atoms))
            for chosen in range(len(atoms))
        ]

    def _unmeasured(self, name: str, value: Any, where: str) -> None:
        digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
        self.note(f"logical constraint {name!r} in {where} (sha256:{digest})", vouchable=where == "a permission")

    def _atomic(self, body: Mapping[str, Any], where: str) -> Constraint:
        self.only(body, _CONSTRAINT_KEYS, f"a constraint of {where}")
        if (kind := text_of(body.get("dataType"))) and not kind.startswith(_XSD):
            self.note(f"the data type {terms.shown(kind)!r} in a constraint of {where}")
        right = tuple(text_of(item) for item in items(body.get("rightOperand")))
        return Constraint(terms.local(text_of(body.get("leftOperand"))), terms.local(text_of(body.get("operator"))), right)


def _opposite(constraint: Constraint) -> Constraint | None:
    operator = terms.OPPOSITE.get(constraint.operator)
    return Constraint(constraint.left, operator, constraint.right) if operator else None
