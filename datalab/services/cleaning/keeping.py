"""Which of several rows that count as one stays: the steward's rule, as a number that travels with the keys."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.model.step import IDENTITY, ROW, SOURCE

Keep = Literal["first", "last", "longest"] | tuple[Literal["max", "min"], str]
"""Ties go to the smallest identity, and a row without a value stays only where no other has one."""
RANK = "rank"
"""Column of key rows and evidence (UInt64): the smallest of a group stays."""

_LAST = (1 << 64) - 1
_SIGN = 1 << 63


def keep_reads(keep: Keep, schema: pl.Schema, *, step: str, text: str = "") -> frozenset[str]:
    """Return the columns that the rule reads, ``text`` alone for "longest" where it is given; refuse a rule that cannot be followed."""
    if isinstance(keep, str) and keep in {"first", "last"}:
        return frozenset()
    if keep == "longest":
        columns = frozenset([text] if text else (name for name, kind in schema.items() if kind == pl.String))
        if not columns:
            raise SchemaError("there is no text whose length could decide", where=f"step {step}, keep='longest'")
        return columns
    if not (isinstance(keep, (tuple, list)) and len(keep) == 2 and keep[0] in {"max", "min"}):
        raise UsageError(
            f"{keep!r} does not say which row stays",
            where=f"step {step}, keep",
            next='write "first", "last", "longest", ("max", column) or ("min", column)',
        )
    column = keep[1]
    if column not in schema:
        raise SchemaError.column(column, schema.names(), where=f"step {step}, keep")
    kind = schema[column]
    if not (kind.is_integer() or kind.is_float() or kind.is_temporal() or kind == pl.Boolean) or kind in {
        pl.Int128,
        pl.UInt128,
    }:
        raise SchemaError(
            f"column {column!r} is {kind} and has no largest value",
            where=f"step {step}, keep",
            next="name a number or a time, or make one of it with standardise.Types",
        )
    return frozenset([column])


def rank_of(keep: Keep, frame: pl.DataFrame, *, text: str = "") -> list[pl.Series]:
    """Return the ranks of the rows as a column to add, or nothing where the first stays."""
    if keep == "first":
        return []
    if keep == "last":
        place = frame.select((pl.col(SOURCE).cast(pl.UInt64) * (1 << 44)) + pl.col(ROW)).to_series()
        return [pl.Series(RANK, ~place.to_numpy())]
    if keep == "longest":
        texts = [text] if text else [name for name, kind in frame.schema.items() if kind == pl.String and name not in IDENTITY]
        letters = frame.select(pl.sum_horizontal(pl.col(name).str.len_chars().cast(pl.UInt64) for name in texts)).to_series()
        return [pl.Series(RANK, ~letters.fill_null(0).to_numpy())]
    rule, column = keep
    ranks = np.minimum(_ascending(frame.get_column(column)), np.uint64(_LAST - 1))  # the last rank is that of a missing value
    if rule == "max":
        ranks = np.uint64(_LAST - 1) - ranks
    values = frame.get_column(column)
    missing = (values.is_null() | values.is_nan()) if values.dtype.is_float() else values.is_null()
    ranks[missing.to_numpy()] = _LAST
    return [pl.Series(RANK, ranks)]


def _ascending(values: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return 64-bit numbers in the order of the values."""
    if values.dtype == pl.UInt64:
        return values.fill_null(0).to_numpy().copy()
    if values.dtype.is_float():
        bits = (values.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0).view(np.uint64)
        return np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(_SIGN))
    signed = values.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    return signed.view(np.uint64) ^ np.uint64(_SIGN)
