"""What the ledger tells about a plan: the rows through every step, the checks, the gate. Dagster shows this and nothing else.

The figures come from the ledger and not from memory, so that a run, a resumed run and a run found unchanged (its receipts may be
purged by then) show the same, and so that no figure in Dagster differs from the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datalab.engine.plan import Plan, StageKind
from datalab.governance.ledger import Ledger
from datalab.model.receipt import Rows, add_tallies

_SINGLE = ("run.done", "checks.evaluated", "gate.decided", "model.fitted", "residue.scanned")


@dataclass(frozen=True, slots=True)
class StepRows:
    """What one step made of its rows: in + generated = out + dropped (by reason) + quarantined (by code)."""

    label: str
    rows_in: int
    rows_out: int
    generated: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """The last telling of a plan. The bodies are those of the ledger's events, {} for an event that did not happen."""

    intake: Rows
    steps: tuple[StepRows, ...]
    released: Rows
    """What the last pass put into shards."""
    done: Mapping[str, Any]
    checks: Mapping[str, Any]
    gate: Mapping[str, Any]
    model: Mapping[str, Any]
    residue: Mapping[str, Any]

    @property
    def conserved(self) -> bool:
        """Whether every row that was read or generated is accounted for, from the first stage to the last (law 1)."""
        if not self.done:
            return False
        totals = self.done["totals"]
        balanced = totals["rows_in"] + totals["generated"] == totals["kept"] + totals["dropped"] + totals["quarantined"]
        last = self.steps[-1].rows_out if self.steps else self.intake.kept
        read, shards = self.intake.rows_in == totals["rows_in"], self.released.kept == totals["kept"]
        return bool(balanced and read and shards and last == self.released.rows_in)


def tell_story(ledger: Ledger, plan: Plan) -> Story:
    """Read what the ledger says about ``plan``; where it ran more than once, the last word counts."""
    stages: dict[int, Mapping[str, Any]] = {}
    single: dict[str, Mapping[str, Any]] = {kind: {} for kind in _SINGLE}
    for event in ledger.events(subject=plan.id):
        if event.type == "run.started":
            stages.clear()
            single = {kind: {} for kind in _SINGLE}
        elif event.type == "stage.done":
            stages[event.body["stage"]] = event.body
        elif event.type in single:
            single[event.type] = event.body
    of_kind = {kind: [body for body in stages.values() if body["kind"] == kind] for kind in StageKind}
    intake = _rows(of_kind[StageKind.INTAKE])
    return Story(
        intake=intake,
        steps=_steps(plan, intake.kept, stages, _rows(of_kind[StageKind.GENERATE]).generated),
        released=_rows(of_kind[StageKind.SHARDS]),
        done=single["run.done"],
        checks=single["checks.evaluated"],
        gate=single["gate.decided"],
        model=single["model.fitted"],
        residue=single["residue.scanned"],
    )


def _rows(bodies: list[Mapping[str, Any]]) -> Rows:
    return Rows.together(Rows.from_json(body["rows"]) for body in bodies)


def _steps(plan: Plan, rows: int, stages: Mapping[int, Mapping[str, Any]], generated: int) -> tuple[StepRows, ...]:
    """Follow the rows through the steps in their order; a fused stage tells what each of its steps took out."""
    dropped = add_tallies(body["rows"]["dropped"] for body in stages.values())
    quarantined = add_tallies(body["rows"]["quarantined"] for body in stages.values())
    counts = add_tallies(body["counts"] for body in stages.values())
    generating = {plan.labels[place] for stage in plan.stages if stage.kind == StageKind.GENERATE for place in stage.steps}
    found: list[StepRows] = []
    for label in plan.labels:
        gone, bad = dropped.get(label, {}), quarantined.get(label, {})
        new = generated if label in generating else 0
        after = rows + new - sum(gone.values()) - sum(bad.values())
        found.append(StepRows(label, rows, after, new, gone, bad, counts.get(label, {})))
        rows = after
    return tuple(found)
