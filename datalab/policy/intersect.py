"""The terms of several sources as one policy: what all of them permit, what any of them forbids or demands.

This is what a release carries on: data that is made of several sources inherits the strictest of their terms. The result answers at every
door what the sources answer together (a test holds it to that).
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from datalab.model.agreement import Agreement
from datalab.model.policy import Constraint, Duty, Policy, Rule
from datalab.policy import terms
from datalab.policy.moments import after, interval, rfc3339

_MOST, _PAIRS = 256, 65_536
_UPPER, _LOWER = frozenset(("lt", "lteq")), frozenset(("gt", "gteq"))
_NAMES = {frozenset(granted): name for name, granted in reversed(terms.GRANTED.items())}


def since(policy: Policy, agreed_at: dt.datetime | None) -> Policy:
    """Return the policy with times that count from the agreement as dates, so that they mean the same to whoever reads on."""
    if agreed_at is None:
        return policy

    def dated(rule: Rule) -> Rule:
        return Rule(rule.action, _dated(rule.constraints, agreed_at), tuple(map(due, rule.duties)))

    def due(duty: Duty) -> Duty:
        return replace(duty, constraints=_dated(duty.constraints, agreed_at))

    return replace(
        policy,
        permissions=tuple(map(dated, policy.permissions)),
        prohibitions=tuple(map(dated, policy.prohibitions)),
        obligations=tuple(map(due, policy.obligations)),
    )


def carried(agreements: Sequence[Agreement], identifier: str = "") -> Policy:
    """Return the terms that a release under these agreements carries on, as one policy named ``identifier``."""
    moments = (interval(agreement.agreed_at) for agreement in agreements)
    dated = [
        since(agreement.policy, bounds[0] if bounds else None) for agreement, bounds in zip(agreements, moments, strict=True)
    ]
    return intersect(dated, identifier)


def intersect(policies: Sequence[Policy], identifier: str = "") -> Policy:
    """Return one policy that permits what all of ``policies`` permit; of none it permits nothing. Its text is its ODRL in JSON."""
    rules: list[Rule] = list(policies[0].permissions) if policies else []
    unknown = [part for policy in policies for part in policy.unknown]
    for policy in policies[1:]:
        if len(rules) * len(policy.permissions) > _PAIRS:
            rules, unknown = [], [*unknown, f"more than {_PAIRS} pairs of permissions"]
        rules = list(dict.fromkeys(_both(*pair) for pair in itertools.product(rules, policy.permissions) if _meet(*pair)))
        if len(rules) > _MOST:
            rules, unknown = [], [*unknown, f"more than {_MOST} alternatives together"]
    whole = Policy(
        id=identifier,
        permissions=tuple(replace(rule, constraints=_strictest(rule.constraints)) for rule in rules),
        prohibitions=tuple(dict.fromkeys(rule for policy in policies for rule in policy.prohibitions)),
        obligations=tuple(dict.fromkeys(duty for policy in policies for duty in policy.obligations)),
        unknown=tuple(dict.fromkeys(unknown)),
    )
    return replace(whole, verbatim=json.dumps(as_odrl(whole), ensure_ascii=False))


def as_odrl(policy: Policy) -> dict[str, Any]:
    """Return a policy as ODRL in JSON-LD. What could not be read stands in it as a prohibition of all use."""
    prohibitions = [_rule(rule, "remedy") for rule in policy.prohibitions]
    if policy.unknown:
        prohibitions.append({"action": "use"})
    parts = {
        "permission": [_rule(rule, "duty") for rule in policy.permissions],
        "prohibition": prohibitions,
        "obligation": [_duty(duty) for duty in policy.obligations],
    }
    return {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Set",
        **({"@id": policy.id} if policy.id else {}),
        **{key: value for key, value in parts.items() if value},
    }


def _meet(one: Rule, other: Rule) -> str:
    """Return the action that both rules grant, "" where there is none that the lab knows."""
    names = terms.action_name(one.action), terms.action_name(other.action)
    if names[0] == names[1]:
        return one.action
    return _NAMES.get(terms.GRANTED.get(names[0], frozenset()) & terms.GRANTED.get(names[1], frozenset()), "")


def _both(one: Rule, other: Rule) -> Rule:
    constraints = tuple(dict.fromkeys((*one.constraints, *other.constraints)))
    return Rule(_meet(one, other), constraints, tuple(dict.fromkeys((*one.duties, *other.duties))))


def _strictest(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Leave out of several limits of time or number those that a stricter one contains."""
    kept: list[Constraint] = []
    for item in constraints:
        for place, other in enumerate(kept):
            if (stricter := _stricter(item, other)) is not None:
                kept[place] = stricter
                break
        else:
            kept.append(item)
    return tuple(dict.fromkeys(kept))


def _stricter(one: Constraint, other: Constraint) -> Constraint | None:
    limits = _limit(one), _limit(other)
    if one.left != other.left or None in limits or one.operator != other.operator:
        return None
    if one.operator in _UPPER:
        return one if limits[0] < limits[1] else other
    if one.operator in _LOWER:
        return one if limits[0] > limits[1] else other
    return None


def _limit(constraint: Constraint) -> Any:
    if len(constraint.right) != 1:
        return None
    value = constraint.right[0]
    if constraint.left == terms.COUNT:
        return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None
    bounds = interval(value) if constraint.left == terms.DATE_TIME else None
    return bounds and bounds[1 if constraint.operator in {"lteq", "gt"} else 0]


def _dated(constraints: Iterable[Constraint], agreed_at: dt.datetime) -> tuple[Constraint, ...]:
    made = []
    for item in constraints:
        end = after(agreed_at, item.right[0]) if item.left == terms.ELAPSED and len(item.right) == 1 else None
        made.append(Constraint(terms.DATE_TIME, item.operator, (rfc3339(end),)) if end else item)
    return tuple(made)


def _rule(rule: Rule, duties: str) -> dict[str, Any]:
    whom = [item for item in rule.constraints if item.left == terms.ASSIGNEE]
    whom = whom if len(whom) == 1 else []  # several assignees mean any of them: that all must hold can only be a constraint
    rest = [_constraint(item) for item in rule.constraints if item not in whom]
    return {
        "action": _action(rule.action),
        **({"assignee": [{"@id": name} for item in whom for name in item.right]} if whom else {}),
        **({"constraint": rest} if rest else {}),
        **({duties: [_duty(duty) for duty in rule.duties]} if rule.duties else {}),
    }


def _duty(duty: Duty) -> dict[str, Any]:
    key = "attributedParty" if terms.action_name(duty.action) in terms.ATTRIBUTE else "informedParty"
    return {
        "action": _action(duty.action),
        **({"constraint": [_constraint(item) for item in duty.constraints]} if duty.constraints else {}),
        **({key: duty.party} if duty.party else {}),
        **({"consequence": [_duty(item) for item in duty.consequences]} if duty.consequences else {}),
    }


def _action(name: str) -> str:
    return f"http://simpl.eu/odrl/actions/{name}" if name in {"search", "consume"} else name


def _constraint(item: Constraint) -> Mapping[str, Any]:
    right: Any = list(item.right) if len(item.right) != 1 else item.right[0]
    left = f"https://w3id.org/catenax/policy/{item.left}" if item.left in terms.OPAQUE else item.left
    return {"leftOperand": left, "operator": item.operator, "rightOperand": right}
