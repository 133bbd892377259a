"""A steward vouches for an unknown term, and takes it back: both are events of the ledger, and nothing else is an override.

No setting, no file and no environment makes one: `overrides` reads the ledger, after it has checked its chain. What can be vouched for is what
a decision in the ledger refused as unknown; prohibitions and terms that were measured cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from datalab.errors import NotFound, UsageError
from datalab.lab.lab import ENGINE, Lab
from datalab.model.event import Event
from datalab.policy import Override
from datalab.policy.moments import interval, rfc3339

MADE, WITHDRAWN = "policy.overridden", "policy.override_withdrawn"
_LONGEST = timedelta(days=366)
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Term:
    """A term that a decision refused. ``vouchable``: it is unknown here, and a steward may vouch for it."""

    policy: str
    sha256: str
    term: str
    vouchable: bool
    subject: str

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form."""
        return {
            "policy": self.policy,
            "sha256": self.sha256,
            "term": self.term,
            "vouchable": self.vouchable,
            "subject": self.subject,
        }


def overrides(lab: Lab) -> tuple[Override, ...]:
    """Return the overrides that nobody withdrew, expired ones too; raise ``VerificationFailed`` where the ledger was altered."""
    made = list(lab.ledger.events(type=MADE))
    if not made:
        return ()
    lab.ledger.verify()
    withdrawn = {int(event.body["event"]) for event in lab.ledger.events(type=WITHDRAWN)}
    return tuple(_override(event) for event in made if event.sequence not in withdrawn and event.actor != ENGINE)


def refused_terms(lab: Lab) -> list[Term]:
    """Return the terms that decisions refused, each once, in the order of their last refusal."""
    found: dict[tuple[str, str], Term] = {}
    for event in lab.ledger.events(type="decision.made"):
        for one in event.body.get("refusals", ()):
            if one["sha256"]:
                key = (one["sha256"], one["term"])
                found.pop(key, None)
                found[key] = Term(one["policy"], *key, bool(one["vouchable"]), event.subject)
    return list(found.values())


def override(lab: Lab, policy: str, term: str, *, actor: str, reason: str, until: str) -> Event:
    """Vouch, in the name of ``actor``, for one unknown term of the policy with this SHA-256 (its first 8 digits or more).

    ``until`` is a date or time within a year. Raises ``NotFound`` for a term that no decision refused, ``UsageError`` for one that is no
    steward's to decide: a prohibition, or a term that was measured.
    """
    _named(actor, reason)
    end = interval(until)
    now = datetime.now(UTC)
    if end is None or not now < end[1] <= now + _LONGEST:
        raise UsageError(f"{until!r} is not a date within a year from now", next="write for example --until 2027-03-31")
    known = refused_terms(lab)
    of_policy = [one for one in known if len(policy) >= _LEAST and one.sha256.startswith(policy)]
    if len({one.sha256 for one in of_policy}) != 1:
        raise NotFound.among("policy", policy, {one.sha256 for one in known}, where="the decisions in the ledger")
    chosen = next((one for one in of_policy if one.term == term), None)
    if chosen is None:
        raise NotFound.among("term", term, [one.term for one in of_policy if one.vouchable], where=f"policy {policy}")
    if not chosen.vouchable:
        raise UsageError(
            f"{term!r} is no unknown term: a prohibition, or something that was measured, is nobody's to override",
            where=f"policy {chosen.sha256}",
            next="choose another purpose, place or recipient, or ask the data holder for other terms",
        )
    body = {"policy": chosen.policy, "term": term, "reason": reason, "until": rfc3339(end[1])}
    return lab.record(MADE, chosen.sha256, body, actor=actor)


def withdraw(lab: Lab, event: int, *, actor: str, reason: str) -> Event:
    """Take back the override that is the ledger's ``event``."""
    _named(actor, reason)
    standing = {item.event: item for item in overrides(lab)}
    if event not in standing:
        raise NotFound.among("override", str(event), map(str, standing), where="the ledger")
    body = {"event": event, "term": standing[event].term, "reason": reason}
    return lab.record(WITHDRAWN, standing[event].policy, body, actor=actor)


def of_policies(lab: Lab, policies: set[str], before: int) -> Iterator[Event]:
    """Yield the events about overrides of these policies up to the ledger's sequence ``before``."""
    events = [*lab.ledger.events(type=MADE), *lab.ledger.events(type=WITHDRAWN)]
    yield from sorted(
        (event for event in events if event.subject in policies and event.sequence <= before), key=lambda event: event.sequence
    )


def _override(event: Event) -> Override:
    end = interval(str(event.body["until"]))
    until = end[0] if end else datetime.min.replace(tzinfo=UTC)
    return Override(event.subject, str(event.body["term"]), event.actor, str(event.body["reason"]), until, event.sequence)


def _named(actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip() or actor.strip() == ENGINE:
        raise UsageError("an override needs a person and a reason", next="--as 'NAME, ROLE' --reason 'REASON'")
