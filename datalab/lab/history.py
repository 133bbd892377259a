"""The runs, as the ledger tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datalab.lab.lab import Lab

REPORT = "report.html"
"""The report of a run whose release was withheld; that of a candidate stands in its own folder."""
_LEAST = 8


@dataclass(slots=True)
class RunRecord:
    """One start of a run. ``status`` is ``started`` (unfinished: running, or interrupted), ``passed`` or ``withheld``."""

    plan: str
    pipeline: str
    actor: str
    started: str
    status: str = "started"
    reasons: tuple[str, ...] = ()
    rows_in: int = 0
    rows_out: int = 0
    milliseconds: int = 0
    costs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Where the time of the workers went, by step: ``rows`` and ``bytes`` it was given, ``microseconds`` it took."""

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form."""
        return {
            "plan": self.plan,
            "pipeline": self.pipeline,
            "actor": self.actor,
            "started": self.started,
            "status": self.status,
            "reasons": list(self.reasons),
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "seconds": self.milliseconds / 1000,
            "costs": {step: dict(cost) for step, cost in self.costs.items()},
        }


def withheld_report(lab: Lab, reference: str) -> Path | None:
    """Return the report of the last withheld run that ``reference`` means (a pipeline, or a plan by its first 8 digits or more).

    None where there is none: the run passed (its report stands with the candidate), or it was purged.
    """
    for run in reversed(list(runs(lab))):
        if run.pipeline == reference or (len(reference) >= _LEAST and run.plan.startswith(reference)):
            path = lab.home / "runs" / run.plan / REPORT
            return path if path.is_file() else None
    return None


def runs(lab: Lab) -> Iterator[RunRecord]:
    """Yield the runs in the order of their start."""
    found: list[RunRecord] = []
    open_runs: dict[str, RunRecord] = {}
    for event in lab.ledger.events():
        if event.type == "run.started":
            record = RunRecord(event.subject, str(event.body["pipeline"]), event.actor, event.at)
            open_runs[event.subject] = record
            found.append(record)
        elif event.type == "run.done" and event.subject in open_runs:
            record = open_runs[event.subject]
            record.rows_in = event.body["totals"]["rows_in"]
            record.rows_out = event.body["totals"]["kept"]
            record.milliseconds = event.body["milliseconds"]
            record.costs = event.body.get("costs", {})
        elif event.type == "gate.decided" and event.subject in open_runs:
            record = open_runs.pop(event.subject)
            record.status = "passed" if event.body["passed"] else "withheld"
            record.reasons = tuple(event.body["reasons"])
    yield from found
