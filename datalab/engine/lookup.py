"""References larger than memory: their entries meet the keys that the parts ask for, and each part is lent what it asked for.

Keys that a part has often are asked for once, and every entry goes to one partition: neither a frequent key nor a large reference
fills a worker. What the step is lent is a small reference with the very columns of the large one, so the result is the same.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from datalab.engine.context import WorkerContext
from datalab.engine.exchange import part_of, read_batch, write_keys, write_partitioned
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Input, Plan
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.errors import ReadError
from datalab.formats import read
from datalab.model.receipt import Receipt, Rows
from datalab.model.step import IDENTITY, Bound, Context, LookupStep, MapStep, Outcome

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65_536


def reference_frames(name: str, item: Input) -> Iterator[pl.DataFrame]:
    """Read one object of a reference in batches. A broken record is an error, not a quarantine."""
    for chunk in read(item.object.path, item.options, batch_rows=_CHUNK):
        if chunk.faults:
            raise ReadError(
                f"reference {name!r} has a broken record ({chunk.faults[0].code})",
                where=f"{item.object.name}, line {chunk.faults[0].line}",
                next="a reference must be whole: correct it, or name another distribution",
            )
        yield chunk.frame


def take_entries(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Cut object ``task.part`` of a reference by partition. ``detail``: ``partitions``."""
    started = time.perf_counter()
    place = plan.stages[task.stage].keyed
    assert place is not None
    step = plan.keyed_step(task.stage, LookupStep)
    files = {}
    for number, frame in enumerate(reference_frames(step.source, plan.references[step.source][task.part])):
        entries = step.entries(frame, plan.schema_at(place))
        name = f"entries/{task.stage:02d}/{task.part:04d}-{number:06d}.arrow"
        files[f"entries-{number:06d}"] = write_keys(folder, name, entries, task.detail["partitions"])
    return measured(Receipt(plan.id, task.stage, task.part, Rows(), files, attempt=task.attempt), started)


def answer(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Answer the asks of one partition and cut the answers by part. ``detail``: ``keys``, ``entries``, ``parts``."""
    started = time.perf_counter()
    step = plan.keyed_step(task.stage, LookupStep)
    asks, entries = (_together(folder, task.detail[files], task.part) for files in ("keys", "entries"))
    answers = step.answers(asks, entries)
    ref = write_partitioned(folder, f"findings/{task.stage:02d}/{task.part:06d}.arrow", answers, *part_of(task.detail["parts"]))
    return measured(Receipt(plan.id, task.stage, task.part, Rows(), {"findings": ref}, attempt=task.attempt), started)


def lending(folder: RunFolder, task: Task, steps: Sequence[tuple[str, MapStep, Bound]]) -> Sequence[tuple[str, MapStep, Bound]]:
    """Return the steps of a map stage, the first one with the answers it asked for, where ``detail`` has them (``lookup``)."""
    if "lookup" not in task.detail:
        return steps
    (label, step, bound), *rest = steps
    assert isinstance(step, LookupStep)
    answers = _together(folder, task.detail["lookup"], task.part).drop(IDENTITY)
    return [(label, _Lent(step, answers), bound), *rest]


def _together(folder: RunFolder, files: Sequence[str], place: int) -> pl.DataFrame:
    paths: list[Path] = [folder.path(name) for name in files]
    return pl.concat([read_batch(path, place) for path in paths])


@dataclass(frozen=True, slots=True)
class _Lent(MapStep):
    """A step whose reference is the answers to one part."""

    step: LookupStep
    answers: pl.DataFrame

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        assert isinstance(context, WorkerContext)
        return self.step.apply(frame, dataclasses.replace(context, lent={self.step.source: self.answers}))
