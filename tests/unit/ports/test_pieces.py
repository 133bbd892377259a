from __future__ import annotations

import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from datalab.ports.pieces import PIECE, PieceFile


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
    with pytest.raises(OSError, match="No space left"):  # noqa: SIM117 - the file closes before the error is looked at
        with (
            PieceFile(Path("/dev/full")) as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):  # Linux answers each write with ENOSPC
            writer.write_table(table)
