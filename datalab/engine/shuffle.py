"""The order of a shuffled release: rows go to partitions by a hash of their identity, and are sorted by it within each.

The hash is drawn from the pipeline's seed: the order is one and the same for every number of partitions, parts and workers, rows that are
added do not change the order of the others, and a process holds one partition at a time.
"""

from __future__ import annotations

import time

import numpy as np
import polars as pl

from datalab.engine.exchange import read_batch, write_partitioned
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.splits import split_facts
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.kernels.hashing import hash_rows
from datalab.model.receipt import FileRef, Receipt, Rows
from datalab.model.step import IDENTITY

_SALT = 0x53485546
_PARTITION_BYTES = 16 << 20
"""Of compressed rows: about 64 MiB in memory, a few times as much while they are sorted."""
_MOST_PARTITIONS = 1024


def shuffle_partitions(size: int) -> int:
    """Return how many partitions rows of ``size`` compressed bytes get."""
    return max(1, min(_MOST_PARTITIONS, -(-size // _PARTITION_BYTES)))


def scatter(plan: Plan, folder: RunFolder, name: str, frame: pl.DataFrame, partitions: int) -> FileRef:
    """Write the rows of a part cut by partition."""
    order = _order(plan, frame).to_numpy() >> np.uint64(32)
    place = pl.Series((order * np.uint64(partitions)) >> np.uint64(32)).cast(pl.UInt32)
    return write_partitioned(folder, name, frame, pl.lit(place), partitions)


def gather(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Put one partition in order. ``detail``: ``rows``, the files of all parts as `scatter` wrote them."""
    started = time.perf_counter()
    frame = pl.concat([read_batch(folder.path(name), task.part) for name in task.detail["rows"]])
    ordered = frame.with_columns(_order(plan, frame).alias("_dl_order")).sort("_dl_order", *IDENTITY).drop("_dl_order")
    del frame
    ref = folder.write_rows(f"rows/{task.stage:02d}/{task.part:06d}.arrow", ordered)
    receipt = Receipt(
        plan=plan.id,
        phase=task.stage,
        part=task.part,
        rows=Rows(rows_in=ordered.height, kept=ordered.height),
        files={"rows": ref},
        facts=split_facts(ordered, plan),
        attempt=task.attempt,
    )
    return measured(receipt, started)


def _order(plan: Plan, frame: pl.DataFrame) -> pl.Series:
    return hash_rows(frame, IDENTITY, plan.pipeline.seed + _SALT)
