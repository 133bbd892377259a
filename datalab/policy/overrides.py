"""A steward's override: one named person vouches for one unknown term of one policy, for a reason and for a time.

It never reaches a prohibition or a term that was measured: `datalab.policy.doors` applies it to nothing but the terms that
`Policy.vouchable` and `datalab.policy.unknown` name. Where overrides come from is the lab's business: its ledger, and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Override:
    """``policy`` is the SHA-256 of the policy's text, ``term`` the unknown part to the letter, ``event`` the ledger's number of it."""

    policy: str
    term: str
    actor: str
    reason: str
    until: dt.datetime
    event: int


def vouched(overrides: Iterable[Override], policy: str, term: str, moment: dt.datetime) -> Override | None:
    """Return the override that covers exactly this term of exactly this policy at ``moment``."""
    found = (item for item in overrides if item.policy == policy and item.term == term and moment < item.until)
    return next((item for item in found if item.actor.strip() and item.reason.strip()), None)
