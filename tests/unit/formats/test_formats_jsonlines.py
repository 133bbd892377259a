from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import ReadError
from datalab.formats import ReadOptions, detect, read, schema_of


def only(folder, data, **options):
    path = folder / "data.jsonl"
    path.write_bytes(data)
    (chunk,) = read(path, ReadOptions("jsonl", **options), batch_rows=1000)
    return chunk


def test_types_stay_where_all_lines_agree(tmp_path):
    chunk = only(tmp_path, b'{"i":1,"f":1,"b":true,"t":"x"}\n{"f":2.5,"i":null}\n')
    assert chunk.frame.schema == pl.Schema({"i": pl.Int64(), "f": pl.Float64(), "b": pl.Boolean(), "t": pl.String()})
    assert chunk.frame.rows() == [(1, 1.0, True, "x"), (None, 2.5, None, None)]


def test_mixed_and_nested_values_become_json_text(tmp_path):
    chunk = only(tmp_path, '{"a":1,"n":{"k":["ä"]}}\n{"a":"x","n":null}\n{"a":true}\n'.encode())
    assert chunk.frame.rows() == [("1", '{"k":["ä"]}'), ("x", None), ("true", None)]


def test_lines_that_do_not_fit_are_faults_with_their_code(tmp_path):
    lines = [
        b'{"a":1}',
        b"{bad",
        b"[1]",
        b'{"a":"x"}',
        b'{"a":1,"b":2}',
        b'{"a":1,"a":2}',
        b"",
        b'{"a":NaN}',
        b'{"a":\xff}',
        b'{"a":1}{"a":2}',
    ]
    chunk = only(tmp_path, b"\n".join(lines), types=(("a", "integer"),))
    assert chunk.frame.rows() == [(1,)]
    assert [(fault.row, fault.line, fault.code) for fault in chunk.faults] == [
        (1, 2, "broken-json"),
        (2, 3, "not-an-object"),
        (3, 4, "type-mismatch"),
        (4, 5, "unknown-field"),
        (5, 6, "repeated-field"),
        (6, 8, "broken-json"),
        (7, 9, "undecodable"),
        (8, 10, "broken-json"),
    ]


def test_a_value_beyond_64_bits_never_loses_digits(tmp_path):
    assert only(tmp_path, b'{"a":99999999999999999999}\n').frame.rows() == [("99999999999999999999",)]


def test_half_a_surrogate_pair_is_a_fault(tmp_path):
    chunk = only(tmp_path, b'{"a":"ok"}\n{"a":"\\ud800"}\n')
    assert chunk.frame.rows() == [("ok",)]
    assert chunk.faults[0].code == "undecodable"


def test_a_bottomless_nest_is_a_fault(tmp_path):
    chunk = only(tmp_path, b'{"a":"x"}\n{"a":' + b"[" * 100_000 + b"\n", types=(("a", "text"),))
    assert [fault.code for fault in chunk.faults] == ["broken-json"]


def test_without_any_object_the_file_is_refused(tmp_path):
    with pytest.raises(ReadError, match="no line"):
        only(tmp_path, b"hello\nworld\n")


def test_types_are_sampled_once_and_recorded(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"a":1}\n' * 20_000 + b'{"a":"late"}\n')
    options = detect(path)
    assert options.types == (("a", "integer"),)
    assert schema_of(path, options) == pl.Schema({"a": pl.Int64()})
    last = list(read(path, options, batch_rows=1 << 20))[-1]
    assert [fault.code for fault in last.faults] == ["type-mismatch"]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
)


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), scalars | st.lists(st.integers())), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_every_object_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("law") / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [dict.fromkeys("abc"), *rows]))
    (chunk,) = read(path, ReadOptions("jsonl"), batch_rows=100)
    assert not chunk.faults
    for row, found in zip(rows, chunk.frame.rows(named=True)[1:], strict=True):
        for name in "abc":
            value = row.get(name)
            same = found[name] == value and type(found[name]) is type(value)
            assert same or json.loads(found[name]) == value
