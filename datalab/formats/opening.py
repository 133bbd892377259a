"""From a landed file to byte streams: plain, gzip or zip, with caps on what may come out, decoded to UTF-8 block by block."""

from __future__ import annotations

import codecs
import gzip
import io
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from datalab.errors import NotFound, ReadError
from datalab.formats.options import Limits, ReadOptions

BLOCK = 4 << 20
"""Bytes read at a time."""

SUFFIXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "csv": ((".csv", ".tsv", ".tab"), (".txt",)),
    "jsonl": ((".jsonl", ".ndjson"), (".json",)),
    "parquet": ((".parquet", ".pq"),),
    "arrow": ((".arrow", ".feather", ".ipc", ".arrows"),),
    "text": ((".txt", ".text", ".md"),),
    "documents": ((".txt", ".text", ".md", ".html", ".htm", ".xml"),),
    "fhir": ((".json", ".ndjson", ".jsonl"),),
}
"""How files of a format end: the usual suffixes, then those that count where no file has a usual one."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file to read: the landed file itself, or a file of the archive. ``open`` yields its expanded bytes."""

    name: str
    where: str
    open: Callable[[], IO[bytes]]


class Expanding(io.RawIOBase):
    """A decompressing stream that stops at the caps of ``limits`` and turns the errors of its codec into ``ReadError``."""

    def __init__(self, inner: IO[bytes], consumed: Callable[[], int], limits: Limits, where: str) -> None:
        self._inner = inner
        self._consumed = consumed
        self._limits = limits
        self._where = where
        self._produced = 0

    def readable(self) -> bool:
        """Return True: this is a stream to read from."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` expanded bytes, b"" at the end."""
        try:
            data = self._inner.read(size if size >= 0 else BLOCK)
        except EOFError:
            raise ReadError(
                "the compressed data ends before its end mark", where=self._where, next="the file is truncated: fetch it again"
            ) from None
        except (OSError, zlib.error, zipfile.BadZipFile) as error:
            raise ReadError(f"the compressed data is damaged ({error})", where=self._where, next="fetch it again") from None
        self._produced += len(data)
        refuse_growth(self._produced, self._consumed(), self._limits, self._where)
        return data

    def close(self) -> None:
        """Close the inner stream as well."""
        self._inner.close()
        super().close()


def refuse_growth(produced: int, consumed: int, limits: Limits, where: str) -> None:
    """Raise ``ReadError`` where ``produced`` bytes from ``consumed`` compressed ones pass the caps (a decompression bomb)."""
    if produced > limits.expanded_bytes:
        raise ReadError(
            f"the compressed data grows beyond {limits.expanded_bytes} bytes",
            where=where,
            next="check that the file is what it claims to be; cut it into smaller files if it is",
        )
    if produced > limits.ratio_after and produced > limits.ratio * max(consumed, 1):
        raise ReadError(
            f"the compressed data grows more than {limits.ratio} times: this looks like a decompression bomb",
            where=where,
            next="ask the provider for the file uncompressed if its content is genuine",
        )


def members(path: Path, options: ReadOptions) -> list[Member]:
    """Return the files to read in their order; raise ``ReadError`` for archives that are damaged or try to break out."""
    if options.compression == "zip":
        return [_zip_member(path, info, options.limits) for info in chosen(path, options)]
    if options.compression == "gzip":
        return [Member(path.name, path.name, lambda: _gunzip(path.open("rb"), options.limits, path.name))]
    return [Member(path.name, path.name, lambda: path.open("rb"))]


def chosen(path: Path, options: ReadOptions) -> list[zipfile.ZipInfo]:
    """Return the members of the archive that hold the data, by name; those with another suffix (a licence) are left out."""
    found = [info for info in safe_members(path, options.limits) if not _is_decoration(info.filename)]
    if options.member:
        named = [info for info in found if info.filename == options.member]
        if not named:
            raise NotFound.among("file in the archive", options.member, (info.filename for info in found), where=path.name)
        return named
    for suffixes in SUFFIXES[options.format]:
        if fitting := [info for info in found if _suffix(info.filename) in suffixes]:
            return sorted(fitting, key=lambda info: info.filename)
    return sorted(found, key=lambda info: info.filename)


