"""What a value must be: the column-map expectations as polars expressions, with Great Expectations' meaning on pandas.

A value is *missing* when it is null or NaN. Missing values are neither expected nor unexpected. Every function returns the
expression that is true where a value that is there meets the rule, or None where the rule is left to Great Expectations itself.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from datalab.quality.patterns import rust_pattern

Rule = Callable[[pl.Expr, pl.DataType, Mapping[str, Any]], pl.Expr | None]

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?")
_INT64 = range(-(2**63), 2**63)
_INT128_BOUND = 2**126


def missing(column: str, kind: pl.DataType) -> pl.Expr:
    """True where ``column`` has no value: null, and NaN in a column of floats, as pandas sees it."""
    value = pl.col(column)
    if kind.is_float():
        return value.is_null() | value.is_nan().fill_null(value=False)
    return value.is_null()


def between(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """Numbers against numbers, dates and naive timestamps against ISO 8601 text; bounds included unless strict.

    A bound that is a date alone means its midnight. (Great Expectations reads it so too, then fails to compare it with a
    timestamp of pandas.)
    """
    bounds = kwargs.get("min_value"), kwargs.get("max_value")
    if kind.is_integer() and kind not in {pl.Int128, pl.UInt128}:
        return _whole_between(value, kind, kwargs) if all(map(_number_or_none, bounds)) else None
    if kind in {pl.Float32, pl.Float64}:
        return _inside(value.cast(pl.Float64), bounds, kwargs) if all(map(_number_or_none, bounds)) else None
    if _is_plain_time(kind):
        moments = [None if bound is None else moment(bound) for bound in bounds]
        if any(found is None and bound is not None for found, bound in zip(moments, bounds, strict=True)):
            return None
        return _inside(value.cast(pl.Datetime("us")), moments, kwargs)
    return None


def in_set(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """Membership. A set of another kind than the column contains none of its values; a set of mixed kinds is left alone."""
    members = [item for item in kwargs["value_set"] if item is not None]
    texts = all(isinstance(item, str) for item in members)
    truths = all(isinstance(item, bool) for item in members)
    numbers = all(_number_or_none(item) for item in members)
    if not members:
        return pl.lit(value=False)
    if kind == pl.String and (texts or numbers):
        return value.is_in(members) if texts else pl.lit(value=False)
    if kind == pl.Boolean and truths:
        return value.is_in(members)
    if kind.is_integer() and kind not in {pl.Int128, pl.UInt128} and (texts or numbers):
        wide = pl.Int64 if kind != pl.UInt64 else pl.Int128
        return value.cast(wide).is_in(pl.Series(_whole_members(members, wide), dtype=wide).implode())
    if kind in {pl.Float32, pl.Float64} and (texts or numbers):
        return value.cast(pl.Float64).is_in(pl.Series(_float_members(members), dtype=pl.Float64).implode())
    if _is_plain_time(kind) and texts:
        moments = [moment(item) for item in members]
        if None not in moments:
            return value.cast(pl.Datetime("us")).is_in(pl.Series(moments, dtype=pl.Datetime("us")).implode())
    return None


def not_in_set(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """The opposite of `in_set`."""
    inside = in_set(value, kind, kwargs)
    return None if inside is None else ~inside


def match_regex(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """The pattern is found somewhere in the text (``re.search``), for patterns that mean the same in Python and Rust."""
    pattern = rust_pattern(kwargs["regex"]) if kind == pl.String and kwargs.get("regex") is not None else None
    return None if pattern is None else value.str.contains(pattern, literal=False)


def not_match_regex(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """The opposite of `match_regex`."""
    found = match_regex(value, kind, kwargs)
    return None if found is None else ~found


def length_between(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """The number of code points of a text lies between the bounds."""
    bounds = kwargs.get("min_value"), kwargs.get("max_value")
    if kind != pl.String or not all(bound is None or _is_whole(bound) for bound in bounds):
        return None
    return _whole_between(value.str.len_chars(), pl.Int64(), kwargs)


def length_equal(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr | None:
    """A text has exactly ``value`` code points."""
    return length_between(value, kind, {"min_value": kwargs["value"], "max_value": kwargs["value"]})


RULES: Mapping[str, Rule] = {
    "expect_column_values_to_be_between": between,
    "expect_column_values_to_be_in_set": in_set,
    "expect_column_values_to_not_be_in_set": not_in_set,
    "expect_column_values_to_match_regex": match_regex,
    "expect_column_values_to_not_match_regex": not_match_regex,
    "expect_column_value_lengths_to_be_between": length_between,
    "expect_column_value_lengths_to_equal": length_equal,
}


def moment(text: Any) -> dt.datetime | None:
    """Read ISO 8601 text without a zone as a timestamp, a date alone as its midnight; None for anything else."""
    if not isinstance(text, str) or not _ISO.fullmatch(text):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo else found


def _whole_between(value: pl.Expr, kind: pl.DataType, kwargs: Mapping[str, Any]) -> pl.Expr:
    """Compare integers with bounds of any size exactly, by turning each bound into the next integer that is inside."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None:
        low = math.floor(low) + 1 if kwargs.get("strict_min") else math.ceil(low)
    if high is not None:
        high = math.ceil(high) - 1 if kwargs.get("strict_max") else math.floor(high)
    wide: type[pl.DataType] = pl.Int64
    if kind == pl.UInt64 or any(bound is not None and bound not in _INT64 for bound in (low, high)):
        wide = pl.Int128
        low, high = (bound if bound is None else max(-_INT128_BOUND, min(bound, _INT128_BOUND)) for bound in (low, high))
    limits = [None if bound is None else pl.lit(bound, dtype=wide) for bound in (low, high)]
    return _inside(value.cast(wide), limits, {})


def _inside(value: pl.Expr, bounds: Sequence[Any], kwargs: Mapping[str, Any]) -> pl.Expr:
    low, high = bounds
    inside = pl.lit(value=True)
    if low is not None:
        inside &= value > low if kwargs.get("strict_min") else value >= low
    if high is not None:
        inside &= value < high if kwargs.get("strict_max") else value <= high
    return inside


def _whole_members(members: Sequence[Any], wide: type[pl.DataType]) -> list[int]:
    limit = 2**63 if wide == pl.Int64 else _INT128_BOUND
    numbers = [item for item in members if not isinstance(item, str)]
    return [int(item) for item in numbers if item == math.floor(item) and -limit <= item < limit]


def _float_members(members: Sequence[Any]) -> list[float]:
    """The members that are a float64 exactly: others equal no value of the column."""
    numbers = [item for item in members if not isinstance(item, str) and abs(item) < 2**1023]
    return [float(item) for item in numbers if float(item) == item]


def _number_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain_time(kind: pl.DataType) -> bool:
    return kind == pl.Date or (isinstance(kind, pl.Datetime) and kind.time_zone is None and kind.time_unit != "ns")
