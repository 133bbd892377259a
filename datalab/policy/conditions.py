"""Whether one constraint holds for an intent at a moment.

What is not known counts against the lab: it leaves a permission unfulfilled and a prohibition in force.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from datalab.model.agreement import Intent
from datalab.model.policy import Constraint
from datalab.policy import terms
from datalab.policy.moments import interval
from datalab.policy.places import countries, country
from datalab.policy.purposes import COMMERCIAL, NON_COMMERCIAL, broader, codes, purpose_iri

_SINGLE = frozenset(("eq", "neq", "lt", "lteq", "gt", "gteq"))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the constraints are measured against: the intent, the moment (UTC), and who receives the data."""

    intent: Intent
    moment: dt.datetime
    recipient: str


def is_commercial(intent: Intent) -> bool:
    """Whether the intent is commercial, by its flag or by its purpose."""
    return intent.commercial or COMMERCIAL in broader(intent.purpose)


def written(constraint: Constraint) -> str:
    """Return the constraint as one phrase that names the term, for reasons."""
    return f"{constraint.left} {constraint.operator} {', '.join(constraint.right) or '(nothing)'}"


def unreadable(constraint: Constraint) -> str | None:
    """Return what of a constraint cannot be measured, or None."""
    operators = terms.OPERATORS.get(constraint.left)
    if operators is None:
        return f"left operand {constraint.left!r}"
    if constraint.operator not in operators:
        return f"operator {constraint.operator!r} for {constraint.left!r}"
    if not constraint.right or not all(item.strip() for item in constraint.right):
        return f"empty right operand of {constraint.left!r}"
    if constraint.operator in _SINGLE and len(constraint.right) > 1:
        return f"several right operands of {constraint.operator!r} for {constraint.left!r}"
    if constraint.left == terms.DATE_TIME and interval(constraint.right[0]) is None:
        return f"date {', '.join(constraint.right)!r}"
    if constraint.left == terms.SPATIAL:
        for place in constraint.right:
            if countries(place) is None:
                return f"place {place!r}"
    return None


def holds(constraint: Constraint, now: Circumstances, *, forbidding: bool) -> tuple[bool, str]:
    """Return whether a readable constraint holds and what it was measured against, as a phrase.

    ``forbidding`` says that it stands in a prohibition, where doubt makes it hold; elsewhere doubt makes it fail.
    """
    return _MEASURES[constraint.left](constraint, now, forbidding)


def _purpose(constraint: Constraint, now: Circumstances, forbidding: bool) -> tuple[bool, str]:
    """Measure every purpose of the intent; narrower purposes count for isA and isAnyOf (DPV guide to ODRL).

    A permission must cover all purposes of the intent, a prohibition catches any of them. A purpose outside the known codes,
    on either side, may be a kind of anything: it counts as covered wherever that leads to a no.
    """
    intent = now.intent
    if not intent.purpose.strip():
        return forbidding, "the intent names no purpose"
    stated = purpose_iri(intent.purpose)
    declared = {stated} | ({COMMERCIAL} if intent.commercial else set())
    named = {purpose_iri(item) for item in constraint.right}
    said = "the purpose is " + " and ".join(sorted(declared))
    negative = constraint.operator in {"neq", "isNoneOf"}
    # The reading that hurts: narrower purposes count where they forbid, not where "eq" would permit.
    hurts = forbidding != negative
    with_narrower = constraint.operator in {"isA", "isAnyOf"} or hurts
    unknown = sorted((declared | named) - codes())
    if hurts and unknown:
        said += f" (and what {' and '.join(unknown)} is a kind of is not known here)"

    def covered(purpose: str) -> bool:
        if hurts and ({purpose} | named) - codes():
            return True
        if hurts and purpose == stated and any(purpose in broader(item) for item in named):
            return True  # the stated purpose leaves open whether it is the one that is forbidden
        kinds = broader(purpose) if with_narrower else frozenset((purpose,))
        if with_narrower and not is_commercial(intent):
            kinds |= {NON_COMMERCIAL}
        return bool(kinds & named)

    results = [covered(purpose) != negative for purpose in sorted(declared)]
    return (any(results) if forbidding else all(results)), said


def _spatial(constraint: Constraint, now: Circumstances, forbidding: bool) -> tuple[bool, str]:
    where = country(now.intent.territory)
    if where is None:
        territory = now.intent.territory
        return (
            forbidding,
            f"the territory {territory!r} is not one known country" if territory else "the intent names no territory",
        )
    inside = any(where in (countries(place) or ()) for place in constraint.right)
    return inside != (constraint.operator in {"neq", "isNoneOf"}), f"the data would stand in {where}"


def _date_time(constraint: Constraint, now: Circumstances, _forbidding: bool) -> tuple[bool, str]:
    bounds = interval(constraint.right[0])
    assert bounds is not None
    start, end = bounds
    moment = now.moment.astimezone(dt.UTC)
    result = {
        "lt": moment < start,
        "lteq": moment < end,
        "gt": moment >= end,
        "gteq": moment >= start,
        "eq": start <= moment < end,
        "neq": not start <= moment < end,
    }[constraint.operator]
    return result, f"the moment is {moment.isoformat(timespec='seconds')}"


def _recipient(constraint: Constraint, now: Circumstances, forbidding: bool) -> tuple[bool, str]:
    if not now.recipient:
        return forbidding, "the intent names no recipient"
    named = now.recipient in constraint.right
    return named != (constraint.operator in {"neq", "isNoneOf"}), f"the recipient is {now.recipient}"


_MEASURES: dict[str, Callable[[Constraint, Circumstances, bool], tuple[bool, str]]] = {
    terms.PURPOSE: _purpose,
    terms.SPATIAL: _spatial,
    terms.DATE_TIME: _date_time,
    terms.RECIPIENT: _recipient,
}