def safe_members(path: Path, limits: Limits) -> list[zipfile.ZipInfo]:
    """List the files of a zip archive; refuse breakouts (``..``, absolute paths, links), encryption, bombs, repeated names."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ReadError(f"not a readable zip archive ({error})", where=path.name, next="fetch it again") from None
    if len(infos) > limits.members:
        raise ReadError(f"the archive holds more than {limits.members} files", where=path.name)
    names: set[str] = set()
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        mode = info.external_attr >> 16
        problem = ""
        if parts.is_absolute() or ".." in parts.parts or parts.parts[0].endswith(":"):
            problem = "has a path that leads out of the archive"
        elif stat.S_ISLNK(mode):
            problem = "is a link"
        elif info.flag_bits & 0x1:
            problem = "is encrypted"
        elif info.filename in names:
            problem = "stands in the archive twice"
        if problem:
            raise ReadError(
                f"a file of the archive {problem}",
                where=f"{path.name}, {info.filename!r}",
                next="ask the provider for a plain archive",
            )
        names.add(info.filename)
        refuse_growth(info.file_size, info.compress_size, limits, f"{path.name}, {info.filename!r}")
    refuse_growth(sum(info.file_size for info in infos), sum(info.compress_size for info in infos), limits, path.name)
    return infos


@contextmanager
def seekable(member: Member) -> Iterator[IO[bytes]]:
    """Give random access to a member: the file itself, or its expanded bytes in an unnamed temporary file."""
    with member.open() as stream:
        if not isinstance(stream, Expanding):
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy, BLOCK)
            copy.seek(0)
            yield copy


def utf8_blocks(stream: IO[bytes], encoding: str, where: str) -> Iterator[bytes]:
    """Yield the stream in blocks of UTF-8 without byte order mark.

    Bytes that ``encoding`` does not know come out as invalid UTF-8 (encoded surrogates), so that the reader can blame the
    record that holds them instead of changing it silently.
    """
    if encoding in {"utf-8", "utf-8-sig", "ascii"}:
        first = True
        while block := stream.read(BLOCK):
            yield block.removeprefix(codecs.BOM_UTF8) if first else block
            first = False
        return
    wide = encoding.startswith(("utf-16", "utf-32"))
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if wide else "surrogateescape")
    try:
        first = True
        while block := stream.read(BLOCK // 2):
            text = decoder.decode(block)
            yield (text.removeprefix("\ufeff") if first else text).encode("utf-8", "surrogatepass")
            first = False
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeError:
        raise ReadError(
            f"the bytes are not {encoding}", where=where, next="name the right encoding in Source(read={'encoding': …})"
        ) from None


def _zip_member(path: Path, info: zipfile.ZipInfo, limits: Limits) -> Member:
    where = f"{path.name}, {info.filename!r}"

    def open_member() -> IO[bytes]:
        archive = zipfile.ZipFile(path)
        try:
            inner = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            archive.close()
            raise ReadError(f"a file of the archive cannot be opened ({error})", where=where) from None
        archive.close()  # the member keeps its own handle on the file
        stream: IO[bytes] = Expanding(inner, lambda: max(info.compress_size, 1), limits, where)  # type: ignore[assignment]
        return _gunzip(stream, limits, where) if info.filename.lower().endswith(".gz") else stream

    return Member(info.filename, where, open_member)


def _gunzip(raw: IO[bytes], limits: Limits, where: str) -> IO[bytes]:
    counting = _Counting(raw)
    inner = gzip.GzipFile(fileobj=counting, mode="rb")
    return _ClosingBoth(inner, raw, counting, limits, where)  # type: ignore[return-value]


class _Counting(io.RawIOBase):
    """Counts what is read, since an archive member cannot tell its compressed position."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner = inner
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size)
        self.count += len(data)
        return data


class _ClosingBoth(Expanding):
    """A gzip stream that closes the file below it, which ``GzipFile`` leaves open."""

    def __init__(
        self, inner: IO[bytes] | gzip.GzipFile, raw: IO[bytes], counting: _Counting, limits: Limits, where: str
    ) -> None:
        Expanding.__init__(self, inner, lambda: counting.count, limits, where)  # type: ignore[arg-type]
        self._raw = raw

    def close(self) -> None:
        self._raw.close()
        Expanding.close(self)


def _suffix(name: str) -> str:
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def _is_decoration(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or parts[-1].startswith(".")
