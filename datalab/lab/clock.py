"""The clocks that terms start: by when the data of an agreement must be gone, and when the use of a run was over."""

from __future__ import annotations

from datetime import datetime

from datalab.lab.lab import Lab
from datalab.policy import Deletion
from datalab.policy.moments import interval


def deletions(lab: Lab) -> dict[str, Deletion]:
    """Return the duties to delete by agreement, as the ledger knows them since each was concluded."""
    found = {}
    for event in lab.ledger.events(type="agreement.concluded"):
        by = interval(str(event.body.get("delete_by", "")))
        found[event.subject] = Deletion(by[0] if by else None, bool(event.body.get("delete_after_use")))
    return found


def uses_ended(lab: Lab) -> dict[str, datetime]:
    """Return by plan when its last run was decided upon: withheld by the gate, released, or rejected. Missing while it is open."""
    ended: dict[str, datetime] = {}
    made: dict[tuple[str, str], str] = {}
    for event in lab.ledger.events():
        plan: str | None = None
        if event.type == "run.started":
            ended.pop(event.subject, None)
        elif event.type == "candidate.written":
            made[event.subject, str(event.body["digest"])] = str(event.body["plan"])
        elif event.type == "gate.decided" and not event.body["passed"]:
            plan = event.subject
        elif event.type in {"release.published", "release.rejected"}:
            plan = made.get((event.subject.partition("@")[0], str(event.body["digest"])))
        if plan is not None:
            ended[plan] = datetime.fromisoformat(event.at)
    return ended
