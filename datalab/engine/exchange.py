"""The exchange of a keyed step: narrow keys out by partition, findings per partition, verdicts back by part.

A keys file holds one record batch per partition, a verdicts file one per part, so that each reader takes just its batch. The number
of partitions follows from the rows and what a step sends of each, never from the workers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from datalab.engine.apply import Batch
from datalab.engine.context import WorkerContext
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.errors import ConservationError, RunFailed
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import IDENTITY, ROW, SOURCE, KeyedStep, Keys, LookupStep, PairStep

if TYPE_CHECKING:
    from pathlib import Path

_PARTITION_BYTES = 16 << 20
"""What a partition is to hold, uncompressed; sorting and comparing take a few times as much."""
_MOST_PARTITIONS = 2048
_ROW_BYTES = 160


def partitions_for(rows: int, row_bytes: int = _ROW_BYTES) -> int:
    """Return how many partitions an exchange of ``row_bytes`` for each of ``rows`` rows gets."""
    return max(1, min(_MOST_PARTITIONS, -(-rows * row_bytes // _PARTITION_BYTES)))


def send_keys(plan: Plan, folder: RunFolder, task: Task, batch: Batch, context: WorkerContext) -> dict[str, FileRef]:
    """Write the keys of a part for the keyed step that ends its stage, and take out the rows that are certain to fall.

    A part that is only probed writes nothing, and so does a step that is certain of every row.
    """
    place = plan.stages[task.stage].keyed
    assert place is not None
    step = plan.pipeline.steps[place]
    with batch.costs.of(plan.labels[place], batch.frame):
        if isinstance(step, LookupStep):
            made = Keys(step.asks(batch.frame))
        else:
            assert isinstance(step, KeyedStep)
            found = step.keys(batch.frame, context)
            made = found if isinstance(found, Keys) else Keys(found)
    if made.certain is not None and made.certain.height:
        drop_named(batch, plan.labels[place], made.certain.sort(IDENTITY))
    if "probe" in task.detail or not (isinstance(step, LookupStep) or step.exchanges):
        return {}
    name = f"{task.stage:02d}/{task.part:06d}.arrow"
    files = {"keys": write_keys(folder, f"keys/{name}", made.rows, task.detail["partitions"])}
    if made.evidence is not None:
        files["evidence"] = folder.write_rows(f"evidence/{name}", made.evidence)
    return files


def drop_named(batch: Batch, label: str, verdicts: pl.DataFrame) -> None:
    """Drop the rows that ``verdicts`` (identity, ``reason``, each row once, in order) names; each of them must be there."""
    rows, named = packed(batch.frame), packed(verdicts)
    place = np.searchsorted(rows, named)
    found = place < len(rows)
    found[found] = rows[place[found]] == named[found]
    if not found.all():
        raise ConservationError(
            f"{label} names {verdicts.height} rows to drop, {int(found.sum())} of them are there",
            next="it must name each row once, and only rows it was given",
        )
    at = np.full(len(rows), -1)
    at[place] = np.arange(len(named))
    batch.drop(label, verdicts.get_column("reason").gather(pl.Series(at, dtype=pl.Int64).replace(-1, None)))


def packed(frame: pl.DataFrame, names: Sequence[str] = IDENTITY) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the identity of each row as one number, in the order of identities."""
    source, row = (frame.get_column(name).to_numpy().astype(np.int64) for name in names)
    return (source << 44) + row


def judge(plan: Plan, folder: RunFolder, task: Task, batch: Batch, context: WorkerContext) -> None:
    """Drop the rows that the keyed step before this stage decided against."""
    place, files = task.detail["verdicts"]["keyed"], task.detail["verdicts"]["files"]
    if task.detail["verdicts"].get("whole"):
        step = plan.pipeline.steps[place]
        assert isinstance(step, KeyedStep)
        batch.drop(plan.labels[place], step.judge(batch.frame, folder.read_rows(files[0]), context))
        return
    verdicts = verdicts_of_part(folder, files, task.part)
    if "probe" in task.detail:
        verdicts = verdicts.join(batch.frame.select(IDENTITY), on=list(IDENTITY), how="semi")
    drop_named(batch, plan.labels[place], verdicts)


def write_keys(folder: RunFolder, name: str, keys: pl.DataFrame, partitions: int) -> FileRef:
    """Write key rows (column ``key``: UInt64) cut by ``key % partitions``."""
    if keys.schema.get("key") != pl.UInt64:
        raise RunFailed("a keyed step must give its key rows a UInt64 column 'key'", next="correct keys() of the step")
    return write_partitioned(folder, name, keys, (pl.col("key") % partitions).cast(pl.UInt32), partitions)


def write_partitioned(folder: RunFolder, name: str, frame: pl.DataFrame, place: pl.Expr, count: int) -> FileRef:
    """Write ``frame`` as ``count`` record batches, ``place`` says which; row order is kept within each."""
    number = frame.select(place.alias("_dl_place")).to_series().to_numpy()
    sizes = np.bincount(number, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    small = np.uint16 if count <= 1 << 16 else np.uint32  # of 16 bits numpy makes a radix sort
    ordered = frame if count == 1 else frame[np.argsort(number.astype(small), kind="stable")]
    return write_pieces(folder, name, (ordered.slice(start, stop - start) for start, stop in pairwise(starts)), frame.head(0))


def write_pieces(folder: RunFolder, name: str, pieces: Iterable[pl.DataFrame], like: pl.DataFrame) -> FileRef:
    """Write one record batch per piece, one piece in memory at a time; all have the schema of ``like``."""
    schema = _arrow(like).schema
    # Not by from_pylist, which loads pandas.
    nothing = pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)

    def batches() -> Iterator[pa.RecordBatch]:
        for piece in pieces:
            batch = _arrow(piece).combine_chunks().to_batches()
            yield batch[0] if batch else nothing

    return folder.write_frame(name, batches(), schema)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def read_batch(path: Path, place: int) -> pl.DataFrame:
    """Read one record batch of a partitioned file. It is not mapped: a task reads one of every part's, and each map holds pages beside it."""
    return _batch(pa.OSFile(str(path), "rb"), place)


