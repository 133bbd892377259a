"""What the ledger knows of approvals: one at a time per name (`datalab.lab.locks`), and the one that was interrupted.

The order of events is true wherever a kill falls: ``release.approved`` says that a person approved this content under this number, before
anything is published; ``release.published`` says that the release stands. An approval without a release is completed by approving again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from datalab.lab.lab import Lab
from datalab.model.event import Event
from datalab.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Approval:
    """One ``release.approved`` event and whether the ledger already says that its release was published."""

    event: Event
    published: bool

    @property
    def version(self) -> int:
        """The number that was given."""
        return int(self.event.body["version"])


def approvals(lab: Lab, name: str) -> list[Approval]:
    """Return the approvals of ``name`` that no rejection of their content undid, oldest first."""
    found: list[Event] = []
    published: set[int] = set()
    for event in decided(lab, name):
        if event.type == "release.approved":
            found.append(event)
        elif event.type == "release.published":
            published.add(int(event.body["approval"]))
        elif event.type == "release.rejected":
            found = [one for one in found if one.sequence in published or one.body["digest"] != event.body["digest"]]
    return [Approval(event, event.sequence in published) for event in found]


def approval_of(lab: Lab, candidate: Manifest) -> Approval | None:
    """Return the last approval of this very candidate (content and plan), None when nobody has approved it yet."""
    for approval in reversed(approvals(lab, candidate.name)):
        body = approval.event.body
        if (body["digest"], body["plan"]) == (candidate.digest, candidate.lineage["plan"]):
            return approval
    return None


def next_version(lab: Lab, name: str) -> int:
    """Return the number of the next release: no number is given twice, not even that of an approval that came to nothing."""
    given = [int(event.body["version"]) for event in decided(lab, name) if event.type == "release.approved"]
    return max([*lab.store.versions(name), *given], default=0) + 1


def decided(lab: Lab, name: str) -> Iterator[Event]:
    """Yield what was decided about the releases of ``name``, in order."""
    kinds = [lab.ledger.events(type=f"release.{word}") for word in ("approved", "published", "rejected")]
    for event in heapq.merge(*kinds, key=lambda event: event.sequence):
        if event.subject.partition("@")[0] == name:
            yield event
