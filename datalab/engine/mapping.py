"""A map part: verdicts of the keyed step before, the fused steps, keys for the keyed step after, the split at the end."""

from __future__ import annotations

import time
from typing import Any

import polars as pl

from datalab.engine.apply import Batch, apply_steps
from datalab.engine.columns import with_absent
from datalab.engine.context import WorkerContext
from datalab.engine.exchange import judge, send_keys
from datalab.engine.folder import RunFolder
from datalab.engine.lookup import lending
from datalab.engine.parts import read_part
from datalab.engine.plan import Plan
from datalab.engine.records import tally, write_drops, write_quarantine
from datalab.engine.splits import select_splits, write_splits
from datalab.engine.task import Task
from datalab.engine.worker import READ, WRITE, Costs, measured
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import IDENTITY, ROW, MapStep

CRASH = "worker-crash"


def map_part(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Work one part through one map stage.

    ``detail``: the input (`datalab.engine.parts.read_part`), ``verdicts`` ({``keyed``: place of the step, ``files``, ``whole``: one table
    for all parts}, or absent), ``lookup`` (files with the answers that the first step asked for, or absent), ``partitions`` (for keys),
    ``split`` (true in the last pass), ``shuffle`` (then: partitions, 0 where rows keep their order), ``poison`` (row ordinals that
    crashed a worker), ``probe`` ([start, stop]: try only these rows).
    """
    started = time.perf_counter()
    stage = plan.stages[task.stage]
    context = WorkerContext(plan.pipeline.seed, task.part, plan, folder)
    costs = Costs()
    with costs.of(READ):
        frame = read_part(plan, folder, task.detail)
        if "probe" in task.detail:
            start, stop = task.detail["probe"]
            frame = frame.slice(start, stop - start)
    rows_in = frame.height
    schema = plan.schema_before(stage)
    batch = Batch(with_absent(frame, schema), frozenset(schema) - frozenset(frame.columns), costs=costs)
    _set_poison_apart(plan, task, batch)
    if "verdicts" in task.detail:
        judge(plan, folder, task, batch, context)
    steps = [(plan.labels[place], plan.pipeline.steps[place], plan.bound[place]) for place in stage.steps]
    apply_steps(
        batch,
        lending(folder, task, [(label, step, bound) for label, step, bound in steps if isinstance(step, MapStep)]),
        context,
    )
    files: dict[str, FileRef] = {}
    facts: dict[str, Any] = {}
    if stage.keyed is not None:
        files = send_keys(plan, folder, task, batch, context)
    frame = batch.frame
    name = f"{task.stage:02d}/{task.part:06d}"
    if not _is_probe(task):
        with costs.of(WRITE, frame):
            frame = frame.select(*IDENTITY, *stage.writes)
            if _only_splits(plan, task):
                files["rows"], facts = select_splits(folder, f"rows/{name}.arrow", frame, plan, task.detail["rows"])
            elif task.detail.get("split"):
                files["rows"], facts = write_splits(folder, f"rows/{name}.arrow", frame, plan, task.detail["shuffle"])
            else:
                files["rows"] = folder.write_rows(f"rows/{name}.arrow", frame)
            records = {
                "dropped": write_drops(folder, f"dropped/{name}.parquet", batch.dropped),
                "quarantine": write_quarantine(folder, f"quarantine/{name}.parquet", batch.quarantined),
            }
            files |= {role: ref for role, ref in records.items() if ref}
    return measured(
        Receipt(
            plan=plan.id,
            phase=task.stage,
            part=task.part,
            rows=Rows(
                rows_in=rows_in,
                kept=frame.height,
                dropped=tally(batch.dropped, "reason"),
                quarantined=tally(batch.quarantined, "code"),
            ),
            files=files,
            counts=batch.counts,
            facts=facts,
            attempt=task.attempt,
        ),
        started,
        costs,
    )


def _only_splits(plan: Plan, task: Task) -> bool:
    """Whether the pass only takes rows out and splits the rest, so that they can stay where they are."""
    release, detail = plan.pipeline.release, task.detail
    moved = detail.get("shuffle") or release.bytes_per_shard
    return bool(detail.get("split")) and "rows" in detail and not plan.stages[task.stage].steps and not moved


def _is_probe(task: Task) -> bool:
    return "probe" in task.detail


def _set_poison_apart(plan: Plan, task: Task, batch: Batch) -> None:
    """Quarantine rows that killed a worker before any step sees them again."""
    poison = task.detail.get("poison", [])
    if poison:
        stage = plan.stages[task.stage]
        label = plan.labels[stage.steps[0]] if stage.steps else f"{task.stage:02d} {stage.kind}"
        bad = batch.frame[ROW].is_in(pl.Series(poison, dtype=pl.UInt64).implode())
        batch.quarantine(label, pl.select(pl.when(bad).then(pl.lit(CRASH)))["literal"])
