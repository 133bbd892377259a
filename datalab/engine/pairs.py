"""Pairs of rows that belong together: candidates are confirmed by evidence, confirmed pairs make groups, one row of each stays.

Candidates come sorted to the part of their later row. The evidence of all parts is mapped, not read: a task takes the few
rows it compares from where they lie. Groups are built in a file, edge by edge, so that neither rows nor pairs need to fit into memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from datalab.engine.exchange import packed, read_batch, write_pieces
from datalab.engine.folder import RunFolder, temporary_beside
from datalab.engine.plan import Plan
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.kernels.components import Forest
from datalab.model.receipt import Receipt, Rows
from datalab.model.step import IDENTITY, OTHER, ROW, SOURCE, PairStep

Array = np.ndarray[Any, np.dtype[Any]]

_WEIGHT = 1 << 20
"""Evidence compared in one go."""
_IN_MEMORY = 1 << 22
"""Rows up to which groups are built in memory."""
_RANK = "rank"
_IDENTITY = {SOURCE: pl.UInt32, ROW: pl.UInt64}
_VERDICTS = pl.DataFrame(schema={**_IDENTITY, "reason": pl.String})


def confirm(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Confirm the candidates whose later row is in one part. ``detail``: ``findings``, ``evidence`` (files of all parts), ``parts``."""
    started = time.perf_counter()
    step, parts = plan.keyed_step(task.stage, PairStep), task.detail["parts"]
    tables = [read_batch(folder.path(name), task.part) for name in task.detail["findings"]]
    candidates = pl.concat(tables).unique().sort(*OTHER, *IDENTITY)
    sure = candidates.filter("sure").select(*IDENTITY, *OTHER)
    asked = candidates.filter(~pl.col("sure")).select(*IDENTITY, *OTHER)
    confirmed = [sure, *_confirmed(step, folder, task, asked, _Numbering(parts))]
    pairs = pl.concat(confirmed)
    ref = folder.write_rows(f"pairs/{task.stage:02d}/{task.part:06d}.arrow", pairs)
    counts = {
        plan.labels[plan.stages[task.stage].keyed or 0]: {"pairs-compared": asked.height, "pairs-confirmed": pairs.height}
    }
    counts = counts if asked.height else {}
    return measured(Receipt(plan.id, task.stage, task.part, Rows(), {"findings": ref}, counts, attempt=task.attempt), started)


