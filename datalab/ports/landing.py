"""The safe landing folder: where bytes from outside arrive, verified, before anything reads them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from datalab.errors import SourceError
from datalab.ports.durable import file_sha256, sync_folder
from datalab.ports.pieces import in_pieces
from datalab.ports.readback import ReadBack

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BEHIND = 4 << 20
"""Bytes that are written before they are read back, beside the writer: few enough to be in the processor's cache still, and enough that the
reader is not woken all the time."""
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Landed:
    """A file that arrived: its path, size and SHA-256 (hex)."""

    path: Path
    bytes: int
    sha256: str


class Landing:
    """A folder of files named by their content. Mode 0700: what lands here is sensitive until proven otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        root.chmod(0o700)
        for orphan in root.glob(".arriving-*"):  # of a process that was killed; a younger one may still be at work
            if time.time() - orphan.stat().st_mtime > _STALE_SECONDS:
                orphan.unlink(missing_ok=True)

    @contextlib.contextmanager
    def receive(
        self, name: str, *, limit: int, sha256: str | None = None, check: Callable[[Path], None] | None = None
    ) -> Iterator[Arrival]:
        """Receive one file of at most ``limit`` bytes; it becomes visible, under its digest, only when the block ends well.

        ``name`` comes from outside and is only used, cleaned, as the end of the file name.
        ``sha256`` is what was announced, in hex of either case. ``check`` looks at the whole file before it becomes visible, and
        raises where it is not what it should be.
        """
        announced = sha256.lower() if sha256 else ""
        if announced and not _SHA256.fullmatch(announced):
            raise SourceError(f"what was announced for {safe_name(name)!r} is no SHA-256", next="tell the provider")
        with tempfile.NamedTemporaryFile("wb", dir=self.root, prefix=".arriving-", delete=False) as stream:
            arrival = Arrival(name, stream, Path(stream.name), limit, hashed=not announced)
            try:
                yield arrival
                found = arrival.read_back()
                os.fsync(stream.fileno())
                if arrival.hash is not None and arrival.hash.hexdigest() != found:
                    raise SourceError(
                        f"{safe_name(name)!r} does not read back as it was written",
                        where=str(self.root),
                        next="check the disk, then fetch again",
                    )
                if announced and found != announced:
                    raise SourceError(
                        f"the bytes of {safe_name(name)!r} differ from what was announced",
                        where=f"announced sha256 {announced[:16]}…, got {found[:16]}…",
                        next="fetch again; if it stays so, tell the provider",
                    )
                if check is not None:
                    check(Path(stream.name))
                folder = self.root / found[:2]
                folder.mkdir(exist_ok=True, mode=0o700)
                path = folder / f"{found}-{safe_name(name)}"
                Path(stream.name).replace(path)
                sync_folder(folder)
                arrival.landed = Landed(path, arrival.size, found)
            except BaseException:
                arrival.close()
                Path(stream.name).unlink(missing_ok=True)
                raise

    def adopt(self, path: Path, name: str, *, found: str, sha256: str | None = None) -> Landed:
        """Make a whole file of this folder visible under its digest; one that is not what was announced is removed.

        ``path`` was written in any order and at any number of tries, under a name that begins with ``.arriving-``;
        ``found`` is its SHA-256 as it reads back.
        """
        if sha256 and found != sha256.lower():
            path.unlink()
            raise SourceError(
                f"the bytes of {safe_name(name)!r} differ from what was announced",
                where=f"announced sha256 {sha256[:16]}…, got {found[:16]}…",
                next="fetch again; if it stays so, tell the provider",
            )
        size = path.stat().st_size
        folder = self.root / found[:2]
        folder.mkdir(exist_ok=True, mode=0o700)
        place = folder / f"{found}-{safe_name(name)}"
        path.replace(place)
        sync_folder(folder)
        return Landed(place, size, found)

    def find(self, sha256: str) -> Landed | None:
        """Return a landed file by its digest, re-reading it to be sure; None when it is absent or no longer whole."""
        sha256 = sha256.lower()
        if not _SHA256.fullmatch(sha256):  # it comes from outside and becomes part of a path and a pattern
            return None
        with contextlib.suppress(FileNotFoundError):
            for path in sorted((self.root / sha256[:2]).iterdir()):
                if path.name.startswith(f"{sha256}-") and file_sha256(path) == sha256:
                    return Landed(path, path.stat().st_size, sha256)
        return None

    def objects(self) -> Iterator[tuple[str, Path]]:
        """Yield the digest and the path of every landed file."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            if _SHA256.fullmatch(path.name[:64]):
                yield path.name[:64], path

    def remove(self, path: Path) -> int:
        """Remove a landed file for good; return its size."""
        size = path.stat().st_size
        path.unlink()
        sync_folder(path.parent)
        return size


class Arrival:
    """A file on its way in: write blocks to it. ``landed`` is set once the file stands under its digest.

    ``hashed`` also hashes the blocks as they come: where nothing was announced, only that tells whether the file reads back as
    it was written.
    """

    def __init__(self, name: str, stream: IO[bytes], path: Path, limit: int, *, hashed: bool) -> None:
        self.name = name
        self.size = 0
        self.hash = hashlib.sha256() if hashed else None
        self.landed: Landed | None = None
        self._stream = stream
        self._path = path
        self._limit = limit
        self._told = 0
        self._reader: ReadBack | None = None

    def write(self, block: bytes | memoryview) -> None:
        """Append a block; raise ``SourceError`` beyond the limit."""
        self.size += len(block)
        if self.size > self._limit:
            raise SourceError(
                f"{safe_name(self.name)!r} is larger than the {self._limit} bytes allowed",
                next="raise max_bytes of the connector in datalab.toml if this size is expected",
            )
        if self.hash is not None:
            self.hash.update(block)
        for piece in in_pieces(block):
            self._stream.write(piece)
        if self.size - self._told >= _BEHIND:
            self._stream.flush()
            self._told = self.size
            self._reader = self._reader or ReadBack(self._path)
            self._reader.advance(self.size)

    def digest(self) -> bytes:
        """Return the SHA-256 of what has arrived so far."""
        self._stream.flush()
        return self.hash.digest() if self.hash is not None else bytes.fromhex(file_sha256(self._path))

    def read_back(self) -> str:
        """Return the SHA-256 of the whole file as it reads back, hex."""
        self._stream.flush()
        if self._reader is None:
            return file_sha256(self._path)
        self._reader.advance(self.size)
        return self._reader.finish()

    def close(self) -> None:
        """End the reading of a file that nobody wants any more."""
        if self._reader is not None:
            self._reader.close()


def safe_name(name: str) -> str:
    """Return the last path component of a foreign name, reduced to harmless characters; never empty, never hidden."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _SAFE.sub("_", last)[-100:].strip("._") or "object"
