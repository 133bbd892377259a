"""Any range of a columnar file, read straight, is what the reader that starts at the beginning gives."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalab.errors import ReadError
from datalab.formats import borders, detect, read, read_range, schema_of

N = 500
_SOME = [None if n % 7 == 0 else n for n in range(N)]


def some(make):
    return [None if n is None else make(n) for n in _SOME]


DAY = dt.datetime(2020, 2, 29, 12, 30, 15, 123456)  # noqa: DTZ001 - zoned by the type of its column
COLUMNS = {
    **{f"i{w}": pa.array(some(lambda n: n % 100), pa.int64()).cast(f"int{w}") for w in (8, 16, 32, 64)},
    **{f"u{w}": pa.array(some(lambda n: n % 100), pa.int64()).cast(f"uint{w}") for w in (8, 16, 32, 64)},
    "f32": pa.array(some(lambda n: n / 3), pa.float32()),
    "f64": pa.array([float("nan"), float("inf"), -0.0, *some(lambda n: n / 3)[3:]], pa.float64()),
    "truth": pa.array(some(lambda n: n % 2 == 0)),
    "text": pa.array(some(lambda n: "" if n % 5 == 0 else f"täxt {n} " * (n % 9))),
    "large": pa.array(some(lambda n: f"{n}"), pa.large_string()),
    "bytes": pa.array(some(lambda n: bytes([n % 256]) * (n % 5))),
    "day": pa.array(some(lambda n: dt.date(1900, 1, 1) + dt.timedelta(days=200 * n))),
    "clock": pa.array(some(lambda n: dt.time(n % 24, n % 60, 1, n))),
    **{
        f"at_{unit}": pa.array(some(lambda n: DAY + dt.timedelta(days=n)), pa.timestamp("us")).cast(
            pa.timestamp(unit), safe=False
        )
        for unit in ("s", "ms", "us", "ns")
    },
    "zoned": pa.array(some(lambda n: DAY + dt.timedelta(hours=n)), pa.timestamp("us", tz="Europe/Lisbon")),
    "money": pa.array(some(lambda n: Decimal(n) / 100), pa.decimal128(12, 2)),
    "words": pa.array(some(lambda n: [None if k == 2 else f"w{k}" for k in range(n % 4)])),
    "record": pa.array(some(lambda n: {"a": n, "b": None if n % 3 == 0 else f"b{n}"})),
    "records": pa.array(some(lambda n: [{"role": "user", "turn": k} for k in range(n % 3)])),
    "vector": pa.array([[n, n + 0.5] for n in range(N)], pa.list_(pa.float32(), 2)),  # pyarrow itself does not read absent ones
    "nothing": pa.nulls(N),
    "lasting": pa.array(some(lambda n: dt.timedelta(seconds=n)), pa.duration("us")),
    "category": pa.array(some(lambda n: f"c{n % 3}")).dictionary_encode(),
    "odd ^name$.*": pa.array(range(N)),
}


def whole(path, options):
    return pl.concat(chunk.frame for chunk in read(path, options, batch_rows=10_000))


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_range_is_the_same_rows_whatever_the_type(tmp_path, name, suffix):
    table = pa.table({name: COLUMNS[name], "n": range(N)})
    path = tmp_path / f"rows [0-9] k=v.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, path, row_group_size=170, data_page_size=64, write_batch_size=16)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=170)
    options = detect(path, {"format": suffix})
    schema = schema_of(path, options)
    expected = whole(path, options)

    if borders(path, options, schema) is None:
        assert name in {"category", "vector"}, "this type could be read straight"
        return
    assert sum(borders(path, options, schema)) == N
    for first, rows in ((0, N), (0, 1), (169, 2), (333, 167), (N - 1, 1), (170, 170)):
        assert read_range(path, options, first, rows, schema).equals(expected[first : first + rows], null_equal=True)
    only = pl.Schema({name: schema[name]})
    assert read_range(path, options, 40, 60, only).equals(expected.select(pl.selectors.by_name(name))[40:100])


def test_archives_and_streams_are_read_from_their_beginning(tmp_path):
    table = pa.table({"n": range(10)})
    with pa.ipc.new_stream(str(tmp_path / "rows.arrows"), table.schema) as writer:
        writer.write_table(table)
    path = tmp_path / "rows.arrows"

    assert borders(path, detect(path, {"format": "arrow"}), pl.Schema({"n": pl.Int64()})) is None


@pytest.mark.parametrize("cut", [8, 200, -20])
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_truncated_file_is_an_error_that_says_so(tmp_path, suffix, cut):
    path = tmp_path / f"rows.{suffix}"
    table = pa.table({"n": np.arange(5000), "text": [f"text {n}" for n in range(5000)]})
    if suffix == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    options = detect(path, {"format": suffix})
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(ReadError, match=r"damaged|truncated"):
        borders(path, options, pl.Schema({"n": pl.Int64()}))


def test_damaged_pages_are_an_error_that_quotes_nothing(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": [f"secret {n}" for n in range(5000)]}), path, compression="zstd")
    options = detect(path, {"format": "parquet"})
    data = bytearray(path.read_bytes())
    data[20 : len(data) - 900] = bytes(len(data) - 920)
    path.write_bytes(data)

    with pytest.raises(ReadError) as caught:
        read_range(path, options, 0, 5000, pl.Schema({"text": pl.String()}))
    assert "secret" not in str(caught.value)