def map_batch(path: Path, place: int) -> pl.DataFrame:
    """Map one record batch of a partitioned file into memory: its bytes are read when they are looked at."""
    return _batch(pa.memory_map(str(path)), place)


def _batch(source: pa.NativeFile, place: int) -> pl.DataFrame:
    with source:
        frame = pl.from_arrow(pa.ipc.open_file(source).get_batch(place))
    assert isinstance(frame, pl.DataFrame)
    return frame


def reduce_partition(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Reduce one partition. ``detail``: ``keys``, the key files of all parts in order, and ``parts`` ([source, first, last] each).

    The findings of a step that does not settle them are its verdicts, and are cut by part at once: no process ever holds them all.
    """
    if isinstance(plan.pipeline.steps[plan.stages[task.stage].keyed or 0], LookupStep):
        from datalab.engine.lookup import answer

        return answer(plan, folder, task)
    started = time.perf_counter()
    step = plan.keyed_step(task.stage, KeyedStep)
    keys = pl.concat([read_batch(folder.path(name), task.part) for name in task.detail["keys"]])
    keys = keys[_key_order(keys)]
    findings = step.reduce(keys, WorkerContext(plan.pipeline.seed, task.part, plan, folder))
    name = f"findings/{task.stage:02d}/{task.part:06d}.arrow"
    if isinstance(step, PairStep):  # each candidate goes to the part of its later row
        ref = write_partitioned(folder, name, findings, *part_of(task.detail["parts"]))
    elif step.settles:
        ref = folder.write_rows(name, findings)
    else:
        ref = write_partitioned(folder, name, _verdicts(findings), *part_of(task.detail["parts"]))
    receipt = Receipt(plan.id, task.stage, task.part, Rows(), {"findings": ref}, attempt=task.attempt)
    return measured(receipt, started)


def settle(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Settle all findings and cut the verdicts by part. ``detail``: ``findings`` (files), ``parts`` as in `reduce_partition`."""
    started = time.perf_counter()
    step = plan.keyed_step(task.stage, KeyedStep)
    if isinstance(step, PairStep):
        from datalab.engine.pairs import settle_groups

        return settle_groups(plan, folder, task)
    context = WorkerContext(plan.pipeline.seed, task.part, plan, folder)
    settled = step.settle((folder.read_rows(name) for name in task.detail["findings"]), context)
    if SOURCE not in settled.columns:
        ref = folder.write_rows(f"verdicts/{task.stage:02d}.arrow", settled)
        receipt = Receipt(plan.id, task.stage, task.part, Rows(), {"verdicts": ref}, {}, {"whole": True}, attempt=task.attempt)
        return measured(receipt, started)
    verdicts = _verdicts(settled)
    if verdicts.select(IDENTITY).is_duplicated().any():
        raise RunFailed(f"{step.name} names a row twice", next="correct settle() of the step")
    ref = write_partitioned(folder, f"verdicts/{task.stage:02d}.arrow", verdicts, *part_of(task.detail["parts"]))
    receipt = Receipt(plan.id, task.stage, task.part, Rows(), {"verdicts": ref}, attempt=task.attempt)
    return measured(receipt, started)


def verdicts_of_part(folder: RunFolder, files: Sequence[str], part: int) -> pl.DataFrame:
    """Return the verdicts for one part in the order of its rows, each row once, from the files that hold them by part."""
    verdicts = pl.concat([read_batch(folder.path(name), part) for name in files])
    _, first = np.unique(packed(verdicts), return_index=True)
    return verdicts.select(pl.all().gather(first))


def _verdicts(frame: pl.DataFrame) -> pl.DataFrame:
    columns = pl.col(SOURCE).cast(pl.UInt32), pl.col(ROW).cast(pl.UInt64), pl.col("reason").cast(pl.String)
    return frame.select(columns)[np.argsort(packed(frame))]


def _key_order(keys: pl.DataFrame) -> np.ndarray[Any, Any]:
    """Return the order of key rows by (key, identity).

    One sort of plain numbers does, the upper bits of the key with the place in the lower ones, where rows come in the order of their
    identities (the parts do, and most steps send them so) and no two keys differ in their lower bits alone.
    """
    key = keys.get_column("key").to_numpy()
    bits = np.uint64(max(1, (len(key) - 1).bit_length()))
    mask = (np.uint64(1) << bits) - np.uint64(1)
    if bool((np.diff(packed(keys)) >= 0).all()):
        place = (key & ~mask) | np.arange(len(key), dtype=np.uint64)
        place.sort()
        order = (place & mask).astype(np.int64)
        found = key[order]
        if bool((found[1:] >= found[:-1]).all()):
            return order
    return np.lexsort((packed(keys), key))


def part_of(parts: list[list[int]]) -> tuple[pl.Expr, int]:
    """Return the expression that finds each row's part from the parts' [source, first, last] ranges, which ascend."""
    starts = pl.Series([(source << 44) | first for source, first, _last in parts], dtype=pl.UInt64)
    place = pl.col(SOURCE).cast(pl.UInt64) * (1 << 44) + pl.col(ROW)
    return place.map_batches(
        lambda at: starts.search_sorted(at, side="right").cast(pl.UInt32) - 1, return_dtype=pl.UInt32
    ), len(parts)
