from __future__ import annotations

import datetime as dt
import decimal
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.kernels.content import release_digest, schema_description, table_digest

DAY, ONE, TWO = dt.date(2020, 2, 29), decimal.Decimal("1.10"), decimal.Decimal("2.00")
ARRAYS = {
    "bool": pa.array([True, None, False]),
    "int8": pa.array([1, None, -3], pa.int8()),
    "uint64": pa.array([1, None, 2**64 - 1], pa.uint64()),
    "float16": pa.array([np.float16(1), None, np.float16("nan")]),
    "float32": pa.array([1.5, None, float("nan")], pa.float32()),
    "float64": pa.array([1.5, None, float("-inf")]),
    "decimal32": pa.array([ONE, None, TWO], pa.decimal32(5, 2)),
    "decimal128": pa.array([ONE, None, TWO]),
    "decimal256": pa.array([ONE, None, TWO], pa.decimal256(50, 2)),
    "date32": pa.array([DAY, None, dt.date(1, 1, 1)]),
    "date64": pa.array([DAY, None, dt.date(1, 1, 1)], pa.date64()),
    "timestamp": pa.array(
        [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None, dt.datetime(1900, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")
    ),
    "time": pa.array([dt.time(1), None, dt.time(2)]),
    "duration": pa.array([dt.timedelta(1), None, dt.timedelta(-2)]),
    "interval": pa.array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval()),
    "string": pa.array(["a", None, "ü"]),
    "binary": pa.array([b"a", None, b"\0"]),
    "fixed_binary": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "list": pa.array([[1], None, [None, 2]]),
    "list_view": pa.array([[1], None, [2]], pa.list_view(pa.int64())),
    "list_of_text": pa.array([["a", None], None, [""]]),
    "fixed_list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "map": pa.array([[("a", 1)], None, [("b", None)]], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16, None, b"b" * 16], pa.binary(16))),
}


def digest_of(column: pa.Array | pa.ChunkedArray) -> str:
    return table_digest(pa.table({"c": column}))


@pytest.mark.parametrize("name", ARRAYS)
def test_neither_chunks_nor_offsets_show_and_each_row_does(name: str) -> None:
    array = ARRAYS[name]
    whole = digest_of(array)
    assert digest_of(pa.chunked_array([array.slice(0, 1), array.slice(1, 0), array.slice(1, 2)])) == whole
    assert digest_of(pa.concat_arrays([array, array]).slice(3, 3)) == whole
    assert digest_of(array.slice(0, 2)) != whole
    assert digest_of(array.take(pa.array([2, 1, 0]))) != whole
    assert digest_of(array.take(pa.array([0, 0, 2]))) != whole
    assert digest_of(array.slice(0, 0)) == digest_of(pa.chunked_array([], array.type))


def test_all_types_have_digests_of_their_own() -> None:
    assert len({digest_of(array) for name, array in ARRAYS.items() if name != "dictionary"}) == len(ARRAYS) - 1


def test_every_layout_of_text_is_the_same_text() -> None:
    text = pa.array(["a", None, "", "long enough to leave the view"])
    layouts = [text, text.cast(pa.large_string()), text.cast(pa.string_view()), text.dictionary_encode()]
    assert len({digest_of(layout) for layout in layouts}) == 1
    ends = pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"])
    assert digest_of(ends) == digest_of(pa.array(["a", "a", "b"]))


@pytest.mark.parametrize("of", [pa.list_, pa.large_list, lambda item: pa.list_(item, 1), lambda item: pa.map_(item, item)])
def test_the_layout_of_text_within_other_types_does_not_show(of) -> None:
    value = [("k", "v")] if pa.types.is_map(of(pa.string())) else ["v"]
    assert digest_of(pa.array([value], of(pa.string()))) == digest_of(pa.array([value], of(pa.large_string())))


def test_polars_and_arrow_agree() -> None:
    frame = pl.DataFrame({"c": ["a", None, ""]})
    expected = digest_of(pa.array(["a", None, ""]))
    assert table_digest(frame.to_arrow()) == expected
    assert table_digest(frame.cast(pl.Categorical).to_arrow()) == expected


def test_what_lies_under_a_null_does_not_show() -> None:
    valid = pa.py_buffer(b"\x05")
    ends = pa.py_buffer(np.array([0, 1, 3, 4], "<i4").tobytes())
    numbers = pa.Array.from_buffers(pa.int32(), 3, [valid, pa.py_buffer(np.array([1, 99, 3], "<i4").tobytes())])
    text = pa.Array.from_buffers(pa.string(), 3, [valid, ends, pa.py_buffer(b"aXXb")])
    lists = pa.Array.from_buffers(pa.list_(pa.int64()), 3, [valid, ends], children=[pa.array([1, 8, 8, 2])])
    fixed = pa.Array.from_buffers(pa.list_(pa.int64(), 1), 3, [valid], children=[pa.array([1, 8, 2])])
    structs = pa.StructArray.from_arrays([pa.array([1, 7, 2])], ["a"], mask=pa.array([False, True, False]))
    flags = pa.Array.from_buffers(pa.bool_(), 3, [valid, pa.py_buffer(b"\x07")])
    for array in (numbers, text, lists, fixed, structs, flags):
        assert digest_of(array) == digest_of(pa.array(array.to_pylist(), array.type)), array.type


def test_nan_has_one_form() -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], "<u8").view("<f8")
    assert digest_of(pa.array(odd)) == digest_of(pa.array([float("nan")] * 2))
    assert digest_of(pa.array([0.0])) != digest_of(pa.array([float("nan")]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([""]), pa.array([None], pa.string())),
        (pa.array([0]), pa.array([None], pa.int64())),
        (pa.array(["ab", ""]), pa.array(["a", "b"])),
        (pa.array([["a"], []]), pa.array([[], ["a"]])),
        (pa.array([[]], pa.list_(pa.int64())), pa.array([None], pa.list_(pa.int64()))),
        (pa.array([1], pa.int32()), pa.array([1], pa.int64())),
        (pa.array([{"a": None}], pa.struct([("a", pa.int64())])), pa.array([None], pa.struct([("a", pa.int64())]))),
        (pa.array(["a"]), pa.array([b"a"])),
    ],
)
def test_what_looks_alike_is_told_apart(one: pa.Array, other: pa.Array) -> None:
    assert digest_of(one) != digest_of(other)


