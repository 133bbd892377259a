"""The order of a shuffled release: rows go to partitions by a hash of their identity, and are sorted by it within each.

The hash is drawn from the pipeline's seed: the order is one and the same for every number of partitions, parts and workers, rows that are
added do not change the order of the others, and a process holds one partition at a time.
"""

from __future__ import annotations

import time

import polars as pl

from datalab.engine.exchange import read_batch, write_pieces
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.splits import shuffle_order, split_facts
from datalab.engine.task import Task
from datalab.engine.worker import measured
from datalab.model.receipt import Receipt, Rows
from datalab.model.step import IDENTITY

_PARTITION_BYTES = 48 << 20
"""What a partition is to hold; a few times as much is held while it is sorted."""
_MOST_PARTITIONS = 1024


def shuffle_partitions(plan: Plan, size: int) -> int:
    """Return how many partitions rows of ``size`` bytes get, 0 where they keep their order."""
    if plan.pipeline.release.order != "shuffled":
        return 0
    return max(1, min(_MOST_PARTITIONS, -(-size // _PARTITION_BYTES)))


def shuffle(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Put one partition in order. ``detail``: ``rows`` (files of all parts), ``partitions``."""
    started = time.perf_counter()
    pieces = []
    for split in range(len(plan.pipeline.splits.shares)):
        place = split * task.detail["partitions"] + task.part
        frame = pl.concat([read_batch(folder.path(name), place) for name in task.detail["rows"]])
        order = shuffle_order(plan, frame).alias("_dl_order")
        pieces.append(frame.with_columns(order).sort("_dl_order", *IDENTITY).drop("_dl_order"))
    ref = write_pieces(folder, f"rows/{task.stage:02d}/{task.part:06d}.arrow", pieces, pieces[0].head(0))
    rows = sum(piece.height for piece in pieces)
    receipt = Receipt(
        plan=plan.id,
        phase=task.stage,
        part=task.part,
        rows=Rows(rows_in=rows, kept=rows),
        files={"rows": ref},
        facts=split_facts(pieces, plan),
        attempt=task.attempt,
    )
    return measured(receipt, started)
