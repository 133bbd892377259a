"""A policy in words, for TERMS.md, and the moment at which it stops permitting."""

from __future__ import annotations

import datetime as dt
import re

from datalab.model.policy import Constraint, Policy, Rule
from datalab.policy import terms
from datalab.policy.conditions import unreadable
from datalab.policy.doors import deadline, duty_in_words
from datalab.policy.moments import interval, rfc3339
from datalab.policy.places import EEA, EU, countries
from datalab.policy.purposes import DPV, codes, purpose_iri

_WORD = re.compile(r"[A-Z]+[a-z]*")
_ACTIONS = {
    "use": "use the data",
    "consume": "use the data",
    "read": "read the data",
    "derive": "make derived data",
    "distribute": "pass the data on",
    "anonymize": "anonymise the data",
    "reproduce": "copy the data",
    "commercialize": "use the data commercially",
    "commercialuse": "use the data commercially",
    "sell": "sell the data",
}
_LEFT = {
    terms.PURPOSE: "the purpose",
    terms.SPATIAL: "the place where the data stands",
    terms.DATE_TIME: "the date",
    terms.RECIPIENT: "the recipient",
}
_OPERATORS = {
    "eq": "is",
    "neq": "is not",
    "isA": "is a kind of",
    "isAnyOf": "is one of",
    "isNoneOf": "is none of",
    "isPartOf": "lies within",
    "lt": "is before",
    "lteq": "is not after",
    "gt": "is after",
    "gteq": "is not before",
}


def in_words(policy: Policy) -> list[str]:
    """Return the terms as sentences: what is permitted, what is prohibited, what must be done, what cannot be read."""
    sentences = [f"You may {_action(rule)}{_conditions(rule.constraints)}." for rule in policy.permissions]
    if not sentences:
        sentences = ["Nothing is permitted."]
    sentences += [f"You must not {_action(rule)}{_conditions(rule.constraints)}." for rule in policy.prohibitions]
    duties = (*policy.obligations, *(duty for rule in policy.permissions for duty in rule.duties))
    sentences += [f"Duty: {duty_in_words(duty)}" for duty in duties]
    sentences += [
        f"The terms contain {part}, which this lab cannot evaluate; so they permit nothing." for part in policy.unknown
    ]
    if end := valid_until(policy):
        sentences.append(f"The terms end at {end}.")
    return list(dict.fromkeys(sentences))


def valid_until(policy: Policy) -> str:
    """Return the first moment (RFC 3339, UTC) at which the policy permits no more reading, "" where it sets no end.

    Counted are the dates of permissions that let the lab read (the latest of them), dates from which a prohibition
    forbids reading whatever the purpose, and dates by which the data must be deleted.
    """
    ends: list[dt.datetime] = []
    reading = [rule for rule in policy.permissions if terms.READ in terms.GRANTED.get(terms.action_name(rule.action), ())]
    permitted = [_end(rule) for rule in reading]
    if permitted and None not in permitted:
        ends.append(max(end for end in permitted if end))
    for rule in policy.prohibitions:
        named = terms.FORBIDDEN.get(terms.action_name(rule.action), frozenset())
        if terms.READ in named and len(rule.constraints) == 1 and (start := _start(rule.constraints[0])):
            ends.append(start)
    ends += [
        end
        for duty in policy.obligations
        if terms.action_name(duty.action) == terms.DELETE and (end := deadline(duty.constraints))
    ]
    return rfc3339(min(ends)) if ends else ""


def _end(rule: Rule) -> dt.datetime | None:
    ends = [deadline(rule.constraints)]
    ends += [deadline(duty.constraints) for duty in rule.duties if terms.action_name(duty.action) == terms.DELETE]
    return min((end for end in ends if end), default=None)


def _start(constraint: Constraint) -> dt.datetime | None:
    if constraint.left != terms.DATE_TIME or unreadable(constraint) or constraint.operator not in {"gt", "gteq"}:
        return None
    bounds = interval(constraint.right[0])
    return bounds and bounds[1 if constraint.operator == "gt" else 0]


def _action(rule: Rule) -> str:
    return _ACTIONS.get(terms.action_name(rule.action), f"do '{rule.action}'")


def _conditions(constraints: tuple[Constraint, ...]) -> str:
    if not constraints:
        return ""
    phrases = [
        f"{_LEFT.get(item.left, item.left)} {_OPERATORS.get(item.operator, item.operator)} "
        + " or ".join(_value(item.left, value) for value in item.right)
        for item in constraints
    ]
    return ", if " + " and ".join(phrases)


def _value(left: str, value: str) -> str:
    """Return a purpose or place as people say it, with its code where the words are ours."""
    if left == terms.PURPOSE and purpose_iri(value) in codes():
        name = purpose_iri(value).removeprefix(DPV)
        return f"{' '.join(_WORD.findall(name)).lower()} (dpv:{name})"
    if left == terms.SPATIAL and (found := countries(value)):
        return {EU: "the European Union", EEA: "the European Economic Area"}.get(found) or ", ".join(sorted(found))
    return value
