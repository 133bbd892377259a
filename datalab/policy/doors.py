"""Deciding at the four doors: acquire, release, stage, export. Pure functions; unknown terms mean no.

Several policies are intersected: every one of them must permit. Within a policy a prohibition beats a permission, and
without a permission the answer is no (ODRL 2.2, section 2.6, with the conflict strategy ``prohibit``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from datalab.errors import UsageError
from datalab.model.agreement import Intent
from datalab.model.decision import Decision, Door
from datalab.model.policy import Constraint, Duty, Policy, Rule
from datalab.policy import terms
from datalab.policy.conditions import Circumstances, holds, is_commercial, unreadable, written
from datalab.policy.moments import interval

NEEDS = {
    Door.ACQUIRE: (terms.READ, terms.DERIVE),
    Door.RELEASE: (terms.DERIVE,),
    Door.STAGE: (terms.READ,),
    Door.EXPORT: (terms.DISTRIBUTE,),
}
"""What the lab does behind each door. It acquires data to prepare it, so a ban on deriving is met before anything is fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about the data itself. ``participant`` is the lab's own identifier: the recipient while no other is named."""

    personal_data: bool
    synthetic: bool = False
    scrubbed: bool = False
    participant: str = ""


def decide(
    door: Door,
    policies: Sequence[Policy],
    intent: Intent,
    *,
    moment: dt.datetime,
    facts: Facts,
    subject: str,
    target: str,
    actor: str,
) -> Decision:
    """Return the answer of the policies for this intent, with its reasons; raise ``UsageError`` for a moment without a time zone.

    ``subject`` names exactly what is permitted, ``target`` where it goes, ``actor`` who asks.
    """
    if moment.tzinfo is None:
        raise UsageError("the moment of a decision needs a time zone", where="decide(moment=…)", next="pass datetime.now(UTC)")
    if not actor.strip():
        raise UsageError(
            "a decision must name its actor", where="decide(actor=…)", next="name who asks, for example in lab.actor"
        )
    now = Circumstances(intent, moment, intent.recipient or facts.participant)
    verdict = _Verdict()
    if not policies:
        verdict.refuse("No policy came with the data, and without terms nothing is permitted.")
    if facts.personal_data and not intent.legal_basis.strip():
        verdict.refuse("The data is personal and the intent names no legal basis (GDPR articles 6 and 9).")
    for policy in policies:
        _read(policy, door, now, facts, verdict)
    return Decision(
        door=door,
        permitted=not verdict.refusals,
        subject=subject,
        target=target,
        recipient=intent.recipient,
        actor=actor,
        reasons=tuple(dict.fromkeys(verdict.refusals or verdict.grounds)),
        policies=tuple(policy.sha256 for policy in policies),
        duties=tuple(dict.fromkeys(verdict.duties)),
    )


@dataclass(slots=True)
class _Verdict:
    """What was found so far: one refusal is enough for a no."""

    refusals: list[str] = field(default_factory=list)
    grounds: list[str] = field(default_factory=list)
    duties: list[str] = field(default_factory=list)

    def refuse(self, sentence: str) -> None:
        self.refusals.append(sentence)


def _read(policy: Policy, door: Door, now: Circumstances, facts: Facts, verdict: _Verdict) -> None:
    name = f"policy {policy.id or '(without id)'}"
    unknown = [*policy.unknown, *_unreadable_parts(policy)]
    for part in dict.fromkeys(unknown):
        verdict.refuse(f"The {name} contains {part}, which this lab cannot evaluate, and what is unknown means no.")
    if unknown:
        return
    for rule in policy.prohibitions:
        _prohibit(rule, name, door, now, verdict)
    chosen: dict[int, Rule] = {}
    for action in NEEDS[door]:
        found = _permission(policy, action, name, door, now, facts, verdict)
        if found is not None:
            chosen[id(found)] = found
    for duty in (*policy.obligations, *(duty for rule in chosen.values() for duty in rule.duties)):
        if failure := _unfulfilled(duty, door, now, facts):
            verdict.refuse(f"The {name} demands {failure}")
        verdict.duties.append(duty_in_words(duty))


