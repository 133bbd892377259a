from __future__ import annotations

import os
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from datalab.ports.pieces import PIECE, PieceFile, write_at


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
def test_what_is_written_at_once_or_bit_by_bit_stands_in_the_file(tmp_path, size):
    data = bytes(range(256)) * (size // 256 + 1)
    with PieceFile(tmp_path / "a") as file:
        assert file.write(b"head") == 4
        assert file.write(memoryview(data)[:size]) == size
        assert file.size == file.tell() == 4 + size
    written = (tmp_path / "a").read_bytes()
    assert written == b"head" + data[:size]
    assert file.crc32 == f"{zlib.crc32(written):08x}"
    assert file.closed


@pytest.mark.parametrize("most", [PIECE, 1000])
def test_all_is_written_where_it_belongs_however_little_the_kernel_takes_at_once(tmp_path, monkeypatch, most):
    data, plain = os.urandom(2 * PIECE + 7), os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, some, start: plain(handle, some[:most], start))
    (tmp_path / "a").write_bytes(b"head" + bytes(len(data)) + b"tail")
    with (tmp_path / "a").open("r+b") as file:
        write_at(file.fileno(), data, 4)
    assert (tmp_path / "a").read_bytes() == b"head" + data + b"tail"


def test_arrow_writes_to_it_as_to_a_path(tmp_path):
    table = pa.table({"text": ["a" * 100_000, "", None], "number": [1, 2, 3]})
    for place in (str(tmp_path / "plain"), PieceFile(tmp_path / "pieces")):
        with pa.ipc.new_file(place, table.schema) as writer:
            writer.write_table(table)
        if isinstance(place, PieceFile):
            place.close()
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "pieces").read_bytes()


def test_a_full_disk_is_told_by_arrow_as_it_is():
    table = pa.table({"text": ["a" * 1_000_000]})
    full = Path("/dev/full")  # Linux answers each write with ENOSPC
    with pytest.raises(OSError, match="No space left"):  # noqa: SIM117 - the file closes before the error is looked at
        with PieceFile(full) as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
