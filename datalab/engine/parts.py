"""Parts of a source: ranges of records where the file tells its row groups, so that no pass over the data is needed to cut it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from datalab.formats import borders, read_range
from datalab.model.step import ROW, SOURCE

if TYPE_CHECKING:
    from datalab.engine.folder import RunFolder
    from datalab.engine.plan import Input, Plan

Span = tuple[int, int]
"""First record (counted from 0) and number of records."""


def spans(source: Input, wanted: pl.Schema, part_rows: int) -> list[Span] | None:
    """Cut a landed object along its row groups into parts of up to ``part_rows`` rows; None where it must be read to be cut.

    Small row groups go together, a larger one is cut into equal parts.
    """
    counts = borders(source.object.path, source.options, wanted)
    if counts is None or (source.options.format == "arrow" and max(counts, default=0) > part_rows):
        return None  # a record batch may be compressed as a whole
    found: list[Span] = []
    first = 0
    for rows in counts:
        if rows and found and found[-1][1] + rows <= part_rows:
            found[-1] = (found[-1][0], found[-1][1] + rows)
        elif rows:
            found += _equal(first, rows, part_rows)
        first += rows
    return found


def read_part(plan: Plan, folder: RunFolder, detail: Mapping[str, Any]) -> pl.DataFrame:
    """Read the rows of a part with their identity.

    ``detail``: ``rows``, a file of an earlier pass; or ``source`` and ``span`` of one that is read straight from its source.
    """
    if "rows" in detail:
        return folder.read_rows(detail["rows"])
    source, (first, rows) = plan.inputs[detail["source"]], detail["span"]
    frame = read_range(source.object.path, source.options, first, rows, plan.schema_read)
    return frame.with_columns(pl.lit(source.object.ordinal, pl.UInt32).alias(SOURCE), _ordinals(first, rows))


def ordinals(folder: RunFolder, detail: Mapping[str, Any]) -> pl.Series:
    """Return the record ordinals of a part; one that is read from its source is not read for that."""
    return folder.read_rows(detail["rows"]).get_column(ROW) if "rows" in detail else _ordinals(*detail["span"])


def _ordinals(first: int, rows: int) -> pl.Series:
    return pl.int_range(first, first + rows, dtype=pl.UInt64, eager=True).alias(ROW)


def _equal(first: int, rows: int, part_rows: int) -> Sequence[Span]:
    count = -(-rows // part_rows)
    cuts = [first + rows * place // count for place in range(count + 1)]
    return [(start, stop - start) for start, stop in pairwise(cuts)]
