"""When things happened, as the ledger says it."""

from __future__ import annotations

from datalab.governance.evidence import Evidence


def made_at(evidence: Evidence) -> str:
    """Return when the run was done, RFC 3339."""
    return _at(evidence, "run.done") or (evidence.events[-1].at if evidence.events else "")


def started_at(evidence: Evidence) -> str:
    """Return when the run began."""
    return _at(evidence, "run.started") or made_at(evidence)


def published_at(evidence: Evidence) -> str:
    """Return when the release was approved; for a candidate, when it was made."""
    return _at(evidence, "release.approved") or made_at(evidence)


def _at(evidence: Evidence, type: str) -> str:
    event = evidence.last(type)
    return event.at if event else ""
