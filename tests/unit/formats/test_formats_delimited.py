from __future__ import annotations

import csv
import io
import tracemalloc

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import ReadError, SchemaError
from datalab.formats import Limits, ReadOptions, read, schema_of


def chunks(folder, data, *, batch_rows=1000, **options):
    path = folder / "data.csv"
    path.write_bytes(data)
    return list(read(path, ReadOptions("csv", **options), batch_rows=batch_rows))


def only(folder, data, **options):
    (chunk,) = chunks(folder, data, **options)
    return chunk


def faults(chunk):
    return [(fault.row, fault.line, fault.code, fault.payload) for fault in chunk.faults]


def test_empty_field_is_null_and_quoted_empty_field_is_text(tmp_path):
    assert only(tmp_path, b'a,b\n,""\n').frame.rows() == [(None, "")]


def test_values_stay_text_whatever_they_look_like(tmp_path):
    assert only(tmp_path, b"a;b\n007;1.234,56\n", delimiter=";").frame.rows() == [("007", "1.234,56")]


def test_wrong_number_of_fields_is_quarantined_with_its_line(tmp_path):
    chunk = only(tmp_path, b'a,b\n1,2\n3\n\n4,5\n6,7,8\n"x\ny",1\n9\n')
    assert chunk.frame.rows() == [("1", "2"), ("4", "5"), ("x\ny", "1")]
    assert chunk.rows.to_list() == [0, 2, 4]
    assert faults(chunk) == [(1, 3, "too-few-fields", "3"), (3, 6, "too-many-fields", "6,7,8"), (5, 9, "too-few-fields", "9")]


def test_a_stray_quote_costs_its_own_line_only(tmp_path):
    chunk = only(tmp_path, b'a,b\n1,"x\n2,"y"\n3,5" pipe\n"q"z,4\n5,6\n')
    assert chunk.frame.rows() == [("2", "y"), ("3", '5" pipe'), ("5", "6")]
    assert faults(chunk) == [(0, 2, "stray-quote", '1,"x'), (3, 5, "stray-quote", '"q"z,4')]


def test_a_quote_open_at_the_end_costs_its_own_line_only(tmp_path):
    chunk = only(tmp_path, b'a,b\n1,"x\n2,y\n3,z\n')
    assert chunk.frame.rows() == [("2", "y"), ("3", "z")]
    assert faults(chunk) == [(0, 2, "unclosed-quote", '1,"x')]


def test_bytes_no_parser_should_see_are_faults(tmp_path):
    chunk = only(tmp_path, b"a,b\n1,\xff\n2,3\n4,\0\n5,6\r7,8\n9,9\n")
    assert chunk.frame.rows() == [("2", "3"), ("9", "9")]
    assert [code for _, _, code, _ in faults(chunk)] == ["undecodable", "nul-byte", "stray-carriage-return"]


def test_a_record_beyond_the_limit_is_skipped_not_kept(tmp_path):
    data = b"a,b\n" + b"x" * 5_000 + b',1\n2,3\n"' + b"y,1\n" * 2_000
    (chunk,) = chunks(tmp_path, data, limits=Limits(record_bytes=1_000), batch_rows=10_000)
    assert faults(chunk)[0][:3] == (0, 2, "record-too-long")
    assert faults(chunk)[1][:3] == (2, 4, "unclosed-quote")
    assert chunk.frame.height == 2_000
    assert all(len(payload) <= 4097 for *_, payload in faults(chunk))


def test_a_line_of_200_mb_takes_bounded_memory(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("wb") as stream:
        stream.write(b"a,b\n1,2\n")
        for _ in range(200):
            stream.write(b"x" * (1 << 20))
        stream.write(b"\n3,4\n")
    tracemalloc.start()
    (chunk,) = read(path, ReadOptions("csv"), batch_rows=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert chunk.frame.rows() == [("1", "2"), ("3", "4")]
    assert faults(chunk)[0][:3] == (1, 3, "record-too-long")
    assert peak < 130 << 20


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b"\xef\xbb\xbf"), ("utf-16", b""), ("utf-16-le", b""), ("cp1252", b""), ("utf-8", b"")]
)
def test_encodings_come_out_as_text_without_mark(tmp_path, encoding, mark):
    data = mark + "näme,größe\nMüller,3\n".encode(encoding)
    chunk = only(tmp_path, data, encoding=encoding)
    assert chunk.frame.columns == ["näme", "größe"]
    assert chunk.frame.rows() == [("Müller", "3")]


def test_bytes_that_the_encoding_does_not_know_are_faults_not_question_marks(tmp_path):
    chunk = only(tmp_path, b"a,b\n1,\x81\n2,\xe9\n", encoding="cp1252")
    assert chunk.frame.rows() == [("2", "é")]
    assert faults(chunk)[0][:3] == (0, 2, "undecodable")


