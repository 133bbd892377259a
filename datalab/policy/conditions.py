"""Whether one constraint holds for an intent at a moment, what it was measured against, and what would change the answer.

What is not known counts against the lab: it leaves a permission unfulfilled and a prohibition in force.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from datalab.model.agreement import Intent
from datalab.model.decision import Door
from datalab.model.policy import Constraint
from datalab.policy import terms
from datalab.policy.facts import Facts, Standing
from datalab.policy.moments import after, interval, rfc3339
from datalab.policy.places import is_place, stands_in
from datalab.policy.purposes import COMMERCIAL, NON_COMMERCIAL, broader, codes, purpose_iri

_SINGLE = frozenset(("eq", "neq", "lt", "lteq", "gt", "gteq"))
_NEGATIVE = frozenset(("neq", "isNoneOf"))
_NUMBER = re.compile(r"[0-9]{1,9}")
_ONE_PARTY = re.compile(r"did:[a-z0-9]+:.+|BPN[LSA][0-9A-Z]{12}")
_Ordered = TypeVar("_Ordered", dt.datetime, int)
_INSTANT = dt.timedelta.resolution
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What constraints are measured against: the intent, the moment (UTC), who receives the data, the door, the agreement."""

    intent: Intent
    moment: dt.datetime
    recipient: str
    door: Door
    facts: Facts
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True, slots=True)
class Measured:
    """Whether a constraint holds; ``found`` is a phrase about what is, ``next`` one about what would be permitted."""

    holds: bool
    found: str
    next: str


def is_commercial(intent: Intent) -> bool:
    """Whether the intent is commercial, by its flag or by its purpose."""
    return intent.commercial or COMMERCIAL in broader(intent.purpose)


def written(constraint: Constraint) -> str:
    """Return the constraint as one phrase that names the term, for reasons."""
    right = ", ".join(terms.shown(item) for item in constraint.right) or "(nothing)"
    left = "'assignee'" if constraint.left == terms.ASSIGNEE else terms.shown(constraint.left)
    return terms.shown(f"{left} {terms.shown(constraint.operator)} {right}".strip())


def unreadable(constraint: Constraint) -> str | None:
    """Return what of a constraint cannot be measured, with the constraint itself, or None."""
    if (what := _unreadable(constraint)) is None:
        return None
    return f"{what} ({written(constraint)})"


def _unreadable(constraint: Constraint) -> str | None:
    left, right = constraint.left, constraint.right
    operators = terms.OPERATORS.get(left)
    if operators is None:
        return f"left operand {terms.shown(left)!r}"
    if constraint.operator not in operators:
        return f"operator {terms.shown(constraint.operator)!r} for {left!r}"
    if not right or not all(item.strip() for item in right):
        return f"empty right operand of {left!r}"
    if constraint.operator in _SINGLE and len(right) > 1:
        return f"several right operands of {constraint.operator!r} for {left!r}"
    wrong = next((item for item in right if not _READABLE.get(left, bool)(item)), None)
    return None if wrong is None else f"{_KINDS[left]} {terms.shown(wrong)!r}"


_READABLE: dict[str, Callable[[str], bool]] = {
    terms.DATE_TIME: lambda item: interval(item) is not None,
    terms.SPATIAL: is_place,
    terms.COUNT: lambda item: _NUMBER.fullmatch(item) is not None,
    terms.ELAPSED: lambda item: after(_EPOCH, item) is not None,
    terms.DELETION: lambda item: item.lower() in terms.AFTER_USE[terms.DELETION],
}
_KINDS = {
    terms.DATE_TIME: "date",
    terms.SPATIAL: "place",
    terms.COUNT: "number",
    terms.ELAPSED: "duration",
    terms.DELETION: "moment of deletion",
}


def holds(constraint: Constraint, now: Circumstances, *, forbidding: bool) -> Measured:
    """Measure a readable constraint.

    ``forbidding`` says that it stands in a prohibition, where doubt makes it hold; elsewhere doubt makes it fail.
    """
    if constraint.left in terms.OPAQUE:
        return _opaque(constraint, now, forbidding)
    return _MEASURES[constraint.left](constraint, now, forbidding)


