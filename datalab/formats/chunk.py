"""Chunks: what every reader yields, cut by records so that a part is the same whoever reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

PAYLOAD_CHARS = 4096
"""A fault keeps at most this much of the record it is about."""

Ordinals = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that could not be read: its ordinal, its line in the file (1-based, None if it has none), why, and its text."""

    row: int
    line: int | None
    code: str
    payload: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records: ``frame`` (without identity columns) holds the good ones, ``rows`` their ordinals (UInt64).

    Every chunk but the last covers exactly ``batch_rows`` records: ``frame.height + len(faults)``.
    """

    frame: pl.DataFrame
    rows: pl.Series
    faults: tuple[Fault, ...] = ()

    @property
    def records(self) -> int:
        """How many records the chunk covers, malformed ones included."""
        return self.frame.height + len(self.faults)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a reader has at hand: records ``first … first + count - 1``, of whatever number. ``rows`` are ordinals, ascending."""

    frame: pl.DataFrame
    rows: Ordinals
    faults: tuple[Fault, ...]
    first: int
    count: int

    @classmethod
    def whole(cls, frame: pl.DataFrame, first: int) -> Piece:
        """Make a piece of records that are all good."""
        return cls(frame, np.arange(first, first + frame.height, dtype=np.uint64), (), first, frame.height)

    def split(self, count: int) -> tuple[Piece, Piece]:
        """Cut into the first ``count`` records and the rest."""
        border = self.first + count
        place = int(np.searchsorted(self.rows, border))
        early = tuple(fault for fault in self.faults if fault.row < border)
        late = self.faults[len(early) :]
        return (
            Piece(self.frame[:place], self.rows[:place], early, self.first, count),
            Piece(self.frame[place:], self.rows[place:], late, border, self.count - count),
        )


def cut(pieces: Iterable[Piece], batch_rows: int) -> Iterator[Chunk]:
    """Regroup ``pieces`` into chunks of exactly ``batch_rows`` records; the last may be shorter."""
    waiting: list[Piece] = []
    missing = batch_rows
    for arrived in pieces:
        piece = arrived
        while piece.count >= missing:
            head, piece = piece.split(missing)
            yield _chunk([*waiting, head])
            waiting, missing = [], batch_rows
        if piece.count:
            waiting.append(piece)
            missing -= piece.count
    if waiting:
        yield _chunk(waiting)


def payload(data: bytes) -> str:
    r"""Return the bytes of a record as text that can be stored: undecodable bytes as ``\\xNN``, cut to a bounded length."""
    text = data[: 4 * PAYLOAD_CHARS].rstrip(b"\r\n").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return text if len(text) <= PAYLOAD_CHARS else text[:PAYLOAD_CHARS] + "…"


def _chunk(pieces: list[Piece]) -> Chunk:
    frame = pieces[0].frame if len(pieces) == 1 else pl.concat([piece.frame for piece in pieces])
    rows = pl.Series("row", np.concatenate([piece.rows for piece in pieces]), dtype=pl.UInt64)
    return Chunk(frame.rechunk(), rows, tuple(fault for piece in pieces for fault in piece.faults))
