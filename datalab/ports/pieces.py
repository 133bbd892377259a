"""Files written piece by piece, however much a writer hands over at once."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

PIECE = 64 << 10
"""Bytes given to the kernel at a time. What is written in larger pieces gets larger folios, whose memory a virtual machine may first have to
fetch from its host: of files of 8 MB, that took three times the system's CPU seconds (decision 0038)."""


def in_pieces(data: bytes | memoryview) -> Iterator[memoryview]:
    """Yield ``data`` in pieces of at most ``PIECE`` bytes."""
    view = memoryview(data).cast("B")
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]


def write_at(handle: int, data: bytes | memoryview, start: int) -> None:
    """Write all of ``data`` into the file behind ``handle``, from byte ``start`` on."""
    for piece in in_pieces(data):
        left = piece
        while left:  # a disk that fills up takes part of it first, and says so the next time
            written = os.pwrite(handle, left, start)
            left, start = left[written:], start + written


class PieceFile(io.BufferedWriter):
    """A new file, for writers that take a file object (Arrow's among them). ``size`` and ``crc32`` are of all that was handed over."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self.size = 0
        self._crc32 = 0

    @property
    def crc32(self) -> str:
        """The CRC-32 so far, hex."""
        return f"{self._crc32:08x}"

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]  # whatever else has a buffer is not written here
        """Write all of ``data``; return its bytes."""
        size = 0
        for piece in in_pieces(data):
            size += super().write(piece)
            self._crc32 = zlib.crc32(piece, self._crc32)
        self.size += size
        return size
