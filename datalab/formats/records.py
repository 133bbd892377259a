"""Where records start and end: blocks of bytes to whole records, with line numbers, in bounded memory."""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datalab.formats.chunk import Ordinals
from datalab.formats.options import Limits

Offsets = np.ndarray[Any, np.dtype[np.int64]]

_NEWLINE, _RETURN = 10, 13


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that has no place among the others: it comes before the good record number ``before`` of its block."""

    before: int
    line: int
    code: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Records:
    """Whole records of one block: record i is ``data[starts[i]:ends[i]]``, its newline included, and starts on ``lines[i]``."""

    data: bytes
    starts: Offsets
    ends: Offsets
    lines: Offsets
    broken: tuple[Broken, ...] = ()

    def text(self, index: int) -> bytes:
        """Return the bytes of one record."""
        return self.data[self.starts[index] : self.ends[index]]

    def lengths(self) -> Offsets:
        """Return the length of every record in bytes, line end included."""
        return self.ends - self.starts

    def joined(self, first: int = 0, stop: int | None = None) -> bytes:
        """Return records ``first … stop - 1`` as one run of bytes."""
        starts, ends = self.starts[first:stop], self.ends[first:stop]
        if not starts.size:
            return b""
        breaks = np.flatnonzero(starts[1:] != ends[:-1])
        runs = zip(starts[np.concatenate([[0], breaks + 1])], ends[np.concatenate([breaks, [ends.size - 1]])], strict=True)
        return b"".join([self.data[start:end] for start, end in runs])

    def ordinals(self, first: int) -> tuple[Ordinals, list[int]]:
        """Number all records from ``first`` in the order of the file; return the numbers of the good and of the broken ones."""
        before = np.array([item.before for item in self.broken], dtype=np.int64)
        places = np.arange(self.starts.size, dtype=np.int64)
        good = places + np.searchsorted(before, places, side="right") + first
        return good.astype(np.uint64), [first + item.before + rank for rank, item in enumerate(self.broken)]

    def without_blanks(self) -> Records:
        """Leave out empty lines: they are no records."""
        lengths = self.lengths()
        short = np.flatnonzero(lengths <= 2)
        if not short.size:
            return self
        lead = np.frombuffer(self.data, dtype=np.uint8)[self.starts[short]]
        blank = short[(lengths[short] == 1) | (lead == _RETURN)]
        keep = np.ones(self.starts.size, dtype=bool)
        keep[blank] = False
        broken = tuple(
            dataclasses.replace(item, before=item.before - int(np.searchsorted(blank, item.before))) for item in self.broken
        )
        return Records(self.data, self.starts[keep], self.ends[keep], self.lines[keep], broken)


@dataclass(frozen=True, slots=True)
class Quoting:
    """How delimited text quotes: records may span lines inside quotes (RFC 4180)."""

    delimiter: bytes
    quote: bytes
    record: re.Pattern[bytes] = field(init=False)
    fields: re.Pattern[bytes] = field(init=False)
    closed: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        d, q = re.escape(self.delimiter), re.escape(self.quote)
        quoted = b"%b[^%b]*(?:%b%b[^%b]*)*%b" % (q, q, q, q, q, q)
        cell = b"(?>%b|[^%b%b\\n][^%b\\n]*|)" % (quoted, q, d, d)
        row = b"(?>%b(?:%b%b)*)" % (cell, d, cell)
        object.__setattr__(self, "record", re.compile(row + rb"\r*\n"))
        object.__setattr__(self, "fields", re.compile(row))
        object.__setattr__(self, "closed", re.compile(b"(?>%b)" % quoted))


def records(blocks: Iterable[bytes], limits: Limits, quoting: Quoting | None = None) -> Iterator[Records]:
    """Cut ``blocks`` into records, by lines or with ``quoting``.

    A record longer than ``limits.record_bytes`` is ``record-too-long`` (only its beginning is kept); a quote that is still
    open after that many bytes, or at the end, spoils its line only: ``unclosed-quote``, and reading goes on with the next line.
    """
    carry, line = b"", 1
    skipping: Broken | None = None
    for block, at_end in _with_end(blocks):
        data = carry + block if carry else block
        if skipping is not None:
            place = data.find(b"\n")
            if place < 0 and not at_end:
                carry = b""
                continue
            yield _only(skipping)
            line, skipping = line + 1, None
            data = data[place + 1 :] if place >= 0 else b""
        if at_end and data and not data.endswith(b"\n"):
            data += b"\n"
        found, used = _split(data, line, quoting, limits, at_end=at_end)
        if found is not None:
            yield found
        line += data.count(b"\n", 0, used)
        carry = data[used:]
        if len(carry) > limits.record_bytes and not at_end and b"\n" not in carry:
            skipping = Broken(0, line, "record-too-long", carry[: 1 << 16])
            carry = b""


def _with_end(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for block in blocks:
        if block:
            yield block, False
    yield b"", True


def _only(broken: Broken) -> Records:
    none = np.empty(0, dtype=np.int64)
    return Records(b"", none, none, none, (broken,))


def _split(data: bytes, line: int, quoting: Quoting | None, limits: Limits, *, at_end: bool) -> tuple[Records | None, int]:
    """Return the whole records at the beginning of ``data`` and how many bytes they take."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(buffer == _NEWLINE)
    ends = newlines + 1
    broken: list[Broken] = []
    if quoting is not None and quoting.quote in data:
        quotes = np.flatnonzero(buffer == quoting.quote[0])
        if _well_formed(buffer, quotes, quoting):
            ends = ends[np.searchsorted(quotes, newlines) % 2 == 0]
            starts = np.concatenate([[0], ends[:-1]]) if ends.size else ends
            if _overdue(data, ends, limits, at_end=at_end):
                starts, ends, used, broken = _walk(data, quoting, limits, newlines, line, at_end=at_end)
            else:
                used = int(ends[-1]) if ends.size else 0
        else:
            starts, ends, used, broken = _walk(data, quoting, limits, newlines, line, at_end=at_end)
    else:
        starts = np.concatenate([[0], ends[:-1]]) if ends.size else ends
        used = int(ends[-1]) if ends.size else 0
    if not ends.size and not broken:
        return None, used
    lines = line + np.searchsorted(newlines, starts)
    return _checked(Records(data, starts, ends, lines, tuple(broken)), limits, quoting), used


