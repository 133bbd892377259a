"""Profiles: what the columns of a dataset hold, in aggregates only. Cells of fewer than ``SMALL_CELL`` rows are never shown.

A profile is made batch by batch and merged exactly; its size is bounded by the number of columns, not of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from datalab.model.step import IDENTITY

SMALL_CELL = 10
"""The smallest group that is shown (a common rule of official statistics; see docs/decisions)."""
MOST_CATEGORIES = 64
"""Columns with more distinct values than this are described without categories."""
_LONGEST_CATEGORY = 60
_BEGINNING = 1_024


@dataclass(frozen=True, slots=True)
class Profile:
    """Columns by name: {type, rows, nulls, categories, suppressed}; see `merge_profiles`."""

    rows: int
    columns: Mapping[str, Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Return the profile as plain JSON."""
        return {"rows": self.rows, "columns": {name: dict(column) for name, column in self.columns.items()}}


def profile_batch(frame: pl.DataFrame) -> dict[str, Any]:
    """Return what one batch adds to a profile: plain JSON, with raw category counts (sensitive until merged and suppressed)."""
    columns: dict[str, Any] = {}
    for series in frame.drop(IDENTITY, strict=False).get_columns():
        columns[series.name] = {"type": str(series.dtype), "nulls": series.null_count(), "categories": _categories(series)}
    return {"rows": frame.height, "columns": columns}


def merge_profiles(batches: Iterable[Mapping[str, Any]]) -> Profile:
    """Merge batches into a profile and suppress small cells.

    ``categories`` is a list of [value, rows], most frequent first, empty for columns that are not categorical; ``suppressed`` counts the
    rows in cells that are too small to show. Where only one cell would be suppressed, the next smallest goes with it, so
    that it cannot be computed from the total.
    """
    rows = 0
    merged: dict[str, dict[str, Any]] = {}
    for batch in batches:
        rows += batch["rows"]
        for name, column in batch["columns"].items():
            mine = merged.setdefault(name, {"type": column["type"], "nulls": 0, "categories": {}})
            mine["nulls"] += column["nulls"]
            if mine["categories"] is not None:
                mine["categories"] = _added(mine["categories"], column["categories"])
    return Profile(rows, {name: _shown(rows, column) for name, column in merged.items()})


def _categories(series: pl.Series) -> dict[str, int] | None:
    """Count the values of a categorical column; None where it is not one."""
    if series.dtype.is_nested() or series.dtype.is_float() or series.dtype.is_temporal():
        return None
    # most columns that are not categorical show it in their first rows, and long texts are not read for it
    if any(some.drop_nulls().n_unique() > MOST_CATEGORIES for some in (series.head(_BEGINNING), series)):
        return None
    values = series.drop_nulls().cast(pl.String)
    if not values.is_empty() and values.str.len_chars().max() > _LONGEST_CATEGORY:  # type: ignore[operator]
        return None
    counted = values.value_counts(name="rows").sort("rows", values.name, descending=[True, False])
    return {str(value): int(number) for value, number in counted.rows()}


def _added(mine: dict[str, int], more: Mapping[str, int] | None) -> dict[str, int] | None:
    if more is None:
        return None
    total = dict(mine)
    for value, number in more.items():
        total[value] = total.get(value, 0) + number
    return total if len(total) <= MOST_CATEGORIES else None


def _shown(rows: int, column: Mapping[str, Any]) -> dict[str, Any]:
    body = {"type": column["type"], "rows": rows, "nulls": column["nulls"], "categories": [], "suppressed": 0}
    categories = sorted((column["categories"] or {}).items(), key=lambda item: (-item[1], item[0]))
    large = [[value, number] for value, number in categories if number >= SMALL_CELL]
    small = [number for _, number in categories if number < SMALL_CELL]
    if len(small) == 1 and large:
        small.append(large.pop()[1])
    if large and len(categories) < max(2, rows):
        body["categories"], body["suppressed"] = large, sum(small)
    return body
