"""Parts of a source: ranges of row groups where the file tells them, so that no pass is needed to cut them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalab.errors import ReadError
from datalab.formats import ReadOptions, groups, read_groups
from datalab.model.step import ROW, SOURCE

if TYPE_CHECKING:
    import polars as pl

    from datalab.engine.folder import RunFolder
    from datalab.engine.plan import Plan

_LARGEST = 2
"""A row group of up to this many times the rows of a part is one part; a file with larger ones is cut by reading it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part that is read straight from its source: row groups ``first_group`` to ``last_group``, rows from ``first``."""

    first_group: int
    last_group: int
    first: int
    rows: int


def spans(path: Path, options: ReadOptions, part_rows: int) -> list[Span] | None:
    """Cut a landed object along its row groups into parts of about ``part_rows`` rows; None where it must be read to be cut."""
    counts = groups(path, options)
    if counts is None or max(counts, default=0) > _LARGEST * part_rows:
        return None
    return _grouped(counts, part_rows)


def read_part(plan: Plan, folder: RunFolder, detail: Mapping[str, Any]) -> pl.DataFrame:
    """Read the rows of a part with their identity.

    ``detail``: ``rows``, a file of an earlier pass; or ``source`` and ``span`` (`Span`, as a list) of one that is read from its source.
    """
    if "rows" in detail:
        return folder.read_rows(detail["rows"])
    import polars as pl

    source, span = plan.inputs[detail["source"]], Span(*detail["span"])
    columns = plan.stages[1].reads
    frame = read_groups(source.object.path, source.options, span.first_group, span.last_group, columns)
    if frame.height != span.rows or dict(frame.schema) != {name: plan.schema_in[name] for name in columns}:
        raise ReadError(
            f"row groups {span.first_group} to {span.last_group} hold other rows or columns than the file states",
            where=source.object.name,
            next="it is damaged: fetch it again",
        )
    return frame.with_columns(
        pl.lit(source.object.ordinal, pl.UInt32).alias(SOURCE),
        pl.int_range(span.first, span.first + span.rows, dtype=pl.UInt64, eager=True).alias(ROW),
    )


def ordinals(folder: RunFolder, detail: Mapping[str, Any]) -> pl.Series:
    """Return the record ordinals of a part without reading more than needed."""
    import polars as pl

    if "rows" in detail:
        return folder.read_rows(detail["rows"]).get_column(ROW)
    span = Span(*detail["span"])
    return pl.int_range(span.first, span.first + span.rows, dtype=pl.UInt64, eager=True).alias(ROW)


def _grouped(counts: Sequence[int], part_rows: int) -> list[Span]:
    found: list[Span] = []
    first = 0
    for place, rows in enumerate(counts):
        if rows and found and found[-1].last_group == place - 1 and found[-1].rows + rows <= part_rows:
            last = found[-1]
            found[-1] = Span(last.first_group, place, last.first, last.rows + rows)
        elif rows:
            found.append(Span(place, place, first, rows))
        first += rows
    return found
