from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalab.engine.readback import check_read_back
from datalab.errors import VerificationFailed

TABLE = pa.table(
    {
        "text": ["a", None, "ß"],
        "number": pa.array([1.5, float("nan"), None], pa.float32()),
        "when": [dt.datetime(2020, 2, 29, tzinfo=dt.UTC), None, dt.datetime(1900, 1, 1, tzinfo=dt.UTC)],
        "words": [["a", None], [], None],
        "both": [{"x": 1, "y": None}, None, {"x": None, "y": "b"}],
    }
)


def test_what_was_written_reads_back(tmp_path) -> None:
    for table in (TABLE, TABLE.slice(1, 1), TABLE.slice(0, 0)):
        pq.write_table(table, tmp_path / "shard.parquet", row_group_size=2)
        check_read_back(tmp_path / "shard.parquet", table)


@pytest.mark.parametrize(
    "other",
    [TABLE.slice(0, 2), TABLE.take([0, 2, 1]), TABLE.select(["text"]), TABLE.set_column(0, "text", pa.array(["a", "", "ß"]))],
    ids=["a row less", "another order", "a column less", "a null that is none"],
)
def test_anything_else_is_told(tmp_path, other: pa.Table) -> None:
    pq.write_table(other, tmp_path / "shard.parquet", row_group_size=2)
    with pytest.raises(VerificationFailed, match="does not read back"):
        check_read_back(tmp_path / "shard.parquet", TABLE)
