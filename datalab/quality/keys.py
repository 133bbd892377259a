"""Narrow keys for what is compared across batches: uniqueness and distinct values, exact and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from datalab.kernels.hashing import hash_rows
from datalab.quality.fit import Check, Kind

KEYS = pl.Schema({"check": pl.Int32, "key": pl.UInt64, "hi": pl.UInt64, "rows": pl.UInt64})
"""Key rows for the exchange: number of the check, 128 bits of hash in two halves, how many rows of the batch have it."""
_HIGH_SEED = 1 << 32


def keys_of(check: Check, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the key rows of one check and one batch."""
    if check.kind is Kind.UNIQUE:
        assert check.missing is not None
        rows = frame.lazy().filter(~check.missing).select(check.columns).collect()
    else:
        assert check.unexpected is not None
        rows = frame.lazy().filter(check.unexpected).select(check.columns).unique(maintain_order=True).collect()
    rows = rows.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None), pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    hashed = pl.DataFrame(
        {
            "key": hash_rows(rows, check.columns),
            "hi": hash_rows(rows, check.columns, _HIGH_SEED),
        }
    )
    counted = hashed.group_by("key", "hi", maintain_order=True).agg(rows=pl.len())
    return counted.select(pl.lit(check.number).alias("check"), "key", "hi", "rows").cast(KEYS)


def reduce_partition(checks: Iterable[Check], keys: pl.DataFrame) -> dict[str, int]:
    """Return counts of one whole partition of key rows, in any order: ``unexpected N`` and ``keyed N`` for check number N."""
    groups = keys.group_by("check", "key", "hi").agg(pl.col("rows").sum())
    repeated = pl.col("rows").filter(pl.col("rows") > 1).sum()
    counted = groups.group_by("check").agg(repeated=repeated, distinct=pl.len(), rows=pl.col("rows").sum())
    by_check = {row["check"]: row for row in counted.iter_rows(named=True)}  # one row per check, not per row of data
    word = {Kind.UNIQUE: "repeated", Kind.DISTINCT: "distinct"}
    counts: dict[str, int] = {}
    for check in checks:
        found = by_check.get(check.number, {})
        counts[f"unexpected {check.number}"] = int(found.get(word[check.kind], 0))
        counts[f"keyed {check.number}"] = int(found.get("rows", 0))
    return counts