def test_names_order_and_nullability_of_columns_are_content() -> None:
    one, two = pa.array([1]), pa.array([2])
    tables = [
        pa.table({"a": one, "b": two}),
        pa.table({"b": two, "a": one}),
        pa.table({"a": two, "b": one}),
        pa.table({"a": one, "x": two}),
    ]
    tables.append(pa.table([one, two], schema=pa.schema([pa.field("a", pa.int64(), nullable=False), ("b", pa.int64())])))
    assert len({table_digest(table) for table in tables}) == len(tables)
    assert schema_description(tables[-1].schema)[0] == {"name": "a", "type": "int64", "nullable": False}


ROWS = st.lists(st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text("ab\0", max_size=3)), max_size=12)


def table(rows: list[tuple[int | None, str | None]]) -> pa.Table:
    return pa.table({"n": pa.array([row[0] for row in rows], pa.int64()), "t": pa.array([row[1] for row in rows], pa.string())})


@settings(max_examples=150)
@given(ROWS, ROWS)
def test_equal_digests_mean_equal_rows(one: list, other: list) -> None:
    assert (table_digest(table(one)) == table_digest(table(other))) == (one == other)


@settings(max_examples=80)
@given(ROWS, st.lists(st.integers(0, 12), max_size=3))
def test_no_cut_shows(rows: list, cuts: list[int]) -> None:
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut <= len(rows))})
    whole = table(rows)
    pieces = [whole.slice(start, end - start) for start, end in pairwise(bounds)]
    assert table_digest(pa.concat_tables(pieces or [whole])) == table_digest(whole)


def test_the_digest_is_pinned() -> None:
    """If this changes, every release that was ever made has another id: raise the format's number instead."""
    values = {"i": pa.array([1, None, 3]), "t": pa.array(["a", None, "ü"]), "f": pa.array([0.5, None, 2.0])}
    assert table_digest(pa.table(values)) == "7df0604ee23b981da71b3db00fe524ffb5e1a7c9ca6b65df1092229a0fb74ee4"


def test_a_release_is_its_shards_in_order() -> None:
    schema = [{"name": "a", "type": "int64", "nullable": True}]
    one, two = ("train", 2, "ab"), ("test", 1, "cd")
    digests = [release_digest(schema, shards) for shards in ([one, two], [two, one], [one], [("train", 3, "ab"), two])]
    assert len(set(digests)) == 4
