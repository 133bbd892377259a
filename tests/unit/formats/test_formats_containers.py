from __future__ import annotations

import gzip
import io
import stat
import tracemalloc
import zipfile

import polars as pl
import pytest

from datalab.errors import ReadError
from datalab.formats import Limits, ReadOptions, read, schema_of

BOMB = Limits(ratio=100, ratio_after=1 << 20, expanded_bytes=64 << 20)


def archive(files):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in files.items():
            written.writestr(name, data)
    return body.getvalue()


def rows(path, options):
    return [row for chunk in read(path, options, batch_rows=1000) for row in chunk.frame.rows()]


def put(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def test_gzip_and_zip_read_like_the_plain_file(tmp_path):
    data = b"a,b\n1,2\n3,4\n"
    for name, body, compression in (
        ("p.csv", data, ""),
        ("g.csv.gz", gzip.compress(data), "gzip"),
        ("twice.csv.gz", gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"), "gzip"),
        ("z.zip", archive({"x.csv": data, "LICENCE.txt": b"free"}), "zip"),
        ("zg.zip", archive({"x.csv.gz": gzip.compress(data)}), "zip"),
    ):
        assert rows(put(tmp_path, name, body), ReadOptions("csv", compression=compression)) == [("1", "2"), ("3", "4")]


def test_members_are_read_by_name_and_ordinals_run_on(tmp_path):
    path = put(tmp_path, "z.zip", archive({"b.csv": b"a\n3\n", "a.csv": b"a\n1\n2\n", "__MACOSX/._a.csv": b"?"}))
    (chunk,) = read(path, ReadOptions("csv", compression="zip"), batch_rows=10)
    assert chunk.frame["a"].to_list() == ["1", "2", "3"]
    assert chunk.rows.to_list() == [0, 1, 2]


def test_members_with_other_columns_are_refused(tmp_path):
    path = put(tmp_path, "z.zip", archive({"a.csv": b"a\n1\n", "b.csv": b"b\n1\n"}))
    with pytest.raises(ReadError, match="different columns"):
        rows(path, ReadOptions("csv", compression="zip"))
    assert rows(path, ReadOptions("csv", compression="zip", member="b.csv")) == [("1",)]


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
def test_paths_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(ReadError, match="leads out"):
        rows(put(tmp_path, "z.zip", archive({name: b"a\n1\n"})), ReadOptions("csv", compression="zip"))


def test_links_in_archives_are_refused(tmp_path):
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as written:
        written.writestr(info, "/etc/passwd")
    with pytest.raises(ReadError, match="is a link"):
        rows(tmp_path / "z.zip", ReadOptions("csv", compression="zip"))


def test_bombs_stop_early(tmp_path):
    zeros = b"a\n" + b"0\n" * (16 << 20)
    for name, body, compression in (
        ("b.csv.gz", gzip.compress(zeros), "gzip"),
        ("b.zip", archive({"b.csv": zeros}), "zip"),
        ("bb.zip", archive({"b.csv.gz": gzip.compress(zeros)}), "zip"),
    ):
        path = put(tmp_path, name, body)
        with pytest.raises(ReadError, match="bomb"):
            rows(path, ReadOptions("csv", compression=compression, limits=BOMB))


def test_the_absolute_cap_holds_over_all_members(tmp_path):
    path = put(tmp_path, "z.zip", archive({f"{n}.csv": b"a\n" + bytes(range(48, 58)) * 1000 for n in range(9)}))
    with pytest.raises(ReadError, match="grows beyond"):
        rows(path, ReadOptions("csv", compression="zip", limits=Limits(expanded_bytes=80_000)))


@pytest.mark.parametrize("cut", [5, 20, -9, -1])
def test_truncated_gzip_says_so(tmp_path, cut):
    path = put(tmp_path, "t.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:cut])
    with pytest.raises(ReadError, match=r"truncated|damaged"):
        rows(path, ReadOptions("csv", compression="gzip"))


def test_a_flipped_byte_in_an_archive_is_an_error(tmp_path):
    body = bytearray(archive({"a.csv": b"a\n" + bytes(range(32, 120)).replace(b'"', b"") * 50}))
    body[60] ^= 0xFF
    with pytest.raises(ReadError):
        rows(put(tmp_path, "z.zip", bytes(body)), ReadOptions("csv", compression="zip"))


def test_an_empty_archive_is_an_error(tmp_path):
    with pytest.raises(ReadError, match="empty"):
        rows(put(tmp_path, "z.zip", archive({})), ReadOptions("csv", compression="zip"))


FRAME = pl.DataFrame({"id": [1, 2, 3], "tags": [["x"], [], None], "at": [{"y": 1}, {"y": 2}, None]})


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_typed_formats_keep_types_and_cut_by_rows(tmp_path, kind):
    path = tmp_path / f"f.{kind}"
    many = pl.concat([FRAME] * 50)
    if kind == "parquet":
        many.write_parquet(path, row_group_size=40)
    else:
        (many.write_ipc if kind == "arrow" else many.write_ipc_stream)(path)
    options = ReadOptions("parquet" if kind == "parquet" else "arrow")
    found = list(read(path, options, batch_rows=64))
    assert [chunk.records for chunk in found] == [64, 64, 22]
    assert pl.concat([chunk.frame for chunk in found]).equals(many)
    assert schema_of(path, options) == many.schema
    zipped = put(tmp_path, "f.gz", gzip.compress(path.read_bytes()))
    packed = ReadOptions(options.format, compression="gzip", columns=("tags",))
    assert next(read(zipped, packed, batch_rows=500)).frame.equals(many.select("tags"))


def test_dictionaries_become_plain_text(tmp_path):
    FRAME.select(pl.lit("x").cast(pl.Categorical()).alias("c")).write_parquet(tmp_path / "c.parquet")
    assert schema_of(tmp_path / "c.parquet", ReadOptions("parquet")) == pl.Schema({"c": pl.String()})


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_truncated_typed_files_say_so(tmp_path, kind):
    path = tmp_path / "f"
    (FRAME.write_parquet if kind == "parquet" else FRAME.write_ipc)(path)
    whole = path.read_bytes()
    for cut in (0, 3, 20, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(ReadError):
            rows(path, ReadOptions(kind))


def test_memory_is_flat_in_file_size(tmp_path):
    line = b"12345,some text that is long enough to matter,2020-01-01\n"
    peaks = []
    for size in (1, 4):
        path = put(tmp_path, f"{size}.csv", b"a,b,c\n" + line * (200_000 * size))
        tracemalloc.start()
        for _ in read(path, ReadOptions("csv"), batch_rows=8192):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] <= 1.1 * peaks[0]


def test_lines_and_documents(tmp_path):
    (chunk,) = read(put(tmp_path, "t.txt", b"one\r\n\ntwo\xff\nthree"), ReadOptions("text"), batch_rows=10)
    assert chunk.frame["text"].to_list() == ["one", "", "three"]
    assert [(fault.row, fault.line, fault.code) for fault in chunk.faults] == [(2, 3, "undecodable")]
    path = put(
        tmp_path, "d.zip", archive({"b.txt": b"second", "a.txt": b"first\npage", "c.txt": b"\xff", "d.txt": b"x" * 2000})
    )
    options = ReadOptions("documents", compression="zip", limits=Limits(record_bytes=1000))
    (chunk,) = read(path, options, batch_rows=10)
    assert chunk.frame.rows() == [("a.txt", "first\npage"), ("b.txt", "second")]
    assert [(fault.row, fault.code) for fault in chunk.faults] == [(2, "undecodable"), (3, "record-too-long")]