def _purpose(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    """Measure every purpose of the intent; narrower purposes count for isA and isAnyOf (DPV guide to ODRL).

    A permission must cover all purposes of the intent, a prohibition catches any of them. A purpose outside the known codes,
    on either side, may be a kind of anything: it counts as covered wherever that leads to a no.
    """
    intent = now.intent
    remedy = "run the pipeline for a purpose that the term allows, and say so in its purpose"
    if not intent.purpose.strip():
        return Measured(forbidding, "the intent names no purpose", "name the purpose of the pipeline")
    stated = purpose_iri(intent.purpose)
    declared = {stated} | ({COMMERCIAL} if intent.commercial else set())
    named = {purpose_iri(item) for item in constraint.right}
    said = "the purpose is " + " and ".join(sorted(terms.shown(item) for item in declared))
    negative = constraint.operator in _NEGATIVE
    # The reading that hurts: narrower purposes count where they forbid, not where "eq" would permit.
    hurts = forbidding != negative
    with_narrower = constraint.operator in {"isA", "isAnyOf"} or hurts
    unknown = sorted(terms.shown(item) for item in (declared | named) - codes())
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
    return Measured(any(results) if forbidding else all(results), said, remedy)


def _spatial(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    """Measure where the data would stand: the ground under the target's storage, not that of whoever asks."""
    territory = now.intent.territory
    results = [stands_in(territory, place) for place in constraint.right]
    remedy = (
        "put the data where the term allows it, and say on whose ground that is: [places] or [lab] territory in datalab.toml"
    )
    if not territory:
        return Measured(forbidding, "the intent names no territory", remedy)
    inside = True if True in results else None if None in results else False
    where = terms.shown(territory)
    if inside is None:
        found = f"the territory {where!r} is not one known country, or it leaves open whether it lies there"
        return Measured(forbidding, found, remedy)
    return Measured(inside != (constraint.operator in _NEGATIVE), f"the data would stand in {where}", remedy)


def _date_time(constraint: Constraint, now: Circumstances, _forbidding: bool) -> Measured:
    bounds = interval(constraint.right[0])
    assert bounds is not None
    start, end = bounds
    moment = now.moment.astimezone(dt.UTC)
    remedy = "wait for that date" if constraint.operator in {"gt", "gteq"} else "ask the data holder for a longer term"
    return Measured(
        _ordered(constraint.operator, moment, start, end), f"the moment is {moment.isoformat(timespec='seconds')}", remedy
    )


def _elapsed(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    """Measure the time since the agreement; an offer that is yet to be agreed to has its clock at zero."""
    moment = now.moment.astimezone(dt.UTC)
    start = now.standing.agreed_at or (moment if now.door == Door.ACQUIRE else None)
    if start is None:
        return Measured(forbidding, "the moment of the agreement is not known", "acquire the data again, under an agreement")
    end = after(start.astimezone(dt.UTC), constraint.right[0])
    assert end is not None
    found = f"the agreement is of {rfc3339(start)} and the moment is {rfc3339(moment)}"
    late = constraint.operator in {"gt", "gteq"}
    remedy = f"wait until {rfc3339(end)}" if late else "conclude a new agreement with the data holder"
    end = min(end, dt.datetime.max.replace(tzinfo=dt.UTC) - _INSTANT)
    return Measured(_ordered(constraint.operator, moment, end, end + _INSTANT), found, remedy)


def _count(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    """Measure how often this door would have been passed under the agreement, the act asked for counted in."""
    remedy = "ask the data holder for more uses"
    before = now.standing.uses.get(now.door)
    if before is None:
        return Measured(forbidding, "the uses so far, which 'count' limits, are not known here", remedy)
    number, limit = before + 1, int(constraint.right[0])
    found = f"this would be number {number} of its kind ({now.door}) under these terms"
    return Measured(_ordered(constraint.operator, number, limit, limit + 1), found, remedy)


def _ordered(operator: str, value: _Ordered, start: _Ordered, end: _Ordered) -> bool:
    """Compare with the half-open interval from ``start`` to ``end``."""
    return {
        "lt": value < start,
        "lteq": value < end,
        "gt": value >= end,
        "gteq": value >= start,
        "eq": start <= value < end,
        "neq": not start <= value < end,
    }[operator]


def _recipient(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    remedy = "name a recipient that the term allows (datalab pull --for), or add it to its group in [groups] of datalab.toml"
    if not now.recipient:
        return Measured(forbidding, "the intent names no recipient", remedy)
    return _party(constraint, now.recipient, f"the recipient is {terms.shown(now.recipient)}", remedy, now.facts, forbidding)


def _assignee(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    lab = now.facts.participant
    remedy = "ask for terms that name this lab, or add it to the group that they name in [groups] of datalab.toml"
    if not lab:
        return Measured(forbidding, "the lab's own identifier is not known", remedy)
    return _party(constraint, lab, f"the lab is {terms.shown(lab)}", remedy, now.facts, forbidding)


def _party(constraint: Constraint, party: str, found: str, remedy: str, facts: Facts, forbidding: bool) -> Measured:
    """Measure whether a party is one of those named, itself or as a member of a group; a group nobody knows may hold anybody."""
    named = any(party == item or party in facts.groups.get(item, ()) for item in constraint.right)
    negative = constraint.operator in _NEGATIVE
    strangers = [item for item in constraint.right if item not in facts.groups and not _ONE_PARTY.fullmatch(item)]
    if not named and strangers and forbidding != negative:
        named = True
        found += f" (and who belongs to {' and '.join(map(terms.shown, strangers))} is not known here)"
    return Measured(named != negative, found, remedy)


def _opaque(constraint: Constraint, now: Circumstances, forbidding: bool) -> Measured:
    """Measure a term whose meaning is a contract between people: it holds where the lab accepts it by name."""
    accepted = now.facts.accepted.get(constraint.left, ())
    met = any(item in accepted for item in constraint.right)
    found = f"this lab accepts for {constraint.left} " + (", ".join(map(terms.shown, accepted)) or "nothing")
    remedy = f"read what it binds the lab to; to accept it, add it to {constraint.left} in [accept] of datalab.toml"
    return Measured(met or forbidding, found, remedy)


def _deletion(_constraint: Constraint, _now: Circumstances, _forbidding: bool) -> Measured:
    """Deletion after use is a promise, written as a condition by Simpl-Open: the lab keeps it (`datalab.policy.deletion`)."""
    return Measured(True, "the lab deletes after use", "")


_MEASURES: dict[str, Callable[[Constraint, Circumstances, bool], Measured]] = {
    terms.PURPOSE: _purpose,
    terms.SPATIAL: _spatial,
    terms.DATE_TIME: _date_time,
    terms.ELAPSED: _elapsed,
    terms.COUNT: _count,
    terms.RECIPIENT: _recipient,
    terms.ASSIGNEE: _assignee,
    terms.DELETION: _deletion,
}
