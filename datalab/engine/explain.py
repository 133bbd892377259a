"""The physical plan in words and figures: what each pass reads, leaves out, holds in memory and writes, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datalab.engine.exchange import partitions_for
from datalab.engine.memory import base_mb, estimate_mb
from datalab.engine.parts import spans
from datalab.engine.plan import Plan, Stage, StageKind, reference_bytes
from datalab.engine.shuffle import shuffle_partitions
from datalab.model.step import KeyedStep, LookupStep

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Pass:
    """One stage as it will run. ``parts`` and ``partitions`` are None where only reading the source tells them.

    ``pruned`` are columns that exist there and are not taken in; ``writes`` are (what, why).
    """

    stage: Stage
    does: str
    reads: tuple[str, ...]
    pruned: tuple[str, ...]
    parts: int | None
    rows_per_part: int
    memory_mb: int
    partitions: int | None
    writes: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """Return the pass as plain JSON."""
        return {
            "stage": self.stage.number,
            "kind": str(self.stage.kind),
            "does": self.does,
            "reads": list(self.reads),
            "pruned": list(self.pruned),
            "parts": self.parts,
            "rows_per_part": self.rows_per_part,
            "memory_mb": self.memory_mb,
            "partitions": self.partitions,
            "writes": [{"what": what, "why": why} for what, why in self.writes],
        }


@dataclass(frozen=True, slots=True)
class Physical:
    """The physical plan. ``rows`` of the sources is None where their metadata does not tell; ``notes`` are sentences about memory."""

    rows: int | None
    row_bytes: int
    passes: tuple[Pass, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the physical plan as plain JSON."""
        return {
            "rows": self.rows,
            "row_bytes": self.row_bytes,
            "passes": [item.as_json() for item in self.passes],
            "notes": list(self.notes),
        }


def explain(plan: Plan) -> Physical:
    """Work the physical plan out from the plan and the metadata of its sources; no row is read."""
    cuts = [spans(item, plan.schema_read, plan.part_rows) for item in plan.inputs]
    known = [rows for cut in cuts if cut is not None for _, rows in cut]
    whole = all(cut is not None for cut in cuts)
    rows = sum(known) if whole else None
    parts = len(known) if whole else None
    passes = tuple(_pass(plan, stage, rows, parts, cuts.count(None)) for stage in plan.stages)
    return Physical(rows, round(plan.row_bytes.of(plan.stages[1].reads)), passes, _notes(plan))


