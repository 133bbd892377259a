"""A decision: the only thing that opens a door in datalab, bound to exactly what it permits."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from datalab.model.canonical import digest


class Door(enum.StrEnum):
    """The four places where a decision is required."""

    ACQUIRE = "acquire"
    RELEASE = "release"
    STAGE = "stage"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer of the policy engine or of a named person.

    ``subject`` names exactly what is permitted: the offer and intent for ACQUIRE, the content digest for RELEASE, STAGE
    and EXPORT. ``reasons`` explain the outcome, one sentence each, and name the term that decided. ``policies`` are the
    SHA-256 of the verbatim policies that were read.
    """

    door: Door
    permitted: bool
    subject: str
    target: str
    recipient: str
    actor: str
    reasons: tuple[str, ...]
    policies: tuple[str, ...] = ()
    duties: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Digest of the whole decision: change one field and it is another decision."""
        return digest(self.as_json())[:32]

    def as_json(self) -> dict[str, Any]:
        """Return the decision as plain JSON."""
        return {
            "door": str(self.door),
            "permitted": self.permitted,
            "subject": self.subject,
            "target": self.target,
            "recipient": self.recipient,
            "actor": self.actor,
            "reasons": list(self.reasons),
            "policies": list(self.policies),
            "duties": list(self.duties),
        }

    def permits(self, door: Door, subject: str, target: str, recipient: str) -> bool:
        """Whether this decision permits exactly this and nothing else."""
        return (
            self.permitted
            and self.door == door
            and self.subject == subject
            and self.target == target
            and self.recipient == recipient
        )
