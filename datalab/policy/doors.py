"""Deciding at the four doors: acquire, release, stage, export. Pure functions; unknown terms mean no.

Several policies are intersected: every one of them must permit. Within a policy a prohibition beats a permission, and
without a permission the answer is no (ODRL 2.2, section 2.6, with the conflict strategy ``prohibit``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from datalab.errors import UsageError
from datalab.model.agreement import Intent
from datalab.model.decision import Decision, Door, Refusal
from datalab.model.policy import Policy, Rule
from datalab.policy import terms
from datalab.policy.conditions import Circumstances, Measured, holds, is_commercial, unreadable, written
from datalab.policy.duties import after_use, duty_in_words, unfulfilled
from datalab.policy.facts import Facts, Standing
from datalab.policy.overrides import vouched
from datalab.policy.unknown import MOST, unknown_parts

NEEDS = {
    Door.ACQUIRE: (terms.READ, terms.DERIVE),
    Door.RELEASE: (terms.DERIVE,),
    Door.STAGE: (terms.READ,),
    Door.EXPORT: (terms.DISTRIBUTE,),
}
"""What the lab does behind each door. It acquires data to prepare it, so a ban on deriving is met before anything is fetched."""

_OTHER_TERMS = "ask the data holder for other terms, or choose another offer"
_VOUCH = (
    "a steward who knows that the term is met vouches for it (datalab policy override), or the data holder words it otherwise"
)


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
    now = Circumstances(intent, moment, intent.recipient or facts.participant, door, facts)
    verdict = _Verdict()
    if not policies:
        sentence = "No policy came with the data, and without terms nothing is permitted."
        verdict.refuse(sentence, Refusal("", "", "no policy", "no policy came with the data", "ask the data holder for terms"))
    if facts.personal_data and not intent.legal_basis.strip():
        sentence = "The data is personal and the intent names no legal basis (GDPR articles 6 and 9)."
        found = Refusal("", "", "legal basis", "the intent names none", "name the legal basis of the pipeline (legal_basis)")
        verdict.refuse(sentence, found)
    for policy in policies:
        _Reading(policy, replace(now, standing=facts.standing.get(policy.sha256, Standing())), verdict).decide()
    return Decision(
        door=door,
        permitted=not verdict.refusals,
        subject=subject,
        target=target,
        recipient=intent.recipient,
        actor=actor,
        reasons=tuple(verdict.refusals or verdict.grounds),
        policies=tuple(policy.sha256 for policy in policies),
        duties=tuple(verdict.duties),
        refusals=tuple(dict.fromkeys(verdict.refusals.values())),
    )


@dataclass(slots=True)
class _Verdict:
    """What was found so far, each once: one refusal is enough for a no."""

    refusals: dict[str, Refusal] = field(default_factory=dict)
    grounds: dict[str, None] = field(default_factory=dict)
    duties: dict[str, None] = field(default_factory=dict)

    def refuse(self, sentence: str, refusal: Refusal) -> None:
        self.refusals.setdefault(sentence, refusal)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One policy, read for one decision."""

    policy: Policy
    now: Circumstances
    verdict: _Verdict

    @property
    def name(self) -> str:
        return f"policy {terms.shown(self.policy.id) or '(without id)'}"

    def decide(self) -> None:
        policy, verdict = self.policy, self.verdict
        if self._unknown():
            return
        for rule in policy.prohibitions:
            self._prohibit(rule)
        chosen: dict[int, Rule] = {}
        for action in NEEDS[self.now.door]:
            found = self._permission(action)
            if found is not None:
                chosen[id(found)] = found
        for duty in (*policy.obligations, *(duty for rule in chosen.values() for duty in rule.duties)):
            if failure := unfulfilled(duty, self.now):
                self._refuse(f"The {self.name} demands {failure.found}.", f"duty {terms.shown(duty.action)}", failure)
            verdict.duties[duty_in_words(duty)] = None
        if any(after_use(rule.constraints) for rule in chosen.values()):
            verdict.duties["Delete the data after use."] = None

    def _unknown(self) -> bool:
        """Refuse what is unknown and not vouched for; say who vouched for what."""
        open_parts = []
        sha256 = self.policy.sha256
        for part in unknown_parts(self.policy):
            item = vouched(self.now.facts.overrides, sha256, part.term, self.now.moment) if part.vouchable else None
            if item is None:
                open_parts.append(part)
            else:
                self.verdict.grounds[
                    f"The {self.name} contains {part.term}, which this lab cannot evaluate; {terms.shown(item.actor)} vouched for it until "
                    f"{item.until.date()} (event {item.event}): {terms.shown(item.reason).rstrip('.')}."
                ] = None
        for part in open_parts[:MOST]:
            sentence = f"The {self.name} contains {part.term}, which this lab cannot evaluate, and what is unknown means no."
            remedy = _VOUCH if part.vouchable else _OTHER_TERMS
            found = "this lab cannot evaluate it"
            self.verdict.refuse(
                sentence, Refusal(terms.shown(self.policy.id), sha256, part.term, found, remedy, part.vouchable)
            )
        if len(open_parts) > MOST:
            rest = f"{len(open_parts) - MOST} more parts"
            sentence = f"The {self.name} contains {rest} that this lab cannot evaluate."
            self.verdict.refuse(
                sentence, Refusal(terms.shown(self.policy.id), sha256, rest, "this lab cannot evaluate them", _OTHER_TERMS)
            )
        return bool(open_parts)

    def _prohibit(self, rule: Rule) -> None:
        action = terms.action_name(rule.action)
        if not terms.FORBIDDEN[action] & set(NEEDS[self.now.door]):
            return
        if action in terms.COMMERCIAL_ACTIONS and not is_commercial(self.now.intent):
            return
        said, remedies = [], []
        for constraint in rule.constraints:
            measured = holds(constraint, self.now, forbidding=True)
            if not measured.holds:
                return
            said.append(f"{written(constraint)}: {measured.found}")
            remedies.append(measured.next)
        detail = f" where {'; '.join(said)}" if said else ""
        measured = Measured(False, "; ".join(said) or "it holds always", " or ".join(dict.fromkeys(remedies)) or _OTHER_TERMS)
        self._refuse(
            f"The {self.name} prohibits {terms.shown(rule.action)!r}{detail}.",
            f"prohibition of {terms.shown(rule.action)}",
            measured,
        )

    def _permission(self, action: str) -> Rule | None:
        """Return the first permission of ``action`` that holds; without one, put the reason of each failure into the verdict."""
        failures: dict[str, tuple[str, Measured]] = {}
        candidates = [
            rule for rule in self.policy.permissions if action in terms.GRANTED.get(terms.action_name(rule.action), ())
        ]
        for rule in candidates:
            failed = next(self._failures(rule), None)
            if failed is None:
                detail = f" where {'; '.join(written(item) for item in rule.constraints)}" if rule.constraints else ""
                sentence = f"The {self.name} permits {terms.shown(rule.action)!r}{detail}, which covers the action {action!r}."
                self.verdict.grounds[sentence] = None
                return rule
            failures.setdefault(failed[0], failed[1:])
        if not candidates:
            sentence = f"The {self.name} contains no permission that covers the action {action!r}."
            self._refuse(sentence, f"permission of {action}", Measured(False, "there is none", _OTHER_TERMS))
        for sentence, (term, measured) in list(failures.items())[:MOST]:
            self._refuse(f"The {self.name} does not permit {action!r}: {sentence}", term, measured)
        return None

    def _failures(self, rule: Rule) -> Iterator[tuple[str, str, Measured]]:
        for constraint in rule.constraints:
            if unreadable(constraint):
                continue  # a steward vouched for it, or the policy would not have been read on
            measured = holds(constraint, self.now, forbidding=False)
            if not measured.holds:
                term = written(constraint)
                yield f"the term '{term}' is not met, because {measured.found}.", term, measured
        for duty in rule.duties:
            if failure := unfulfilled(duty, self.now):
                yield f"it demands {failure.found}.", f"duty {terms.shown(duty.action)}", failure

    def _refuse(self, sentence: str, term: str, measured: Measured) -> None:
        refusal = Refusal(terms.shown(self.policy.id), self.policy.sha256, term, measured.found, measured.next)
        self.verdict.refuse(sentence, refusal)
