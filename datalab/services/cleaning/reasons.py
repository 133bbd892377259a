"""How a step of cleaning says which rows go: a series of reasons, and the small questions behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from datalab.errors import UsageError


def first_reason(frame: pl.DataFrame, rules: Mapping[str, pl.Expr]) -> pl.Series:
    """Return for each row the first of ``rules`` (reason to condition) that holds, null where none does."""
    chosen = pl.coalesce(*(pl.when(condition).then(pl.lit(reason)) for reason, condition in rules.items()))
    return frame.select(chosen.alias("reason")).to_series()


def is_missing(column: str, kind: pl.DataType) -> pl.Expr:
    """Whether a value is null, blank text or not a number."""
    value = pl.col(column)
    if kind == pl.String:
        return value.is_null() | (value.str.strip_chars() == "")
    return value.is_null() | value.is_nan() if kind.is_float() else value.is_null()


def as_names(columns: str | Sequence[str], *, step: str) -> tuple[str, ...]:
    """Return one or several column names as a tuple; raise ``UsageError`` for none or for a repeated one."""
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    if not names or len(set(names)) != len(names):
        raise UsageError(f"{step} needs at least one column, each once", where=f"columns {list(names)}")
    return names
