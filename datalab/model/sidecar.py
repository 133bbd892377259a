"""The row-level records that travel beside the rows. All of them are sensitive: mode 0700, a retention clock, never released.

They are Parquet files with zstd; row numbers use DELTA_BINARY_PACKED (0.2 bytes a row while order is kept).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datalab.model.step import ROW, SOURCE

if TYPE_CHECKING:
    import pyarrow as pa


def provenance_schema() -> pa.Schema:
    """Row i of a provenance file is the origin of row i of the rows file: source object ordinal and record ordinal."""
    import pyarrow as pa

    return pa.schema([pa.field(SOURCE, pa.uint32(), nullable=False), pa.field(ROW, pa.uint64(), nullable=False)])


def drop_schema() -> pa.Schema:
    """One record per dropped row: its identity, the label of the step, the reason."""
    import pyarrow as pa

    words = pa.dictionary(pa.int32(), pa.string())
    return provenance_schema().append(pa.field("step", words, nullable=False)).append(pa.field("reason", words, nullable=False))


def quarantine_schema() -> pa.Schema:
    """One record per quarantined row: identity, step, error code, line in the file (1-based, null if none) and the row itself.

    ``payload`` holds the row as JSON text, or the raw bytes of the record as text where it could not be read.
    """
    import pyarrow as pa

    words = pa.dictionary(pa.int32(), pa.string())
    return (
        provenance_schema()
        .append(pa.field("step", words, nullable=False))
        .append(pa.field("code", words, nullable=False))
        .append(pa.field("line", pa.uint64()))
        .append(pa.field("payload", pa.large_string()))
    )