def _overdue(data: bytes, ends: Offsets, limits: Limits, *, at_end: bool) -> bool:
    """Whether an open quote is past the record limit, or open at the end."""
    rest = len(data) - (int(ends[-1]) if ends.size else 0)
    return rest > 0 if at_end else rest > limits.record_bytes


def _well_formed(buffer: np.ndarray[Any, np.dtype[np.uint8]], quotes: Offsets, quoting: Quoting) -> bool:
    """Whether every quote opens right after a delimiter or line start, closes right before one, or is doubled.

    Then, and only then, the number of quotes before a newline tells whether it is inside quotes.
    """
    quote, delimiter = quoting.quote[0], quoting.delimiter[0]
    before = np.where(quotes > 0, buffer[quotes - 1], _NEWLINE)
    after = np.where(quotes < buffer.size - 1, buffer[np.minimum(quotes + 1, buffer.size - 1)], _NEWLINE)
    opens, closes = before[0::2], after[1::2]
    good_open = (opens == delimiter) | (opens == _NEWLINE) | (opens == quote)
    good_close = (closes == delimiter) | (closes == _NEWLINE) | (closes == _RETURN) | (closes == quote)
    return bool(good_open.all() and good_close.all())


def _walk(
    data: bytes, quoting: Quoting, limits: Limits, newlines: Offsets, line: int, *, at_end: bool
) -> tuple[Offsets, Offsets, int, list[Broken]]:
    """Find the records one by one where quotes are irregular: a quote counts only at the start of a field."""
    starts: list[int] = []
    ends: list[int] = []
    broken: list[Broken] = []
    place, size = 0, len(data)
    while place < size:
        if match := quoting.record.match(data, place):
            starts.append(place)
            place = match.end()
            ends.append(place)
            continue
        stuck = quoting.fields.match(data, place)
        stop = stuck.end() if stuck else place
        unclosed = data[stop : stop + 1] == quoting.quote and not quoting.closed.match(data, stop)
        if (unclosed or stop == size) and not at_end and size - place <= limits.record_bytes:
            break  # more bytes may complete it
        first = data.find(b"\n", place)
        if first < 0:
            break
        code = "unclosed-quote" if unclosed or stop == size else "stray-quote"
        number = line + int(np.searchsorted(newlines, place))
        broken.append(Broken(len(starts), number, code, data[place : min(first, place + (1 << 16))]))
        place = first + 1
    return np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64), place, broken


def _checked(found: Records, limits: Limits, quoting: Quoting | None) -> Records:
    """Take out what no parser should see: over-long records, NUL bytes, invalid UTF-8, carriage returns that end no line."""
    bad = found.lengths() > limits.record_bytes
    codes = {int(index): "record-too-long" for index in np.flatnonzero(bad)}
    if b"\0" in found.data:
        for index in _holding(found, np.flatnonzero(np.frombuffer(found.data, dtype=np.uint8) == 0)):
            codes.setdefault(index, "nul-byte")
    for index in _undecodable(found):
        codes.setdefault(index, "undecodable")
    if quoting is not None and b"\r" in found.data:
        buffer = np.frombuffer(found.data, dtype=np.uint8)
        returns = np.flatnonzero(buffer == _RETURN)
        last = returns >= buffer.size - 1
        lone = returns[last | (buffer[np.minimum(returns + 1, buffer.size - 1)] != _NEWLINE)]
        for index in _holding(found, lone):
            if quoting.quote not in found.text(index):
                codes.setdefault(index, "stray-carriage-return")
    if not codes:
        return found
    taken = np.array(sorted(codes), dtype=np.int64)
    keep = np.ones(found.starts.size, dtype=bool)
    keep[taken] = False
    removed = [
        Broken(int(index - rank), int(found.lines[index]), codes[int(index)], found.text(int(index))[: 1 << 16])
        for rank, index in enumerate(taken)
    ]
    shifted = [
        dataclasses.replace(item, before=item.before - int(np.searchsorted(taken, item.before))) for item in found.broken
    ]
    broken = tuple(sorted([*shifted, *removed], key=lambda item: item.line))
    return Records(found.data, found.starts[keep], found.ends[keep], found.lines[keep], broken)


def _undecodable(found: Records) -> Iterator[int]:
    """Yield the records with invalid UTF-8: decoding goes on behind each of them, so that the whole is decoded once."""
    if found.data.isascii() or not found.starts.size:
        return
    place = 0
    while place < found.starts.size:
        start = int(found.starts[place])
        try:
            codecs.utf_8_decode(memoryview(found.data)[start : found.ends[-1]], "strict", True)
        except UnicodeDecodeError as error:
            place = int(np.searchsorted(found.ends, start + error.start, side="right"))
            if place < found.starts.size and found.starts[place] <= start + error.start:
                yield place
            place += 1
        else:
            return


def _holding(found: Records, places: Offsets) -> list[int]:
    """Return the records that hold the byte offsets ``places``."""
    indices = np.searchsorted(found.ends, places, side="right")
    inside = indices < found.starts.size
    inside[inside] = found.starts[indices[inside]] <= places[inside]
    return [int(index) for index in np.unique(indices[inside])]
