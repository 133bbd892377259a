"""Reading back what is being written, close behind the writer, so that the check is nearly done when the last byte arrives."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

_BLOCK = 1 << 20
_DURABLE = 16 << 20
"""Bytes after which what is there is made durable: the disk works while more arrives."""


class ReadBack:
    """Two threads beside the writer of a growing file: one hashes what reads back, one makes it durable, so that neither waits for the other.

    ``advance`` tells how far they may go, ``finish`` ends them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._limit = 0
        self._ended = False
        self._failure: OSError | None = None
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            for name, work in (("read-back", self._read), ("make-durable", self._keep))
        ]
        for thread in self._threads:
            thread.start()

    def advance(self, size: int) -> None:
        """Say that ``size`` bytes are written."""
        with self._changed:
            self._limit = size
            self._changed.notify_all()

    def finish(self) -> str:
        """Wait for the rest and return the SHA-256 of the file, hex; raise ``OSError`` where it cannot be read."""
        self.close()
        if self._failure is not None:
            raise self._failure
        return self._hash.hexdigest()

    def close(self) -> None:
        """Wait for the threads: what they were told of is read."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._failure = error

    def _read(self) -> None:
        done = 0
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

    def _keep(self) -> None:
        """Make durable what is there, time and again; the last of it is the writer's."""
        durable = 0
        with self._path.open("rb", buffering=0) as stream:
            while True:
                with self._changed:
                    while self._limit - durable < _DURABLE and not self._ended:
                        self._changed.wait()
                    if self._ended:
                        return
                    limit = self._limit
                os.fdatasync(stream.fileno())
                durable = limit
