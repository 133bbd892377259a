"""An object into the landing folder: ranges in parallel, resumed after a kill, verified by what the store knows of it.

What has come is kept in the landing folder as ``.arriving-object-…`` with a journal beside it: one line per part, with the CRC
of its bytes as they came. A part counts on resuming only where it still reads so. The landing folder removes both when they
are a day old. "A returned call is not arrival": the file becomes visible only after it was read back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from datalab.errors import ProtocolError, SourceError
from datalab.ports.connector import Progress
from datalab.ports.durable import file_sha256
from datalab.ports.landing import Landed, Landing
from datalab.ports.objectstore import ObjectStore, StoredObject, code_of, first_failure, shown_key
from datalab.ports.pieces import write_at
from datalab.ports.readback import ReadBack

_BLOCK = 1 << 20


def fetch_object(
    store: ObjectStore,
    wanted: StoredObject,
    landing: Landing,
    *,
    name: str,
    limit: int,
    progress: Progress = lambda *_: None,
    md5_etags: bool = True,
) -> Landed:
    """Bring ``wanted``, as ``head`` described it, into the landing folder.

    It must have the size and ETag it had then, and the SHA-256 that is stated for it. Where none is, and the ETag is an MD5
    (``md5_etags``: the store's are), the content must have that. Raise ``SourceError`` otherwise.
    """
    place = f"{wanted.bucket}/{shown_key(wanted.key)}"
    if wanted.bytes > limit:
        raise SourceError(
            f"the object has {wanted.bytes} bytes, more than the {limit} allowed",
            where=place,
            next="raise max_bytes of the connector in datalab.toml if this size is expected",
        )
    known = landing.find(wanted.sha256) if wanted.sha256 else None
    if known is not None:
        return known
    with _Partial(store, wanted, landing.root) as partial:
        watch = _Watch(store, partial, name, progress)
        store.run(partial.fill(), place, seconds=store.limits.transfer_seconds, watch=watch)
        watch(0.0)
        found = partial.settled()
        if not wanted.sha256 and md5_etags and wanted.md5 and partial.md5() != wanted.md5:
            partial.discard()
            raise SourceError(
                "the bytes differ from what was announced: their MD5 is not the ETag",
                where=place,
                next='fetch again; if the ETags of this store are no MD5, say etags = "opaque" in the connector\'s table',
            )
        try:
            return landing.adopt(partial.path, name, found=found, sha256=wanted.sha256)
        finally:
            partial.discard()


class _Watch:
    """Tells progress, and stops what is slower than allowed."""

    def __init__(self, store: ObjectStore, partial: _Partial, name: str, progress: Progress) -> None:
        self._limits = store.limits
        self._partial = partial
        self._name = name
        self._progress = progress
        self._before = partial.arrived
        self._told = -1

    def __call__(self, elapsed: float) -> None:
        """Look at what has arrived after ``elapsed`` seconds."""
        arrived = self._partial.arrived
        if arrived != self._told:
            self._told = arrived
            self._progress(self._name, arrived, self._partial.wanted.bytes)
        if elapsed > self._limits.idle and arrived - self._before < elapsed * self._limits.slowest:
            raise SourceError(
                f"the object comes slower than {self._limits.slowest:.0f} bytes a second", where=self._partial.place
            )


class _Partial:
    """The file on its way and its journal; use it as a context. One process at a time resumes: another one starts its own."""

    def __init__(self, store: ObjectStore, wanted: StoredObject, folder: Path) -> None:
        self.wanted = wanted
        self.place = f"{wanted.bucket}/{shown_key(wanted.key)}"
        self.arrived = 0
        self._store = store
        self._part = store.limits.part
        self._header = json.dumps([store.url, wanted.bucket, wanted.key, wanted.etag, wanted.bytes, wanted.sha256, self._part])
        stem = f".arriving-object-{hashlib.sha256(self._header.encode()).hexdigest()[:32]}"
        self.path = folder / stem
        self._journal = self._locked(folder / f"{stem}.journal")
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._count = -(-wanted.bytes // self._part)
        self._sums: dict[int, int] = dict(self._kept())
        self.arrived = sum(self._span(number)[1] for number in self._sums)
        self._reader: ReadBack | None = None
        self._prefix = 0

    def __enter__(self) -> Self:
        os.ftruncate(self._file, self.wanted.bytes)
        self._reader = ReadBack(self.path)
        self._advance()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._reader is not None
        self._reader.close()
        os.close(self._file)
        self._journal.close()

    def discard(self) -> None:
        """Remove what has come."""
        self.path.unlink(missing_ok=True)
        Path(self._journal.name).unlink(missing_ok=True)

    def settled(self) -> str:
        """Return the SHA-256 of the whole file as it reads back; raise ``SourceError`` where it is not what came."""
        os.fsync(self._file)
        assert self._reader is not None
        found = self._reader.finish() if self.wanted.bytes else file_sha256(self.path)
        if not self.wanted.sha256 and any(self._sum(number) != stated for number, stated in self._sums.items()):
            self.discard()
            raise SourceError("the object does not read back as it was written", where=self.place, next="check the disk")
        return found

    def md5(self) -> str:
        """Return the MD5 of the file, to compare with an ETag."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

    async def fill(self) -> None:
        """Fetch the parts that are missing, some at a time."""
        missing = iter([number for number in range(self._count) if number not in self._sums])

        async def fetcher() -> None:
            for number in missing:
                await self._fetch(number)

        async with first_failure(), asyncio.TaskGroup() as group:
            for _ in range(min(self._store.limits.together, self._count)):
                group.create_task(fetcher())

    async def _fetch(self, number: int) -> None:
        """Fetch one part; a connection that is cut is taken up where it broke."""
        start, size = self._span(number)
        done, failures, mark, checksum = 0, 0, 0, 0
        while done < size:
            try:
                async for block in self._blocks(start + done, start + size):
                    write_at(self._file, block, start + done)
                    checksum = zlib.crc32(block, checksum)
                    done += len(block)
                    self.arrived += len(block)
            except Exception as error:
                if isinstance(error, SourceError) or code_of(error):
                    raise
                failures, mark = (0 if done > mark else failures) + 1, done
                if failures >= self._store.limits.attempts:
                    raise
                await asyncio.sleep(self._store.limits.backoff * 2 ** (failures - 1))
        self._sums[number] = checksum
        self._journal.write(f"{number} {checksum:08x}\n")
        self._journal.flush()
        self._advance()

    async def _blocks(self, start: int, end: int) -> Any:
        span = f"bytes={start}-{end - 1}"
        answer = await self._store.call("get_object", Bucket=self.wanted.bucket, Key=self.wanted.key, Range=span)
        async with answer["Body"] as body:
            if str(answer.get("ETag", "")).strip('"') != self.wanted.etag:
                raise SourceError(
                    "the object changed: its ETag differs from the one offered", where=self.place, next="fetch it again"
                )
            if not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-{end - 1}/{self.wanted.bytes}"):
                raise ProtocolError("the store sent another range than the one asked for", where=self.place)
            came = 0
            while block := await body.read(_BLOCK):
                came += len(block)
                if came > end - start:
                    raise ProtocolError("the store sent more than the range asked for", where=self.place)
                yield block
            if came < end - start:
                raise ConnectionError(f"{came} of {end - start} bytes came before the connection ended")

    def _advance(self) -> None:
        """Let the parts that are there from the beginning on be read back."""
        before = self._prefix
        while self._prefix in self._sums:
            self._prefix += 1
        if self._reader is not None and self._prefix > before:
            self._reader.advance(min(self._prefix * self._part, self.wanted.bytes))

    def _span(self, number: int) -> tuple[int, int]:
        start = number * self._part
        return start, min(self._part, self.wanted.bytes - start)

    def _sum(self, number: int) -> int:
        start, size = self._span(number)
        checksum, end = 0, start + size
        while start < end:
            block = os.pread(self._file, min(_BLOCK, end - start), start)
            if not block:
                break
            checksum, start = zlib.crc32(block, checksum), start + len(block)
        return checksum

    def _kept(self) -> Iterator[tuple[int, int]]:
        """Yield the parts of an earlier try that still read as they came, and begin the journal where there is none."""
        self._journal.seek(0)
        lines = self._journal.read().splitlines()
        if lines[:1] != [self._header]:
            self._journal.truncate(0)
            self._journal.seek(0)
            self._journal.write(self._header + "\n")
            self._journal.flush()
            return
        for line in lines[1:]:
            found = re.fullmatch(r"([0-9]+) ([0-9a-f]{8})", line)
            if found and int(found[1]) < self._count and self._sum(int(found[1])) == int(found[2], 16):
                yield int(found[1]), int(found[2], 16)

    def _locked(self, path: Path) -> Any:
        for name in (path, path.with_name(f"{path.stem}-{os.getpid()}-{time.monotonic_ns()}.journal")):
            stream = open(name, "a+", encoding="utf-8", opener=lambda place, flags: os.open(place, flags, 0o600))  # noqa: SIM115
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.path = name.with_suffix("")
                return stream
            stream.close()
        raise SourceError("two processes fetch the same object", where=self.place, next="try again")
