"""Plain text: one record per line (column ``text``), or one record per file of an archive (``name``, ``text``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from datalab.formats.chunk import Fault, Piece, payload
from datalab.formats.opening import Member, members, utf8_blocks
from datalab.formats.options import ReadOptions
from datalab.formats.records import Records, records

LINES = pl.Schema({"text": pl.String()})
DOCUMENTS = pl.Schema({"name": pl.String(), "text": pl.String()})


def lines(path: Path, options: ReadOptions) -> Iterator[Piece]:
    """Yield every line, empty ones included: record n of a plain file is line n + 1."""
    first = 0
    for member in members(path, options):
        with member.open() as stream:
            for found in records(utf8_blocks(stream, options.encoding, member.where), options.limits):
                piece = _lines(found, first)
                first += piece.count
                yield piece


def documents(path: Path, options: ReadOptions) -> Iterator[Piece]:
    """Yield every file as one record; one that is too long, has NUL bytes or another encoding is a fault."""
    for number, member in enumerate(members(path, options)):
        text, code = _document(member, options)
        if code:
            fault = Fault(number, None, code, payload(text.encode("utf-8", "replace")))
            yield Piece(pl.DataFrame(schema=DOCUMENTS), np.empty(0, dtype=np.uint64), (fault,), number, 1)
        else:
            yield Piece.whole(pl.DataFrame({"name": [member.name], "text": [text]}, schema=DOCUMENTS), number)


def _lines(found: Records, first: int) -> Piece:
    good, broken = found.ordinals(first)
    faults = [
        Fault(number, item.line, item.code, payload(item.data)) for number, item in zip(broken, found.broken, strict=True)
    ]
    data = found.joined()
    bounds = np.concatenate([[0], np.cumsum(found.lengths())]).astype(np.int64)
    array = pa.LargeStringArray.from_buffers(bounds.size - 1, pa.py_buffer(bounds), pa.py_buffer(data))
    text = pl.Series("text", array, dtype=pl.String).str.strip_suffix("\n").str.strip_suffix("\r")
    count = int(found.starts.size) + len(broken)
    return Piece(text.to_frame(), good, tuple(faults), first, count)


def _document(member: Member, options: ReadOptions) -> tuple[str, str]:
    collected = bytearray()
    with member.open() as stream:
        for block in utf8_blocks(stream, options.encoding, member.where):
            collected += block
            if len(collected) > options.limits.record_bytes:
                return collected[: 1 << 14].decode("utf-8", "replace"), "record-too-long"
    try:
        text = collected.decode("utf-8")
    except UnicodeDecodeError:
        return collected[: 1 << 14].decode("utf-8", "backslashreplace"), "undecodable"
    return text, "nul-byte" if "\0" in text else ""
