"""Files written piece by piece, however much a writer hands over at once."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

PIECE = 64 << 10
"""Bytes given to the kernel at a time. What is written in larger pieces gets larger folios, whose memory a virtual machine may first have to
fetch from its host: of files of 8 MB, that took three times the system's CPU seconds (decision 0038)."""


class PieceFile:
    """A new file, for writers that take a file object (Arrow's among them). ``crc32`` is that of all that was handed over."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._crc32 = 0
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def crc32(self) -> str:
        """The CRC-32 so far, hex."""
        return f"{self._crc32:08x}"

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._file.closed

    def write(self, data: bytes | memoryview) -> int:
        """Write all of ``data``; return its bytes."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), PIECE):
            piece = view[start : start + PIECE]
            self._file.write(piece)
            self._crc32 = zlib.crc32(piece, self._crc32)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        """Return the bytes so far."""
        return self._size

    def flush(self) -> None:
        """Hand what is buffered to the kernel."""
        self._file.flush()

    def close(self) -> None:
        """Write what is buffered, and close the file."""
        self._file.close()

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False
