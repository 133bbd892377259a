"""Synthesis in the engine: fit on the prepared rows, withhold every one of them, generate parts of new rows."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from typing import Any

import polars as pl

from datalab.engine.context import WorkerContext
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.records import write_drops
from datalab.engine.splits import write_splits
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.errors import RunFailed
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import IDENTITY, ROW, SOURCE, Fitted, GenerateStep

WITHHELD = "real-row-withheld"
_MODEL = "model/fitted.pickle"


def fit(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Fit the generating step. ``detail``: ``rows``, the files of the prepared rows in order."""
    started = time.perf_counter()
    step, label = _step(plan, task)
    names = list(task.detail["rows"])

    def frames() -> Iterator[pl.DataFrame]:
        return (folder.read_rows(name) for name in names)

    scratch = folder.path("model/scratch")
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    fitted = step.fit(frames, WorkerContext(plan.pipeline.seed, 0, plan, folder), scratch)
    folder.write(_MODEL, pickle.dumps(fitted, protocol=5))
    files: dict[str, FileRef] = {"model": folder.refer(_MODEL, 0)}
    rows_in = 0
    for place, frame in enumerate(frames()):
        rows_in += frame.height
        withheld = frame.select(IDENTITY).with_columns(step=pl.lit(label), reason=pl.lit(WITHHELD))
        if ref := write_drops(folder, f"dropped/{task.stage:02d}/{place:06d}.parquet", [withheld] if frame.height else []):
            files[f"dropped-{place:06d}"] = ref
    dropped = {label: {WITHHELD: rows_in}} if rows_in else {}
    receipt = Receipt(
        plan=plan.id,
        phase=task.stage,
        part=0,
        rows=Rows(rows_in=rows_in, dropped=dropped),
        files=files,
        facts=_facts(fitted, step.total(rows_in)),
        attempt=task.attempt,
    )
    return measured(receipt, started)


def generate(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Generate one part of synthetic rows. ``detail``: ``start``, ``count``, ``shuffle`` (partitions, or 0). Their origin is the model, never a person."""
    started = time.perf_counter()
    step, label = _step(plan, task)
    fitted: Fitted = pickle.loads(folder.path(_MODEL).read_bytes())  # noqa: S301 - our own file in a 0700 folder
    start, count = task.detail["start"], task.detail["count"]
    frame = step.sample(fitted, start, count, WorkerContext(plan.pipeline.seed, task.part, plan, folder))
    if frame.height != count or frame.schema != fitted.schema:
        raise RunFailed(f"{label} gave {frame.height} rows instead of {count}, or other columns than it declared")
    frame = frame.with_columns(
        pl.lit(len(plan.inputs), pl.UInt32).alias(SOURCE), pl.int_range(start, start + count, dtype=pl.UInt64).alias(ROW)
    )
    ref, facts = write_splits(folder, f"rows/{task.stage:02d}/{task.part:06d}.arrow", frame, plan, task.detail["shuffle"])
    receipt = Receipt(
        plan=plan.id,
        phase=task.stage,
        part=task.part,
        rows=Rows(generated=count, kept=count),
        files={"rows": ref},
        facts=facts,
        attempt=task.attempt,
    )
    return measured(receipt, started)


def _step(plan: Plan, task: Task) -> tuple[GenerateStep, str]:
    place = plan.stages[task.stage].steps[0]
    step = plan.pipeline.steps[place]
    assert isinstance(step, GenerateStep)
    return step, plan.labels[place]


def _facts(fitted: Fitted, total: int) -> dict[str, Any]:
    return {
        "total": total,
        "trained_on": fitted.rows,
        "privacy": [
            {
                "name": test.name,
                "value": test.value,
                "threshold": test.threshold,
                "passed": test.passed,
                "meaning": test.meaning,
            }
            for test in fitted.privacy
        ],
        "quality": dict(fitted.quality),
        "details": dict(fitted.details),
    }