def _pass(plan: Plan, stage: Stage, rows: int | None, parts: int | None, unknown: int) -> Pass:
    partitions = _partitions(plan, stage, rows)
    reads, there, per_part = stage.reads, plan.schema_in, plan.part_rows
    if stage.kind == StageKind.INTAKE:
        reads, parts = plan.stages[1].reads, len(plan.inputs)
    elif stage.kind == StageKind.MAP:
        there = plan.schema_before(stage)
    elif stage.kind in {StageKind.SETTLE, StageKind.FIT}:
        parts, per_part = 1, 0
    elif stage.kind in {StageKind.REDUCE, StageKind.UNIQUE, StageKind.SHUFFLE}:
        parts, per_part = partitions, 0
    elif stage.kind == StageKind.REFERENCE:
        parts, per_part = len(plan.references[_lookup(plan, stage).source]), 0
    elif stage.kind == StageKind.CONFIRM:
        per_part = 0
    elif stage.kind == StageKind.SHARDS:
        per_part = plan.pipeline.release.rows_per_shard
        by_rows = rows is not None and not plan.pipeline.release.bytes_per_shard
        parts = sum(-(-round((rows or 0) * share) // per_part) for share in _shares(plan)) if by_rows else None
    width = plan.row_bytes.of(reads or tuple(plan.schema_out))
    return Pass(
        stage=stage,
        does=stage.describe(plan.labels),
        reads=reads,
        pruned=tuple(name for name in there if name not in reads) if reads else (),
        parts=parts,
        rows_per_part=per_part,
        memory_mb=estimate_mb(per_part, width, _base(plan, stage)) if per_part else 0,
        partitions=partitions,
        writes=_WRITES[stage.kind](plan, stage, unknown) if stage.kind in _WRITES else (),
    )


def _partitions(plan: Plan, stage: Stage, rows: int | None) -> int | None:
    """Return into how many partitions a stage writes or reads, if no row falls before it; None where it has none, or nobody knows."""
    if rows is None:
        return None
    if stage.kind == StageKind.UNIQUE:
        return partitions_for(rows) if plan.suite else None
    if stage.kind == StageKind.SHUFFLE:
        return shuffle_partitions(plan, int(rows * plan.row_bytes.of(tuple(plan.schema_out))))
    if stage.keyed is None:
        return None
    step = plan.pipeline.steps[stage.keyed]
    if isinstance(step, LookupStep):
        return max(partitions_for(rows), partitions_for(1, 2 * reference_bytes(plan.references[step.source])))
    return partitions_for(rows, step.row_bytes) if isinstance(step, KeyedStep) and step.exchanges else None


def _lookup(plan: Plan, stage: Stage) -> LookupStep:
    step = plan.pipeline.steps[stage.keyed or 0]
    assert isinstance(step, LookupStep)
    return step


def _base(plan: Plan, stage: Stage) -> int:
    places = {place for place in (*stage.steps, stage.keyed) if place is not None}
    return base_mb([plan.pipeline.steps[place] for place in places])


def _shares(plan: Plan) -> tuple[float, ...]:
    return tuple(plan.pipeline.splits.shares.values())


def _notes(plan: Plan) -> tuple[str, ...]:
    limit = plan.settings.worker_memory_mb
    wanted, rows = plan.pipeline.part_rows, plan.part_rows
    needed = estimate_mb(rows, plan.row_bytes.of(plan.stages[1].reads), base_mb(plan.pipeline.steps))
    if not limit:
        return (f"a worker needs about {needed} MB; [engine] worker_memory_mb sets no limit",)
    if needed > limit:
        return (
            f"a worker needs about {needed} MB even for {rows:,} rows, more than the {limit} MB of [engine] worker_memory_mb",
        )
    if rows < wanted:
        return (
            f"parts are cut from {wanted:,} to {rows:,} rows, so that a worker stays within {limit} MB (about {needed} MB)",
        )
    return (f"a worker needs about {needed} MB of the {limit} MB it may use",)


_Writes = tuple[tuple[str, str], ...]
_RECORDS = ("dropped and quarantined rows", "evidence: each with its step and its reason")


def _of_intake(plan: Plan, _stage: Stage, unknown: int) -> _Writes:
    if not unknown:
        return ()  # parts are ranges of records, which the next pass reads itself
    which = "the source" if unknown == len(plan.inputs) else f"{unknown} of {len(plan.inputs)} objects"
    return (("rows", f"{which} can only be read from the beginning: read once, checked, cut into parts"), _RECORDS)


def _of_map(plan: Plan, stage: Stage, _unknown: int) -> _Writes:
    if stage.keyed is not None:
        label = plan.labels[stage.keyed]
        return (
            ("keys", f"for {label}, by partition: narrow, never the rows"),
            ("rows", f"checkpoint: what becomes of them is known after {label}"),
            _RECORDS,
        )
    if stage.number == plan.splitting:
        return (("rows, by split", "checkpoint: where a shard begins depends on how many rows stay before it"), _RECORDS)
    return (("rows", "checkpoint: the model is fitted on all of them"), _RECORDS)


def _of_shards(plan: Plan, _stage: Stage, _unknown: int) -> _Writes:
    checks = (("keys of the expectations", "what must be unique is compared over all shards"),) if plan.suite else ()
    return (
        ("shards", "the release: Parquet, each with its content digest and SHA-256"),
        ("provenance", "evidence: source object and record of every row"),
        *checks,
    )


_WRITES: dict[StageKind, Callable[[Plan, Stage, int], _Writes]] = {
    StageKind.INTAKE: _of_intake,
    StageKind.MAP: _of_map,
    StageKind.REDUCE: lambda *_: (("findings", "one file per partition"),),
    StageKind.CONFIRM: lambda *_: (("findings", "pairs that hold when the rows themselves are compared"),),
    StageKind.REFERENCE: lambda *_: (("entries", "the reference, by partition: it need not fit into memory"),),
    StageKind.SETTLE: lambda *_: (("verdicts", "by part, to be joined to the rows"),),
    StageKind.FIT: lambda *_: (("model", "sensitive: it stays in the lab"), ("dropped rows", "every real row is withheld")),
    StageKind.GENERATE: lambda *_: (("rows, by split", "checkpoint, as above"),),
    StageKind.SHUFFLE: lambda *_: (("rows, by split", "in their new order"),),
    StageKind.SHARDS: _of_shards,
}
