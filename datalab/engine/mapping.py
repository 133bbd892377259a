"""A map part: verdicts of the keyed step before, the fused steps, keys for the keyed step after, the split at the end."""

from __future__ import annotations

import time
from typing import Any

import polars as pl

from datalab.engine.apply import Batch, apply_steps
from datalab.engine.context import WorkerContext
from datalab.engine.exchange import judge, send_keys
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.records import tally, write_drops, write_quarantine
from datalab.engine.splits import add_split, split_counts
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import ROW, MapStep

CRASH = "worker-crash"


def map_part(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Work one part through one map stage.

    ``detail``: ``rows`` (input file), ``verdicts`` ({``keyed``: place of the step, ``files``}, or absent), ``partitions`` (for keys),
    ``split`` (true in the last pass), ``poison`` (row ordinals that crashed a worker), ``probe`` ([start, stop]: try only these rows).
    """
    started = time.perf_counter()
    stage = plan.stages[task.stage]
    context = WorkerContext(plan.pipeline.seed, task.part, plan, folder)
    frame = folder.read_rows(task.detail["rows"])
    if "probe" in task.detail:
        start, stop = task.detail["probe"]
        frame = frame.slice(start, stop - start)
    rows_in = frame.height
    batch = Batch(frame)
    _set_poison_apart(plan, task, batch)
    if "verdicts" in task.detail:
        judge(plan, folder, task, batch, context)
    steps = [(plan.labels[place], plan.pipeline.steps[place], plan.bound[place]) for place in stage.steps]
    done = apply_steps(
        batch.frame, [(label, step, bound) for label, step, bound in steps if isinstance(step, MapStep)], context
    )
    files: dict[str, FileRef] = {}
    facts: dict[str, Any] = {}
    if stage.keyed is not None:
        files = send_keys(plan, folder, task, done, context)
    dropped, quarantined = batch.dropped + done.dropped, batch.quarantined + done.quarantined
    frame = done.frame
    name = f"{task.stage:02d}/{task.part:06d}"
    if task.detail.get("split"):
        frame = add_split(frame, plan)
        facts["splits"] = split_counts(frame, plan)
    if not _is_probe(task):
        records = {
            "rows": folder.write_rows(f"rows/{name}.arrow", frame),
            "dropped": write_drops(folder, f"dropped/{name}.parquet", dropped),
            "quarantine": write_quarantine(folder, f"quarantine/{name}.parquet", quarantined),
        }
        files |= {role: ref for role, ref in records.items() if ref}
    return measured(
        Receipt(
            plan=plan.id,
            phase=task.stage,
            part=task.part,
            rows=Rows(
                rows_in=rows_in, kept=frame.height, dropped=tally(dropped, "reason"), quarantined=tally(quarantined, "code")
            ),
            files=files,
            counts=done.counts,
            facts=facts,
            attempt=task.attempt,
        ),
        started,
    )


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
