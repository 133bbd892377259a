"""Intake: one source object cut into parts. Where its row groups are such parts, that is a matter of its metadata.

Any other object is read once and written as parts of a fixed number of rows; what cannot be read is quarantined.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import polars as pl

from datalab.engine.folder import RunFolder
from datalab.engine.lookup import reference_frames
from datalab.engine.parts import spans
from datalab.engine.plan import Input, Plan
from datalab.engine.records import tally, write_quarantine
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.errors import ReadError
from datalab.formats import Fault, read
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import IDENTITY, ROW, SOURCE

LABEL = "00 intake"
_REFERENCE_ROWS = 5_000_000


def take_in(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Cut source object ``task.part`` into parts. The receipt's facts list them: source, first, last, rows; ``spans`` are read later."""
    started = time.perf_counter()
    source = plan.inputs[task.part]
    found = spans(source, plan.schema_read, plan.part_rows)
    if found is not None:
        total = sum(count for _, count in found)
        cut = [[source.object.ordinal, first, first + count - 1, count] for first, count in found]
        facts = {"parts": cut, "spans": [list(span) for span in found]}
        rows = Rows(rows_in=total, kept=total)
        return measured(Receipt(plan.id, task.stage, task.part, rows, {}, facts=facts, attempt=task.attempt), started)
    return measured(_rewritten(plan, folder, task, source), started)


def _rewritten(plan: Plan, folder: RunFolder, task: Task, source: Input) -> Receipt:
    wanted = plan.stages[1].reads
    options, schema = source.options, plan.schema_in
    if options.format in {"parquet", "arrow"}:  # these read single columns
        options = dataclasses.replace(options, columns=wanted)
        schema = plan.schema_read
    files: dict[str, FileRef] = {}
    parts: list[list[int]] = []
    faults: list[pl.DataFrame] = []
    kept = 0
    for chunk in read(source.object.path, options, batch_rows=plan.part_rows):
        if chunk.faults:
            faults.append(_fault_records(source.object.ordinal, chunk.faults))
        if chunk.frame.schema != schema:
            raise ReadError(
                f"the columns change in the middle of {source.object.name}",
                where=f"record {chunk.rows[0] if len(chunk.rows) else 0}",
                next="declare the columns and types in Source(read=…)",
            )
        if not chunk.frame.height:
            continue
        frame = chunk.frame.select(wanted).with_columns(
            pl.lit(source.object.ordinal, pl.UInt32).alias(SOURCE), chunk.rows.cast(pl.UInt64).alias(ROW)
        )
        name = f"rows/{task.stage:02d}/{task.part:04d}-{len(parts):06d}.arrow"
        files[f"rows-{len(parts):06d}"] = folder.write_rows(name, frame)
        parts.append([source.object.ordinal, int(frame[ROW][0]), int(frame[ROW][-1]), frame.height])
        kept += frame.height
    quarantine = write_quarantine(folder, f"quarantine/{task.stage:02d}/{task.part:06d}.parquet", faults)
    if quarantine:
        files["quarantine"] = quarantine
    bad = sum(frame.height for frame in faults)
    return Receipt(
        plan=plan.id,
        phase=task.stage,
        part=task.part,
        rows=Rows(rows_in=kept + bad, kept=kept, quarantined=tally(faults, "code")),
        files=files,
        facts={"parts": parts},
        attempt=task.attempt,
    )


def take_in_references(plan: Plan, folder: RunFolder) -> None:
    """Read the reference tables that are given whole, and keep them for the workers; the others are cut up by a stage of their own."""
    for name, inputs in plan.references.items():
        path = f"references/{name}.arrow"
        if name not in plan.exchanged and not folder.path(path).is_file():
            folder.write_rows(path, pl.concat(list(_reference_frames(name, inputs))))


def _reference_frames(name: str, inputs: tuple[Input, ...]) -> Iterator[pl.DataFrame]:
    rows = 0
    for item in inputs:
        for frame in reference_frames(name, item):
            rows += frame.height
            if rows > _REFERENCE_ROWS:
                raise ReadError(
                    f"reference {name!r} has more than {_REFERENCE_ROWS} rows",
                    where=item.object.name,
                    next="join it with enrich.Join and a smaller [engine] reference_mb, so that it is not given whole to every worker",
                )
            yield frame


def _fault_records(source: int, faults: tuple[Fault, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            SOURCE: [source] * len(faults),
            ROW: [fault.row for fault in faults],
            "step": [LABEL] * len(faults),
            "code": [fault.code for fault in faults],
            "line": [fault.line for fault in faults],
            "payload": [fault.payload for fault in faults],
        },
        schema={
            SOURCE: pl.UInt32,
            ROW: pl.UInt64,
            "step": pl.String,
            "code": pl.String,
            "line": pl.UInt64,
            "payload": pl.String,
        },
    ).sort(IDENTITY)
