"""What a shard's file says, held against the rows that were to be written: whoever approves or publishes it needs only its hash then."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datalab.errors import VerificationFailed
from datalab.kernels.content import table_digest

FACT = "read_back"
"""Set in the receipt of a shard whose file was decoded and held the rows that its content digest is of."""


def check_read_back(path: Path, table: pa.Table) -> None:
    """Decode a Parquet file, a row group in memory at a time; raise ``VerificationFailed`` unless it holds the rows of ``table``."""
    start = 0
    with pq.ParquetFile(path) as file:
        same = file.schema_arrow.equals(table.schema) and file.metadata.num_rows == table.num_rows
        for group in range(file.num_row_groups if same else 0):
            found = file.read_row_group(group, use_threads=False)
            wanted = table.slice(start, found.num_rows)
            # by comparison NaN is not NaN; by their digests they are
            same = same and (found.equals(wanted) or table_digest(found) == table_digest(wanted))
            start += found.num_rows
    if not same:
        raise VerificationFailed(
            "a shard does not read back as it was written",
            where=str(path),
            next="check disk and memory of this machine, then run again: finished parts are kept",
        )
