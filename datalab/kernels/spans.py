"""Places in a text column: read a column as one buffer, look closely at few bytes of it, write the column anew.

A position is a byte offset into the UTF-8 of the whole column, in which every row is followed by one line feed. Rows are
independent: nothing found in one row depends on another, so any cut into batches gives the same places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_LINE_FEED = 10
# UTF-8 sequences that stand where a plain character could: (bytes, ASCII byte or None to leave out). Typography such as
# the French narrow space must not hide a number, and zero-width characters must not cut one in two.
_FOLDS: tuple[tuple[bytes, bytes], ...] = (
    ("\u00a0".encode(), b" "),
    ("\u00ad".encode(), b""),
    *((chr(code).encode(), b" ") for code in range(0x2000, 0x200B)),
    *((chr(code).encode(), b"") for code in range(0x200B, 0x2010)),
    *((chr(code).encode(), b"-") for code in range(0x2010, 0x2016)),
    ("\u202f".encode(), b" "),
    ("\u2060".encode(), b""),
    ("\u2212".encode(), b"-"),
    ("\u3000".encode(), b" "),
    ("\ufeff".encode(), b""),
    *((chr(0xFF01 + code - 0x21).encode(), bytes([code])) for code in range(0x21, 0x7F)),
)
_FOLD = {wide: narrow[0] if narrow else 0 for wide, narrow in _FOLDS}


@dataclass(frozen=True, slots=True)
class Column:
    """A text column as one buffer. Row i is ``data[offsets[i] : offsets[i + 1] - 1]``; null rows are empty."""

    data: Bytes
    offsets: Ints

    @classmethod
    def of(cls, texts: pl.Series) -> Column:
        """Join the rows of a text series, each followed by a line feed."""
        joined = pl.select(pl.lit(texts).fill_null("") + "\n").to_series()
        array = joined.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
        offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        if not len(array):
            return cls(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
        data = np.frombuffer(array.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
        return cls(data, offsets - offsets[0])

    def rows(self, positions: Ints) -> Ints:
        """Return the row of each position."""
        return np.searchsorted(self.offsets, positions, side="right") - 1

    def text(self, start: int, end: int) -> str:
        """Return the text between two positions that lie on character boundaries."""
        return self.data[start:end].tobytes().decode()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The parts of a column worth a close look, separated by line feeds; ``origin[i]`` is the position of ``text[i]``."""

    text: bytes
    origin: Ints

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the column of ``text[start:end]``, zero-width characters after it included."""
        return int(self.origin[start]), int(self.origin[end])


def excerpt(column: Column, anchors: Ints, *, before: int, after: int) -> Excerpt:
    r"""Cut out ``before`` bytes up to and ``after`` bytes from each anchor (ascending), within its row, overlaps joined.

    White space and punctuation in their typographic forms become plain, zero-width characters vanish, and the two
    characters of a JSON escape (``\\n``, ``\\r``, ``\\t``) become spaces: all of these separate, none is content.
    """
    if not len(anchors):
        return Excerpt(b"", np.zeros(0, dtype=np.int64))
    rows = column.rows(anchors)
    starts = np.maximum(anchors - before, column.offsets[rows])
    ends = np.minimum(anchors + after, column.offsets[rows + 1] - 1)
    first = np.flatnonzero(np.r_[True, starts[1:] > np.maximum.accumulate(ends)[:-1]])
    starts, ends = starts[first], np.maximum.reduceat(ends, first)
    lengths = ends - starts + 1
    after_each = np.cumsum(lengths)
    origin = np.arange(after_each[-1]) + np.repeat(starts - (after_each - lengths), lengths)
    data = column.data[origin].copy()
    data[after_each - 1] = _LINE_FEED
    return _folded(data, origin)


def _folded(data: Bytes, origin: Ints) -> Excerpt:
    escapes = np.flatnonzero(data[:-1] == ord("\\"))
    if len(escapes):
        escapes = escapes[np.isin(data[escapes + 1], np.frombuffer(b"nrt", dtype=np.uint8))]
        data[escapes] = data[escapes + 1] = ord(" ")
    leads = np.flatnonzero((data == 0xC2) | (data == 0xE2) | (data == 0xE3) | (data == 0xEF))
    if not len(leads):
        return Excerpt(data.tobytes(), origin)
    keep = np.ones(len(data), dtype=bool)
    whole = data.tobytes()
    for at in leads.tolist():
        width = 2 if whole[at] == 0xC2 else 3
        narrow = _FOLD.get(whole[at : at + width])
        if narrow is None:
            continue
        keep[at + (1 if narrow else 0) : at + width] = False
        data[at] = narrow
    return Excerpt(data[keep].tobytes(), origin[keep])


def islands(column: Column, positions: Ints, *, gap: int, least: int) -> Ints:
    """Keep the positions that stand in a run of at least ``least``, in one row, no two neighbours more than ``gap`` apart.

    A run of one fewer is kept too if it is spread out: ``1.1.1.1`` is an address where ``2024`` is not.
    """
    if not len(positions):
        return positions
    rows = column.rows(positions)
    first = np.flatnonzero(np.r_[True, (np.diff(positions) > gap) | (np.diff(rows) > 0)])
    counts = np.diff(np.r_[first, len(positions)])
    spread = positions[first + counts - 1] - positions[first]
    kept: Ints = positions[np.repeat((counts >= least) | ((counts == least - 1) & (spread >= least)), counts)]
    return kept


class Span(NamedTuple):
    """A place in a column (byte positions, end exclusive) and what it is."""

    start: int
    end: int
    kind: str
    rank: int = 0
    """Which of two spans of one place wins: the higher."""


def resolve(spans: Sequence[Span]) -> list[Span]:
    """Return ``spans`` in order and apart: a contained one goes, whatever its rank; of two that cross, the later is trimmed.

    What is covered before is covered after.
    """
    apart: list[Span] = []
    for span in sorted(spans, key=lambda item: (item.start, -item.end, -item.rank, item.kind)):
        reached = apart[-1].end if apart else 0
        if span.end > reached:
            apart.append(span if span.start >= reached else span._replace(start=reached))
    return apart


def rewrite(texts: pl.Series, column: Column, spans: Sequence[Span], replacements: Sequence[str]) -> pl.Series:
    """Return ``texts`` with each of ``spans`` (in order, apart, none across rows) replaced; null stays null."""
    if not spans:
        return texts
    whole = memoryview(column.data.tobytes())
    pieces: list[bytes | memoryview] = []
    at = 0
    growth = np.zeros(len(texts) + 1, dtype=np.int64)
    rows = column.rows(np.fromiter((span.start for span in spans), dtype=np.int64, count=len(spans)))
    encoded = [text.encode() for text in replacements]
    for span, new in zip(spans, encoded, strict=True):
        pieces += (whole[at : span.start], new)
        at = span.end
    pieces.append(whole[at:])
    changes = np.fromiter(
        (len(new) - (span.end - span.start) for span, new in zip(spans, encoded, strict=True)), dtype=np.int64, count=len(spans)
    )
    np.add.at(growth, rows + 1, changes)
    offsets = column.offsets + np.cumsum(growth)
    data = b"".join(pieces)
    array = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data))
    joined = pl.Series(texts.name, array, dtype=pl.String)
    bare = joined.str.strip_suffix("\n")
    return pl.select(pl.when(pl.lit(texts).is_not_null()).then(pl.lit(bare))).to_series().alias(texts.name)