def test_names_become_unique_and_none_is_blank(tmp_path):
    assert only(tmp_path, b"a,a,,a_2\n1,2,3,4\n").frame.columns == ["a", "a_3", "column_3", "a_2"]


def test_without_header_columns_are_numbered(tmp_path):
    chunk = only(tmp_path, b"1,x\n2,y\n", header=False)
    assert chunk.frame.columns == ["column_1", "column_2"]
    assert chunk.rows.to_list() == [0, 1]


def test_the_line_that_excel_wants_is_no_header(tmp_path):
    assert only(tmp_path, b"sep=;\r\na;b\r\n1;2\r\n", delimiter=";").frame.rows() == [("1", "2")]


def test_header_only_has_a_schema_and_no_rows(tmp_path):
    assert chunks(tmp_path, b"a,b\n") == []
    assert schema_of(tmp_path / "data.csv", ReadOptions("csv")) == pl.Schema({"a": pl.String(), "b": pl.String()})


def test_an_empty_file_is_an_error_that_says_so(tmp_path):
    with pytest.raises(ReadError, match="empty"):
        chunks(tmp_path, b"")


def test_identity_names_are_refused(tmp_path):
    with pytest.raises(ReadError, match="_dl_row"):
        chunks(tmp_path, b"_dl_row,b\n1,2\n")


def test_selected_columns_come_in_the_order_asked_for(tmp_path):
    assert only(tmp_path, b"a,b,c\n1,2,3\n4\n", columns=("c", "a")).frame.rows() == [("3", "1")]
    with pytest.raises(SchemaError, match="no column named 'd'"):
        chunks(tmp_path, b"a,b,c\n1,2,3\n", columns=("d",))


def test_chunks_cover_exactly_batch_rows_records(tmp_path):
    lines = [f"{i},x" if i % 7 else f"{i}" for i in range(1_000)]
    found = chunks(tmp_path, ("a,b\n" + "\n".join(lines)).encode(), batch_rows=64)
    assert [chunk.records for chunk in found] == [64] * 15 + [40]
    for place, chunk in enumerate(found):
        numbers = sorted([*chunk.rows.to_list(), *(fault.row for fault in chunk.faults)])
        assert numbers == list(range(place * 64, place * 64 + chunk.records))


def test_reading_twice_gives_identical_chunks(tmp_path):
    data = b"a,b\n" + b'1,"x\ny"\n2\n' * 500
    first, second = chunks(tmp_path, data, batch_rows=100), chunks(tmp_path, data, batch_rows=100)
    for left, right in zip(first, second, strict=True):
        assert left.frame.equals(right.frame)
        assert left.rows.equals(right.rows)
        assert left.faults == right.faults


def test_blocks_do_not_show(tmp_path, monkeypatch):
    data = b"a,b\n" + b"".join(b'%d,"x ""%d""\n, y"\n' % (i, i) for i in range(200)) + b'z,5" x\n' + b"\n\n7,8\n9\n"
    whole = only(tmp_path, data)
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr("datalab.formats.opening.BLOCK", size)
        cut = only(tmp_path, data)
        assert cut.frame.equals(whole.frame)
        assert cut.faults == whole.faults


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)


@given(rows=st.lists(st.lists(cells, min_size=2, max_size=4), max_size=30), delimiter=st.sampled_from(",;\t|"))
@settings(max_examples=150, deadline=None)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("law") / "data.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["a", "b"], *rows])
    path.write_bytes(text.getvalue().encode())
    (chunk,) = list(read(path, ReadOptions("csv", delimiter=delimiter), batch_rows=100)) or [None]
    good = {place: tuple(row) for place, row in enumerate(rows) if len(row) == 2}
    assert (dict(zip(chunk.rows.to_list(), chunk.frame.rows(), strict=True)) if chunk else {}) == good
    assert [fault.row for fault in chunk.faults] == [i for i, row in enumerate(rows) if len(row) != 2] if chunk else not rows


@given(
    data=st.lists(st.sampled_from([b"a", b'"', b",", b"\n", b"\r", b"\0", b"\xff", "é".encode()]), max_size=60).map(b"".join)
)
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_reader_and_every_record_is_accounted_for(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "data.csv"
    path.write_bytes(b"x,y\n" + data)
    for chunk in read(path, ReadOptions("csv"), batch_rows=4):
        numbers = sorted([*chunk.rows.to_list(), *(fault.row for fault in chunk.faults)])
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert all(1 < fault.line <= data.count(b"\n") + 2 for fault in chunk.faults)
