"""Exact sums of columns: the same for every cut into batches, and in every order.

A finite float64 is an integer times a power of two, so a sum of floats is an exact fraction; it is rounded once, at the very end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl

_BLOCK = 1 << 22
"""Rows added up at a time: 2**22 pieces of 27 bits stay below 2**53, where float64 is exact."""


@dataclass(frozen=True, slots=True)
class Sum:
    """``count`` values, of them infinite ones by sign, and the exact ``total`` of the finite ones."""

    count: int = 0
    total: Fraction = Fraction(0)
    positive: int = 0
    negative: int = 0

    @property
    def mean(self) -> float | None:
        """The mean, rounded once; None without values and for ``inf - inf``; an infinity where a value or the mean is one."""
        if not self.count or (self.positive and self.negative):
            return None
        if self.positive or self.negative:
            return float("inf") if self.positive else float("-inf")
        exact = self.total / self.count
        try:
            return exact.numerator / exact.denominator
        except OverflowError:
            return float("inf") if exact > 0 else float("-inf")

    def as_json(self) -> dict[str, Any]:
        """Return the sum as plain JSON; the total is the text of a fraction."""
        return {"count": self.count, "total": str(self.total), "positive": self.positive, "negative": self.negative}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Sum:
        """Read what `as_json` wrote."""
        return cls(body["count"], Fraction(body["total"]), body["positive"], body["negative"])

    @classmethod
    def together(cls, several: Iterable[Sum]) -> Sum:
        """Add sums up; exact, so that no order or grouping shows."""
        items = tuple(several)
        return cls(
            sum(item.count for item in items),
            sum((item.total for item in items), Fraction(0)),
            sum(item.positive for item in items),
            sum(item.negative for item in items),
        )


def exact_sum(column: pl.Series) -> Sum:
    """Add up a column of integers or floats; nulls and NaN are left out."""
    values = column.drop_nulls()
    if not values.dtype.is_float():
        return Sum(len(values), Fraction(int(values.cast(pl.Int128).sum() or 0)))
    floats = values.cast(pl.Float64).to_numpy()
    floats = floats[~np.isnan(floats)]
    finite = floats[np.isfinite(floats)]
    infinite = floats[np.isinf(floats)]
    total = sum((_block_sum(finite[start : start + _BLOCK]) for start in range(0, len(finite), _BLOCK)), Fraction(0))
    return Sum(len(floats), total, int((infinite > 0).sum()), int((infinite < 0).sum()))


def _block_sum(values: np.ndarray[Any, np.dtype[np.float64]]) -> Fraction:
    """Split each value into two integers of at most 27 bits and an exponent, and add up the integers exponent by exponent."""
    fraction, exponent = np.frexp(values)
    mantissa = (fraction * 2.0**53).astype(np.int64)
    high = mantissa >> 27
    low = mantissa & ((1 << 27) - 1)
    lowest = int(exponent.min())
    place = exponent - lowest
    highs = np.bincount(place, weights=high.astype(np.float64))
    lows = np.bincount(place, weights=low.astype(np.float64))
    used = np.flatnonzero((highs != 0) | (lows != 0)).tolist()
    whole = sum(((int(highs[at]) << 27) + int(lows[at])) << at for at in used)
    shift = lowest - 53
    return Fraction(whole << shift) if shift >= 0 else Fraction(whole, 1 << -shift)
