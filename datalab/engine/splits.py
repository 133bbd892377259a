"""Splits without leakage: a row's split is a keyed hash of what must stay together, so equal values share one split."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import polars as pl

from datalab.engine.plan import SPLIT, Plan
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY

_SCALE = 1 << 32
SIZED_ROWS = 256
"""Rows whose bytes are counted together."""


def add_split(frame: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Add column ``SPLIT`` (UInt8, place in the pipeline's shares)."""
    columns = list(plan.pipeline.splits.together) or [name for name in frame.columns if name not in IDENTITY]
    place = hash_rows(frame, columns, plan.pipeline.seed) % _SCALE
    bounds = [round(share * _SCALE) for share in accumulate(plan.pipeline.splits.shares.values())]
    bounds[-1] = _SCALE
    split = pl.Series(bounds, dtype=pl.UInt64).search_sorted(place, side="right").cast(pl.UInt8)
    return frame.with_columns(split.alias(SPLIT))


def split_counts(frame: pl.DataFrame, plan: Plan) -> list[int]:
    """Count the rows of each split, in the order of the shares."""
    numbers = dict(frame.group_by(SPLIT).len().rows())
    return [int(numbers.get(place, 0)) for place in range(len(plan.pipeline.splits.shares))]


def split_facts(frame: pl.DataFrame, plan: Plan) -> dict[str, Any]:
    """Return what the cut into shards needs to know: ``splits`` (rows of each), and ``sizes`` where shards are cut by bytes.

    ``sizes`` are the Arrow bytes of each ``SIZED_ROWS`` rows of each split.
    """
    facts: dict[str, Any] = {"splits": split_counts(frame, plan)}
    if plan.pipeline.release.bytes_per_shard:
        facts["sizes"] = [_sizes(frame, place) for place in range(len(facts["splits"]))]
    return facts


def _sizes(frame: pl.DataFrame, place: int) -> list[int]:
    rows = frame.filter(pl.col(SPLIT) == place).drop(SPLIT, *IDENTITY).rechunk()
    table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    return [table.slice(start, SIZED_ROWS).nbytes for start in range(0, table.num_rows, SIZED_ROWS)]
