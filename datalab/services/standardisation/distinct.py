"""Work on distinct values, then gather: what repeats is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

_PROBE = 2048


def over_distinct(text: pl.Series, compute: Callable[[pl.Series], Any]) -> Any:
    """Return ``compute(text)`` (one series, or a tuple of series), computed on distinct values where values repeat.

    ``compute`` must look at each value alone. Nulls are passed like any value.
    """
    if text.len() < 64 or text.head(_PROBE).n_unique() > 0.5 * min(text.len(), _PROBE):
        return compute(text)
    frame = text.to_frame("value").with_columns(pl.col("value").rank("dense").alias("place"))
    distinct = frame.unique("place").sort("place", nulls_last=True)
    found = compute(distinct["value"].alias(text.name))
    places = (frame["place"] - 1).fill_null(distinct.height - 1)
    if isinstance(found, tuple):
        return tuple(series.gather(places).alias(series.name) for series in found)
    return found.gather(places).alias(text.name)
