"""A policy in words, for people who decide and for TERMS.md, and the moment at which it stops permitting."""

from __future__ import annotations

import datetime as dt
import re

from datalab.model.policy import Constraint, Policy, Rule
from datalab.policy import terms
from datalab.policy.conditions import unreadable
from datalab.policy.deletion import deletion
from datalab.policy.duties import deadline, duty_in_words
from datalab.policy.moments import interval, rfc3339
from datalab.policy.places import EEA, EU, countries, region
from datalab.policy.purposes import DPV, codes, purpose_iri
from datalab.policy.unknown import MOST, unknown_parts

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
    "share": "share the data",
    "sharing": "share the data",
    "search": "find the data in a catalogue",
}
_COMPARED = {
    "lt": "is less than",
    "lteq": "is at most",
    "gt": "is more than",
    "gteq": "is at least",
}
_LEFT = {
    terms.PURPOSE: "the purpose",
    terms.SPATIAL: "the place where the data stands",
    terms.DATE_TIME: "the date",
    terms.RECIPIENT: "the recipient",
    terms.ASSIGNEE: "the lab",
    terms.ELAPSED: "the time since the agreement",
    terms.COUNT: "the number of uses",
    terms.DELETION: "the data is deleted:",
    "FrameworkAgreement": "the framework agreement that the lab accepts",
    "UsagePurpose": "the usage purpose that the lab accepts",
    "Membership": "the lab's membership",
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


def explain(policy: Policy) -> list[str]:
    """Return the terms as sentences, with what a reader must know to act on them: what is left out, what to delete, what to vouch for."""
    sentences = in_words(policy)
    granted = {name for rule in policy.permissions for name in terms.GRANTED.get(terms.action_name(rule.action), ())}
    forbidden = {name for rule in policy.prohibitions for name in terms.FORBIDDEN.get(terms.action_name(rule.action), ())}
    if terms.DISTRIBUTE not in granted | forbidden:
        sentences.append("Nothing permits passing the data on.")
    if deletion(policy).after_use and not any("elete the data after use" in sentence for sentence in sentences):
        sentences.append("The data must be deleted after use.")
    vouchable = [part.term for part in unknown_parts(policy) if part.vouchable]
    sentences += [f"A steward may vouch for: {term}." for term in vouchable[:MOST]]
    if not valid_until(policy):
        elapsed = any(item.left == terms.ELAPSED for rule in policy.permissions for item in rule.constraints)
        sentences.append("The terms end some time after the agreement." if elapsed else "The terms set no end.")
    return sentences


def in_words(policy: Policy) -> list[str]:
    """Return the terms as sentences: what is permitted, what is prohibited, what must be done, what cannot be read."""
    sentences = [f"You may {_action(rule)}{_conditions(rule.constraints)}." for rule in policy.permissions]
    if not sentences:
        sentences = ["Nothing is permitted."]
    for rule in policy.prohibitions:
        sentences.append(f"You must not {_action(rule)}{_conditions(rule.constraints)}.")
        sentences += [f"Where that was broken: {duty_in_words(duty)}" for duty in rule.duties]
    duties = (*policy.obligations, *(duty for rule in policy.permissions for duty in rule.duties))
    sentences += [f"Duty: {duty_in_words(duty)}" for duty in duties]
    unknown = unknown_parts(policy)
    sentences += [
        f"The terms contain {part.term}, which this lab cannot evaluate; so they permit nothing." for part in unknown[:MOST]
    ]
    if len(unknown) > MOST:
        sentences.append(f"The terms contain {len(unknown) - MOST} more parts that this lab cannot evaluate.")
    if end := valid_until(policy):
        sentences.append(f"The terms end at {end}.")
    return list(dict.fromkeys(sentences))


def valid_until(policy: Policy, agreed_at: dt.datetime | None = None) -> str:
    """Return the first moment (RFC 3339, UTC) at which the policy permits no more reading, "" where it sets no end.

    Counted are the dates of permissions that let the lab read (the latest of them), dates from which a prohibition
    forbids reading whatever the purpose, and dates by which the data must be deleted. Times that count from the agreement
    need ``agreed_at``.
    """
    ends: list[dt.datetime] = []
    reading = [rule for rule in policy.permissions if terms.READ in terms.GRANTED.get(terms.action_name(rule.action), ())]
    permitted = [_end(rule, agreed_at) for rule in reading]
    if permitted and None not in permitted:
        ends.append(max(end for end in permitted if end))
    for rule in policy.prohibitions:
        named = terms.FORBIDDEN.get(terms.action_name(rule.action), frozenset())
        if terms.READ in named and len(rule.constraints) == 1 and (start := _start(rule.constraints[0])):
            ends.append(start)
    ends += [
        end
        for duty in policy.obligations
        if terms.action_name(duty.action) == terms.DELETE and (end := deadline(duty.constraints, agreed_at, deleting=True))
    ]
    return rfc3339(min(ends)) if ends else ""


def _end(rule: Rule, agreed_at: dt.datetime | None) -> dt.datetime | None:
    ends = [deadline(rule.constraints, agreed_at)]
    ends += [
        deadline(duty.constraints, agreed_at, deleting=True)
        for duty in rule.duties
        if terms.action_name(duty.action) == terms.DELETE
    ]
    return min((end for end in ends if end), default=None)


def _start(constraint: Constraint) -> dt.datetime | None:
    if constraint.left != terms.DATE_TIME or unreadable(constraint) or constraint.operator not in {"gt", "gteq"}:
        return None
    bounds = interval(constraint.right[0])
    return bounds and bounds[1 if constraint.operator == "gt" else 0]


def _action(rule: Rule) -> str:
    return _ACTIONS.get(terms.action_name(rule.action), f"do '{terms.shown(rule.action)}'")


def _conditions(constraints: tuple[Constraint, ...]) -> str:
    if not constraints:
        return ""
    return ", if " + " and ".join(_condition(item) for item in constraints)


def _condition(item: Constraint) -> str:
    left = _LEFT.get(item.left, terms.shown(item.left))
    compared = _COMPARED if item.left in {terms.ELAPSED, terms.COUNT} else {}
    operator = compared.get(item.operator) or _OPERATORS.get(item.operator, terms.shown(item.operator))
    if item.left == terms.DELETION and item.operator == "eq":
        operator = ""
    values = " or ".join(_value(item.left, value) for value in item.right)
    return " ".join(part for part in (left, operator, values) if part)


def _value(left: str, value: str) -> str:
    """Return a purpose or place as people say it, with its code where the words are ours."""
    if left == terms.PURPOSE and purpose_iri(value) in codes():
        name = purpose_iri(value).removeprefix(DPV)
        return f"{' '.join(_WORD.findall(name)).lower()} (dpv:{name})"
    if left == terms.SPATIAL and (found := countries(value)):
        return {EU: "the European Union", EEA: "the European Economic Area"}.get(found) or ", ".join(sorted(found))
    if left == terms.SPATIAL and (code := region(value)):
        return f"the region {code} (NUTS)"
    if left == terms.DELETION:
        return value.replace("_", " ")
    return terms.shown(value)