def settle_groups(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Build the groups and cut the verdicts by part. ``detail``: ``findings`` (pairs), ``evidence``, ``parts``.

    What it works in has names of its own: another process may be at the same task (a member of a crew that was silent for a while).
    """
    started = time.perf_counter()
    step, numbering = plan.keyed_step(task.stage, PairStep), _Numbering(task.detail["parts"])
    scratch = folder.path(f"scratch/{task.stage:02d}")
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    groups = _Groups(scratch, numbering)
    try:
        for name in task.detail["findings"]:
            pairs = folder.read_rows(name)
            groups.join(numbering.of(pairs, IDENTITY), numbering.of(pairs, OTHER))
        if ranks := _ranks(folder, task, numbering):
            groups.choose(ranks)
        verdicts = (groups.fallen(part, step.reason) for part in range(len(numbering.sizes)))
        ref = write_pieces(folder, f"verdicts/{task.stage:02d}.arrow", verdicts, _VERDICTS)
    finally:
        groups.close()
    receipt = Receipt(plan.id, task.stage, task.part, Rows(), {"verdicts": ref}, attempt=task.attempt)
    return measured(receipt, started)


class _Numbering:
    """Numbers all rows of all parts in their order: row ``first + i`` of part p has number ``starts[p] + i``."""

    def __init__(self, parts: list[list[int]]) -> None:
        self.parts = parts
        self.sizes = np.array([last - first + 1 for _, first, last in parts], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self._packed = np.array([(source << 44) | first for source, first, _ in parts], dtype=np.int64)

    def part(self, frame: pl.DataFrame, names: tuple[str, str]) -> Array:
        """Return the part of each row."""
        return np.asarray(np.searchsorted(self._packed, packed(frame, names), side="right") - 1)

    def of(self, frame: pl.DataFrame, names: tuple[str, str]) -> Array:
        """Return the number of each row."""
        part = self.part(frame, names)
        return np.asarray(self.starts[part] + packed(frame, names) - self._packed[part])


class _Groups:
    """Groups of numbered rows, kept in files where there are many."""

    def __init__(self, scratch: Path, numbering: _Numbering) -> None:
        self._scratch, self._numbering = scratch, numbering
        self._files: list[Path] = []
        self._rows = int(numbering.starts[-1])
        parents = self._array("parents", np.int64)
        for start in range(0, self._rows, _IN_MEMORY):
            parents[start : start + _IN_MEMORY] = np.arange(start, min(start + _IN_MEMORY, self._rows))
        self._forest = Forest(parents)
        self._touched = self._array("touched", np.bool_)
        self._stays: Array | None = None

    def close(self) -> None:
        """Remove the files."""
        while self._files:
            self._files.pop().unlink(missing_ok=True)

    def join(self, left: Array, right: Array) -> None:
        """Take in pairs."""
        for start in range(0, len(left), _WEIGHT):
            one, other = left[start : start + _WEIGHT], right[start : start + _WEIGHT]
            self._touched[one] = True
            self._touched[other] = True
            self._forest.join(one, other)

    def choose(self, ranks: Callable[[], Iterator[tuple[Array, Array]]]) -> None:
        """Choose of each group the row with the smallest rank, of equals the first. ``ranks`` yields (numbers, ranks), each time anew."""
        best, stays = self._array("best", np.uint64), self._array("stays", np.int64)
        best[:] = np.iinfo(np.uint64).max
        stays[:] = self._rows
        for numbers, rank in ranks():
            np.minimum.at(best, self._forest.roots(numbers), rank)
        for numbers, rank in ranks():
            roots = self._forest.roots(numbers)
            winning = rank == best[roots]
            np.minimum.at(stays, roots[winning], numbers[winning])
        self._stays = stays

    def fallen(self, part: int, reason: str) -> pl.DataFrame:
        """Return the verdicts on the rows of one part: all of a group but the one that stays."""
        start, stop = int(self._numbering.starts[part]), int(self._numbering.starts[part + 1])
        nodes = start + np.flatnonzero(self._touched[start:stop])
        stays = self._forest.roots(nodes)
        if self._stays is not None:
            stays = self._stays[stays]
        gone = nodes[stays != nodes]
        source, first, _ = self._numbering.parts[part]
        return pl.DataFrame({SOURCE: np.full(len(gone), source), ROW: gone - start + first}, schema_overrides=_IDENTITY).select(
            *IDENTITY, pl.lit(reason).alias("reason")
        )

    def _array(self, name: str, kind: Any) -> Array:
        if self._rows <= _IN_MEMORY:
            return np.zeros(self._rows, dtype=kind)
        self._files.append(temporary_beside(self._scratch / name))
        return np.memmap(self._files[-1], dtype=kind, mode="w+", shape=(self._rows,))


def _ranks(folder: RunFolder, task: Task, numbering: _Numbering) -> Callable[[], Iterator[tuple[Array, Array]]] | None:
    """Return what yields the numbers and ranks of all rows that may be in a group, or None where ranks do not matter."""
    files = task.detail["evidence"]
    if not files or _RANK not in _columns(folder, files[0]):
        return None

    def ranks() -> Iterator[tuple[Array, Array]]:
        for name in files:
            evidence = folder.read_rows(name)
            yield numbering.of(evidence, IDENTITY), evidence.get_column(_RANK).to_numpy()

    return ranks


def _columns(folder: RunFolder, name: str) -> list[str]:
    with pa.memory_map(str(folder.path(name))) as source:
        return list(pa.ipc.open_file(source).schema.names)


def _confirmed(
    step: PairStep, folder: RunFolder, task: Task, asked: pl.DataFrame, numbering: _Numbering
) -> Iterator[pl.DataFrame]:
    """Yield the pairs of ``asked`` (sorted by the other row) that the step confirms, part of the other row by part."""
    if not asked.height:
        return
    mine = folder.read_rows(task.detail["evidence"][task.part])
    parts = numbering.part(asked, OTHER)
    edges = [0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), asked.height]
    for start, stop in pairwise(edges):
        pairs = asked.slice(start, stop - start)
        theirs = folder.read_rows(task.detail["evidence"][int(parts[start])])
        left, right = _places(theirs, pairs, OTHER), _places(mine, pairs, IDENTITY)
        weights = theirs.get_column("weight").to_numpy()[left].astype(np.int64) + mine.get_column("weight").to_numpy()[right]
        bins = (np.cumsum(weights) - weights) // _WEIGHT
        for first, last in pairwise([0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), len(bins)]):
            piece = slice(first, last)
            yield pairs[piece].filter(step.confirm(theirs[left[piece]], mine[right[piece]]))


def _places(evidence: pl.DataFrame, pairs: pl.DataFrame, names: tuple[str, str]) -> Array:
    """Return where the rows that ``pairs`` name stand in the evidence of one part, which is in the order of its rows."""
    return np.asarray(np.searchsorted(evidence.get_column(ROW).to_numpy(), pairs.get_column(names[1]).to_numpy()))
