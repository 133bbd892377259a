"""Reading back what is being written, close behind the writer, so that the check is nearly done when the last byte arrives."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

_BLOCK = 1 << 20
_DURABLE = 64 << 20
"""Bytes after which what is there is made durable: the disk works while more arrives."""


class ReadBack:
    """A thread that hashes a growing file from its disk side. ``advance`` tells how far it may read, ``finish`` ends it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._limit = 0
        self._ended = False
        self._failure: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)
        self._thread.start()

    def advance(self, size: int) -> None:
        """Say that ``size`` bytes are written."""
        with self._changed:
            self._limit = size
            self._changed.notify()

    def finish(self) -> str:
        """Wait for the rest and return the SHA-256 of the file, hex; raise ``OSError`` where it cannot be read."""
        self.close()
        if self._failure is not None:
            raise self._failure
        return self._hash.hexdigest()

    def close(self) -> None:
        """Wait for the thread, which reads what it was told of."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._read()
        except OSError as error:
            self._failure = error

    def _read(self) -> None:
        done, durable = 0, 0
        buffer = memoryview(bytearray(_BLOCK))
        with self._path.open("rb", buffering=0) as stream:
            while True:
                with self._changed:
                    while self._limit - done < _BLOCK and not self._ended:
                        self._changed.wait()
                    limit = self._limit
                    if self._ended and done >= limit:
                        return
                while done < limit:
                    count = stream.readinto(buffer[: min(_BLOCK, limit - done)])
                    if not count:
                        return
                    self._hash.update(buffer[:count])
                    done += count
                if done - durable >= _DURABLE:
                    os.fdatasync(stream.fileno())
                    durable = done
