"""Splits without leakage: a row's split is a keyed hash of what must stay together, so equal values share one split."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from datalab.engine.plan import SPLIT, Plan
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY

if TYPE_CHECKING:
    from datalab.engine.folder import RunFolder
    from datalab.model.receipt import FileRef

_SCALE = 1 << 32


def add_split(frame: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Add column ``SPLIT`` (UInt8, place in the pipeline's shares)."""
    columns = list(plan.pipeline.splits.together) or [name for name in frame.columns if name not in IDENTITY]
    place = hash_rows(frame, columns, plan.pipeline.seed) % _SCALE
    bounds = [round(share * _SCALE) for share in accumulate(plan.pipeline.splits.shares.values())]
    bounds[-1] = _SCALE
    split = pl.Series(bounds, dtype=pl.UInt64).search_sorted(place, side="right").cast(pl.UInt8)
    return frame.with_columns(split.alias(SPLIT))


def write_splits(folder: RunFolder, name: str, frame: pl.DataFrame, plan: Plan) -> tuple[FileRef, list[int]]:
    """Write ``frame`` as one record batch per split, row order kept; return the file and the rows of each split."""
    cut = add_split(frame, plan)
    tables = [
        cut.filter(pl.col(SPLIT) == place).drop(SPLIT).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        for place in range(len(plan.pipeline.splits.shares))
    ]
    schema = tables[0].schema
    batches = (batch for table in tables for batch in table.to_batches() or [pa.RecordBatch.from_pylist([], schema=schema)])
    return folder.write_frame(name, batches, schema), [table.num_rows for table in tables]
