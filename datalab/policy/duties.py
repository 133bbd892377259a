"""Duties: which are understood, which stand in the way of a decision, and how each is said.

A duty applies unless its own constraints are measured and fail; doubt makes it apply.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from datalab.model.decision import Door
from datalab.model.policy import Constraint, Duty
from datalab.policy import terms
from datalab.policy.conditions import Circumstances, Measured, holds, unreadable, written
from datalab.policy.moments import after, interval, rfc3339

_CONSENT = ("A6-1-a", "A9-2-a")
"""Consent as a legal basis in the DPV codes of the GDPR."""


def unreadable_duty(duty: Duty) -> Iterator[str]:
    """Yield what of a duty this lab cannot evaluate."""
    action = terms.action_name(duty.action)
    if action in terms.UNFULFILLABLE:
        return  # it is refused whatever its conditions say
    if action not in {terms.ANONYMIZE, terms.CONSENT, *terms.CARRIED}:
        yield f"the duty {terms.shown(duty.action)!r}" + _when(duty)
        return
    for constraint in duty.constraints:
        if action == terms.DELETE:
            if not _says_when(constraint):
                yield f"a condition on the duty 'delete' ({written(constraint)})"
        elif unreadable(constraint):
            yield f"a condition on the duty {terms.shown(duty.action)!r} ({written(constraint)})"
    for consequence in duty.consequences:
        yield from (f"{part}, as a consequence of {terms.shown(duty.action)!r}" for part in unreadable_duty(consequence))


def unfulfilled(duty: Duty, now: Circumstances) -> Measured | None:
    """Return why a duty stands in the way, as the end of a sentence; None where it is fulfilled, or is still to come."""
    action = terms.action_name(duty.action)
    if reason := terms.UNFULFILLABLE.get(action):
        return Measured(
            False, f"the duty {terms.shown(duty.action)!r}, and {reason}", "ask the data holder for terms without it"
        )
    if action == terms.DELETE:
        end = deadline(duty.constraints, now.standing.agreed_at, deleting=True)
        if end and now.moment >= end:
            found = f"the duty 'delete' by {end.isoformat()}, and that moment has passed"
            return Measured(
                False, found, "delete the data (datalab quarantine purge --all-expired); ask for new terms to go on"
            )
        return None
    if not all(holds(item, now, forbidding=True).holds for item in duty.constraints if not unreadable(item)):
        return None
    if action == terms.ANONYMIZE and now.door != Door.ACQUIRE and not (now.facts.synthetic or now.facts.scrubbed):
        found = "the duty 'anonymize', and the data is neither synthetic nor scrubbed"
        return Measured(False, found, "add scrubbing steps to the pipeline, or synthesise the data")
    if action == terms.CONSENT and not now.intent.legal_basis.strip().endswith(_CONSENT):
        found = "the duty 'obtainConsent', and the legal basis of the intent is not consent"
        return Measured(False, found, "obtain the consent and name it as the legal basis (for example eu-gdpr:A6-1-a)")
    return None


def deadline(
    constraints: Sequence[Constraint], agreed_at: dt.datetime | None = None, *, deleting: bool = False
) -> dt.datetime | None:
    """Return the first moment at which constraints of time no longer hold; None where they set no end.

    Times that count from the agreement need ``agreed_at``. For a duty to delete (``deleting``) a "not before" is an end, too.
    """
    ends = []
    for constraint in constraints:
        if not constraint.right:
            continue
        bounds = None
        if constraint.left == terms.DATE_TIME:
            bounds = interval(constraint.right[0])
        elif constraint.left == terms.ELAPSED and agreed_at is not None:
            end = after(agreed_at, constraint.right[0])
            bounds = (end, end) if end else None
        if bounds and constraint.operator in {"lt", "lteq", "eq"}:
            ends.append(bounds[0] if constraint.operator == "lt" else bounds[1])
        elif bounds and deleting:
            ends.append(bounds[0])
    return min(ends, default=None)


def after_use(constraints: Sequence[Constraint]) -> bool:
    """Whether one of the constraints says "after use"."""
    return any(
        terms.local(item.right[0]).lower() in terms.AFTER_USE[item.left]
        for item in constraints
        if item.left in terms.AFTER_USE and len(item.right) == 1
    )


def duty_in_words(duty: Duty) -> str:
    """Return a duty as one sentence."""
    action = terms.action_name(duty.action)
    party = f" ({terms.shown(duty.party)})" if duty.party else ""
    if action == terms.ANONYMIZE:
        text = "Anonymise the data before it leaves the lab" + _when(duty)
    elif action == terms.DELETE:
        text = "Delete the data" + _deletion(duty.constraints)
    elif action == terms.CONSENT:
        text = f"Obtain consent before the data is used{party}" + _when(duty)
    else:
        text = terms.CARRIED.get(action, f"Fulfil the duty {terms.shown(duty.action)!r}") + party + _when(duty)
    for consequence in duty.consequences:
        said = duty_in_words(consequence)
        text += "; if that was not done: " + said[0].lower() + said[1:].removesuffix(".")
    return text + "."


def _deletion(constraints: Sequence[Constraint]) -> str:
    said = []
    for item in constraints:
        bounds = interval(item.right[0]) if item.left == terms.DATE_TIME and item.right else None
        if after_use((item,)):
            said.append(" after use")
        elif bounds:
            said.append(f" by {item.right[0] if item.operator != 'lt' else rfc3339(bounds[0])}")
        else:
            said.append(f" ({written(item)})")
    return "".join(said) or " after use"


def _when(duty: Duty) -> str:
    return f" ({'; '.join(written(item) for item in duty.constraints)})" if duty.constraints else ""


def _says_when(constraint: Constraint) -> bool:
    if constraint.operator not in terms.DELETE_OPERATORS.get(constraint.left, ()) or len(constraint.right) != 1:
        return False
    return after_use((constraint,)) if constraint.left in terms.AFTER_USE else unreadable(constraint) is None
