"""Where words and lines are in a text column: two array operations over its bytes instead of a pattern per word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.hashing import Numbers, hash_words
from datalab.kernels.spans import Bytes, Column, Ints

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1 << 18
"""Bytes of text worked on together: what a core keeps in its own cache."""
_PADDING = 8


@dataclass(frozen=True, slots=True)
class Words:
    """Words of some neighbouring rows: runs of bytes other than ASCII white space.

    Word w is ``data[starts[w] : ends[w]]``. Row i is ``data[bounds[i] : bounds[i + 1] - 1]``, a line feed follows; its words are
    ``first[i]`` to ``first[i + 1]``. After the last row ``data`` holds eight zeros.
    """

    data: Bytes
    bounds: Ints
    starts: Ints
    ends: Ints
    first: Ints

    def first_of(self, places: Ints) -> Ints:
        """Return which of ``places`` (ascending) is the first in each row, and behind them their number."""
        return np.searchsorted(places, self.bounds)


def per_row(values: Array, first: Ints) -> Array:
    """Return the sums of ``values[first[i] : first[i + 1]]``."""
    totals = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=totals[1:])
    return np.diff(totals[first])


def characters(data: Bytes, starts: Ints, ends: Ints) -> Ints:
    """Return how many characters each byte range of UTF-8 has: its bytes without those that continue one."""
    if not len(starts):
        return starts
    inner = np.zeros(len(data) + 1, dtype=np.uint32)
    np.cumsum((data & 0xC0) == 0x80, out=inner[1:])
    return np.asarray(ends - starts - (inner[ends] - inner[starts]))


def reads(data: Bytes, places: Ints, marks: tuple[bytes, ...], *, before: bool = False) -> Array:
    """Return at which of ``places`` one of ``marks`` begins, or ends with ``before``."""
    found = np.zeros(len(places), dtype=np.bool_)
    for mark in marks:
        base = places - len(mark) if before else places  # of a place near the start: wraps to the zeros at the end
        here = data[base] == mark[0]
        for step in range(1, len(mark)):
            here &= data[base + step] == mark[step]
        found |= here
    return found


def seen_before(view: Numbers, starts: Ints, sizes: Ints, first: Ints) -> Array:
    """Return which byte ranges (lines, paragraphs) stand above in the same row too: by 44 bits of their hash, among those of one text.

    ``view`` are the bytes as unaligned words (`hashing.word_view`); the ranges of row i are ``first[i]`` to ``first[i + 1]``.
    """
    again = np.zeros(len(starts), dtype=np.bool_)
    ranges = np.diff(first)
    chosen = np.flatnonzero(np.repeat(ranges > 1, ranges))
    if len(chosen):
        rows = np.repeat(np.arange(len(ranges)), ranges)[chosen].astype(np.uint64)
        keys = rows << np.uint64(44) | hash_words(view, starts[chosen], sizes[chosen]) >> np.uint64(20)
        order = np.argsort(keys, kind="stable")
        again[chosen[order[1:]]] = keys[order[1:]] == keys[order[:-1]]
    return again


def words(texts: pl.Series, block: int | None = None) -> Iterator[tuple[int, Words]]:
    """Yield (first row, its words and those of the rows after it) for blocks of about ``block`` bytes. A null is an empty text."""
    column = Column.of(texts)
    first = 0
    while first < len(texts):
        reach = column.offsets[first] + (block or BLOCK)
        last = max(int(np.searchsorted(column.offsets, reach, side="right")) - 1, first + 1)
        low, high = int(column.offsets[first]), int(column.offsets[last])
        yield first, _found(column.data[low:high], column.offsets[first : last + 1] - low)
        first = last


def _found(text: Bytes, bounds: Ints) -> Words:
    data = np.zeros(len(text) + _PADDING, dtype=np.uint8)
    data[: len(text)] = text
    blank = np.ones(len(text) + 1, dtype=np.bool_)
    white = blank[1:]
    np.less(text - np.uint8(9), 5, out=white)
    white |= text == 32
    edges = np.flatnonzero(blank[1:] != blank[:-1])
    starts, ends = edges[0::2], edges[1::2]
    return Words(data, bounds, starts, ends, np.searchsorted(starts, bounds))