def _unreadable_parts(policy: Policy) -> Iterator[str]:
    for rule in (*policy.permissions, *policy.prohibitions):
        for constraint in rule.constraints:
            if part := unreadable(constraint):
                yield part
    for rule in policy.prohibitions:
        if terms.action_name(rule.action) not in terms.FORBIDDEN:
            yield f"a prohibition of {rule.action!r}"
    for duty in (*policy.obligations, *(duty for rule in policy.permissions for duty in rule.duties)):
        yield from _unreadable_duty(duty)


def _unreadable_duty(duty: Duty) -> Iterator[str]:
    action = terms.action_name(duty.action)
    if action == terms.ANONYMIZE:
        yield from (f"a condition on the duty 'anonymize' ({written(item)})" for item in duty.constraints)
        return
    if action not in terms.CARRIED:
        yield f"the duty {duty.action!r}"
    for constraint in duty.constraints:
        if constraint.left == terms.DATE_TIME and (part := unreadable(constraint)):
            yield part


def _prohibit(rule: Rule, name: str, door: Door, now: Circumstances, verdict: _Verdict) -> None:
    action = terms.action_name(rule.action)
    if not terms.FORBIDDEN[action] & set(NEEDS[door]):
        return
    if action in terms.COMMERCIAL_ACTIONS and not is_commercial(now.intent):
        return
    said = []
    for constraint in rule.constraints:
        applies, measured = holds(constraint, now, forbidding=True)
        if not applies:
            return
        said.append(f"{written(constraint)}: {measured}")
    detail = f" where {'; '.join(said)}" if said else ""
    verdict.refuse(f"The {name} prohibits {rule.action!r}{detail}.")


def _permission(
    policy: Policy, action: str, name: str, door: Door, now: Circumstances, facts: Facts, verdict: _Verdict
) -> Rule | None:
    """Return the first permission of ``action`` that holds; without one, put the reason of each failure into the verdict."""
    failures: list[str] = []
    candidates = [rule for rule in policy.permissions if action in terms.GRANTED.get(terms.action_name(rule.action), ())]
    for rule in candidates:
        failed = next(_failures(rule, door, now, facts), None)
        if failed is None:
            detail = f" where {'; '.join(written(item) for item in rule.constraints)}" if rule.constraints else ""
            verdict.grounds.append(f"The {name} permits {rule.action!r}{detail}, which covers the action {action!r}.")
            return rule
        failures.append(failed)
    if not candidates:
        verdict.refuse(f"The {name} contains no permission that covers the action {action!r}.")
    for failure in failures:
        verdict.refuse(f"The {name} does not permit {action!r}: {failure}")
    return None


def _failures(rule: Rule, door: Door, now: Circumstances, facts: Facts) -> Iterator[str]:
    for constraint in rule.constraints:
        met, measured = holds(constraint, now, forbidding=False)
        if not met:
            yield f"the term '{written(constraint)}' is not met, because {measured}."
    for duty in rule.duties:
        if failure := _unfulfilled(duty, door, now, facts):
            yield f"it demands {failure}"


def _unfulfilled(duty: Duty, door: Door, now: Circumstances, facts: Facts) -> str:
    """Return the end of a sentence about a duty that is not fulfilled, or "" where it is, or is still to come."""
    action = terms.action_name(duty.action)
    if action == terms.ANONYMIZE and door != Door.ACQUIRE and not (facts.synthetic or facts.scrubbed):
        return "the duty 'anonymize', and the data is neither synthetic nor scrubbed."
    if action == terms.DELETE and (end := deadline(duty.constraints)) and now.moment >= end:
        return f"the duty 'delete' by {end.isoformat()}, and that moment has passed."
    return ""


def deadline(constraints: Sequence[Constraint]) -> dt.datetime | None:
    """Return the first moment at which dateTime constraints no longer hold; None where they set no end."""
    ends = []
    for constraint in constraints:
        if constraint.left != terms.DATE_TIME or not constraint.right:
            continue
        bounds = interval(constraint.right[0])
        if bounds and constraint.operator in {"lt", "lteq", "eq"}:
            ends.append(bounds[0] if constraint.operator == "lt" else bounds[1])
    return min(ends, default=None)


def duty_in_words(duty: Duty) -> str:
    """Return a duty as one sentence."""
    action = terms.action_name(duty.action)
    if action == terms.ANONYMIZE:
        return "Anonymise the data before it leaves the lab."
    text = terms.CARRIED.get(action, f"Fulfil the duty '{duty.action}'")
    return text + (f" ({'; '.join(written(item) for item in duty.constraints)})" if duty.constraints else "") + "."
