"""Drop and quarantine records on disk, and the tallies made from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from datalab.engine.folder import RunFolder, writing
from datalab.model.receipt import FileRef
from datalab.model.sidecar import drop_schema, quarantine_schema
from datalab.model.step import IDENTITY, ROW, SOURCE
from datalab.ports.pieces import PieceFile

if TYPE_CHECKING:
    import pyarrow as pa


def write_drops(folder: RunFolder, name: str, records: Sequence[pl.DataFrame]) -> FileRef | None:
    """Write the drop records of a part; None where there are none."""
    return _write(folder, name, records, drop_schema())


def write_quarantine(folder: RunFolder, name: str, records: Sequence[pl.DataFrame]) -> FileRef | None:
    """Write the quarantine records of a part; None where there are none."""
    return _write(folder, name, records, quarantine_schema())


def tally(records: Sequence[pl.DataFrame], column: str) -> dict[str, dict[str, int]]:
    """Count records by step and by ``column`` (``reason`` or ``code``), steps in order of appearance, reasons by name."""
    total: dict[str, dict[str, int]] = {}
    for frame in records:
        for step, word, number in frame.group_by("step", column).len().sort("step", column).rows():
            mine = total.setdefault(step, {})
            mine[word] = mine.get(word, 0) + number
    return total


def write_identity_table(folder: RunFolder, name: str, table: pa.Table) -> FileRef:
    """Write a Parquet file whose row numbers are delta-packed: 0.2 bytes a row while order is kept."""
    words = [item.name for item in table.schema if item.name not in {SOURCE, ROW}]
    with writing(folder.path(name)) as temporary, PieceFile(temporary) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=3,
            row_group_size=131_072,
            use_dictionary=[SOURCE, *words],
            column_encoding={ROW: "DELTA_BINARY_PACKED"},
            write_statistics=True,
        )
    return folder.refer(name, table.num_rows)


def _write(folder: RunFolder, name: str, records: Sequence[pl.DataFrame], schema: pa.Schema) -> FileRef | None:
    if not records:
        return None
    frame = pl.concat(list(records)).sort(IDENTITY, maintain_order=True)
    return write_identity_table(folder, name, frame.to_arrow().cast(schema))
