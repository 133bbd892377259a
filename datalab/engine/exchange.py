"""The exchange of a keyed step: narrow keys out by partition, findings per partition, verdicts back by part.

A keys file holds one record batch per partition, a verdicts file one per part, so that each reader maps the file and takes just
its batch. The number of partitions follows from the rows, never from the workers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from datalab.engine.context import WorkerContext
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.errors import RunFailed
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import IDENTITY, ROW, SOURCE, KeyedStep

if TYPE_CHECKING:
    from pathlib import Path

_ROWS_PER_PARTITION = 200_000
_MOST_PARTITIONS = 1024


def partitions_for(rows: int) -> int:
    """Return how many partitions a keyed step over ``rows`` rows gets."""
    return max(1, min(_MOST_PARTITIONS, -(-rows // _ROWS_PER_PARTITION)))


def write_keys(folder: RunFolder, name: str, keys: pl.DataFrame, partitions: int) -> FileRef:
    """Write key rows (column ``key``: UInt64) cut by ``key % partitions``."""
    if keys.schema.get("key") != pl.UInt64:
        raise RunFailed("a keyed step must give its key rows a UInt64 column 'key'", next="correct keys() of the step")
    return write_partitioned(folder, name, keys, (pl.col("key") % partitions).cast(pl.UInt32), partitions)


def write_partitioned(folder: RunFolder, name: str, frame: pl.DataFrame, place: pl.Expr, count: int) -> FileRef:
    """Write ``frame`` as ``count`` record batches; row order is kept within each."""
    ordered = frame.with_columns(place.alias("_dl_place")).sort("_dl_place", maintain_order=True)
    starts = ordered["_dl_place"].search_sorted(pl.Series(range(count + 1), dtype=pl.UInt32), side="left").to_list()
    table = ordered.drop("_dl_place").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()

    def batches() -> Iterator[pa.RecordBatch]:
        for start, stop in pairwise(starts):
            piece = table.slice(start, stop - start).combine_chunks().to_batches()
            yield piece[0] if piece else pa.RecordBatch.from_pylist([], schema=table.schema)

    return folder.write_frame(name, batches(), table.schema)


def read_batch(path: Path, place: int) -> pl.DataFrame:
    """Read one record batch of a partitioned file."""
    frame = pl.from_arrow(map_batch(path, place))
    assert isinstance(frame, pl.DataFrame)
    return frame


def map_batch(path: Path, place: int) -> pa.RecordBatch:
    """Map one record batch of a partitioned file into memory: its bytes are read when they are looked at."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).get_batch(place)


def reduce_partition(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Reduce one partition. ``detail``: ``keys``, the key files of all parts in order, and ``parts`` ([source, first, last] each).

    The findings of a step that does not settle them are its verdicts, and are cut by part at once: no process ever holds them all.
    """
    started = time.perf_counter()
    step = _keyed_step(plan, task)
    keys = pl.concat([read_batch(folder.path(name), task.part) for name in task.detail["keys"]])
    keys = keys.sort("key", *IDENTITY, maintain_order=True)
    findings = step.reduce(keys, WorkerContext(plan.pipeline.seed, task.part, plan, folder))
    name = f"findings/{task.stage:02d}/{task.part:06d}.arrow"
    if step.settles:
        ref = folder.write_rows(name, findings)
    else:
        ref = write_partitioned(folder, name, _verdicts(findings), *_part_of(task.detail["parts"]))
    receipt = Receipt(plan.id, task.stage, task.part, Rows(), {"findings": ref}, attempt=task.attempt)
    return measured(receipt, started)


def settle(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Settle all findings and cut the verdicts by part. ``detail``: ``findings`` (files), ``parts`` as in `reduce_partition`."""
    started = time.perf_counter()
    step = _keyed_step(plan, task)
    context = WorkerContext(plan.pipeline.seed, task.part, plan, folder)
    verdicts = _verdicts(step.settle((folder.read_rows(name) for name in task.detail["findings"]), context))
    if verdicts.select(IDENTITY).is_duplicated().any():
        raise RunFailed(f"{step.name} names a row twice", next="correct settle() of the step")
    ref = write_partitioned(folder, f"verdicts/{task.stage:02d}.arrow", verdicts, *_part_of(task.detail["parts"]))
    receipt = Receipt(plan.id, task.stage, task.part, Rows(), {"verdicts": ref}, attempt=task.attempt)
    return measured(receipt, started)


def verdicts_of_part(folder: RunFolder, files: Sequence[str], part: int) -> pl.DataFrame:
    """Return the verdicts for one part, identity and ``reason``, from the files that hold them by part."""
    verdicts = pl.concat([read_batch(folder.path(name), part) for name in files])
    return verdicts.unique(subset=list(IDENTITY), keep="first", maintain_order=True)


def _verdicts(frame: pl.DataFrame) -> pl.DataFrame:
    columns = pl.col(SOURCE).cast(pl.UInt32), pl.col(ROW).cast(pl.UInt64), pl.col("reason").cast(pl.String)
    return frame.select(columns).sort(IDENTITY, maintain_order=True)


def _part_of(parts: list[list[int]]) -> tuple[pl.Expr, int]:
    """Return the expression that finds each row's part from the parts' [source, first, last] ranges, which ascend."""
    starts = pl.Series([(source << 44) | first for source, first, _last in parts], dtype=pl.UInt64)
    place = pl.col(SOURCE).cast(pl.UInt64) * (1 << 44) + pl.col(ROW)
    return place.map_batches(
        lambda at: starts.search_sorted(at, side="right").cast(pl.UInt32) - 1, return_dtype=pl.UInt32
    ), len(parts)


def _keyed_step(plan: Plan, task: Task) -> KeyedStep:
    keyed = plan.stages[task.stage].keyed
    assert keyed is not None
    step = plan.pipeline.steps[keyed]
    assert isinstance(step, KeyedStep)
    return step
