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
class Refusal:
    """One reason of a no, in its parts.

    ``policy`` is the policy's id ("" where no policy said it) and ``sha256`` the digest of its text; ``term`` the term that
    decided, ``found`` what it was measured against, ``next`` what would make it a yes. ``vouchable`` marks an unknown term that a steward
    may vouch for.
    """

    policy: str
    sha256: str
    term: str
    found: str
    next: str
    vouchable: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the refusal as plain JSON."""
        return {
            "policy": self.policy,
            "sha256": self.sha256,
            "term": self.term,
            "found": self.found,
            "next": self.next,
            "vouchable": self.vouchable,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer of the policy engine or of a named person.

    ``subject`` names exactly what is permitted: the offer and intent for ACQUIRE, the content digest for RELEASE, STAGE
    and EXPORT. ``reasons`` explain the outcome, one sentence each, and name the term that decided. ``policies`` are the
    SHA-256 of the verbatim policies that were read. ``refusals`` are the reasons of a no once more, in their parts.
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
    refusals: tuple[Refusal, ...] = ()

    @property
    def next(self) -> str:
        """What would make a no a yes, as one phrase for an error; "" for a yes."""
        return "; ".join(dict.fromkeys(refusal.next for refusal in self.refusals[:5] if refusal.next))

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
            "refusals": [refusal.as_json() for refusal in self.refusals],
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
