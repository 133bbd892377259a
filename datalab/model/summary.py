"""What a run came to: the answer of ``datalab run``, and its ``--json`` form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from datalab.model.receipt import Rows


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The outcome of a run. ``status`` is ``candidate``, ``withheld`` (a gate said no) or ``unchanged`` (nothing to redo)."""

    pipeline: str
    status: str
    rows: Rows
    checks: tuple[tuple[str, bool], ...]
    shards: int
    digest: str
    candidate: str
    report: str
    seconds: float
    plan: str
    notes: tuple[str, ...] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form of ``datalab run``: stable keys, one object."""
        return {
            "pipeline": self.pipeline,
            "status": self.status,
            "plan": self.plan,
            "rows_in": self.rows.rows_in,
            "rows_out": self.rows.kept,
            "dropped": {step: dict(reasons) for step, reasons in self.rows.dropped.items()},
            "quarantined": self.rows.rows_quarantined,
            "quarantined_by_code": {step: dict(codes) for step, codes in self.rows.quarantined.items()},
            "generated": self.rows.generated,
            "checks": [{"check": check, "passed": passed} for check, passed in self.checks],
            "shards": self.shards,
            "digest": self.digest,
            "seconds": round(self.seconds, 3),
            "candidate": self.candidate,
            "report": self.report,
            "notes": list(self.notes),
        }
