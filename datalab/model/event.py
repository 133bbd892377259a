"""The event: one entry of the ledger. The chain is made of these and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datalab.model.canonical import canonical_json

GENESIS = "0" * 64
"""``previous`` of the first event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``at`` is UTC, RFC 3339 with milliseconds; ``actor`` a person, a role or ``engine``.

    ``subject`` is what it is about: a pipeline name, an agreement id, a plan id, ``name@version``. ``body`` holds no
    personal value, no secret and no float. ``sequence`` starts at 1 and has no gaps. ``hash`` is
    SHA-256(previous hash as hex ‖ canonical JSON of the rest), hex.
    """

    sequence: int
    at: str
    type: str
    actor: str
    subject: str
    body: Mapping[str, Any]
    previous: str
    hash: str

    @classmethod
    def following(
        cls,
        previous: Event | None,
        *,
        at: str,
        type: str,
        actor: str,
        subject: str,
        body: Mapping[str, Any],
    ) -> Event:
        """Build the event that comes after ``previous``."""
        before = previous.hash if previous else GENESIS
        number = previous.sequence + 1 if previous else 1
        return cls(number, at, type, actor, subject, body, before, _hash(before, number, at, type, actor, subject, body))

    def holds(self) -> bool:
        """Whether the event still is what its hash says."""
        return self.hash == _hash(self.previous, self.sequence, self.at, self.type, self.actor, self.subject, self.body)

    def as_json(self) -> dict[str, Any]:
        """Return the event as plain JSON."""
        return {
            "sequence": self.sequence,
            "at": self.at,
            "type": self.type,
            "actor": self.actor,
            "subject": self.subject,
            "body": dict(self.body),
            "previous": self.previous,
            "hash": self.hash,
        }


def _hash(previous: str, sequence: int, at: str, type_: str, actor: str, subject: str, body: Mapping[str, Any]) -> str:
    statement = {"sequence": sequence, "at": at, "type": type_, "actor": actor, "subject": subject, "body": body}
    return hashlib.sha256(previous.encode() + canonical_json(statement)).hexdigest()
