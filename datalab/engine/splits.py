"""Splits without leakage: a row's split is a keyed hash of what must stay together, so equal values share one split.

And the cut of each split into shards, from the counts that the parts report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from datalab.engine.exchange import write_partitioned, write_pieces
from datalab.engine.plan import SPLIT, Plan
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY, ROW

if TYPE_CHECKING:
    from datalab.engine.folder import RunFolder
    from datalab.model.receipt import FileRef

_SCALE = 1 << 32
_BEGINNING = 128
"""Characters of a text that count for its split."""
_SHUFFLE = 0x53485546
SIZED_ROWS = 64
"""Rows whose bytes are counted together."""


def add_split(frame: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Add column ``SPLIT`` (UInt8, place in the pipeline's shares)."""
    if len(plan.pipeline.splits.shares) == 1:
        return frame.with_columns(pl.lit(0, pl.UInt8).alias(SPLIT))
    together = plan.pipeline.splits.together
    keys = frame.select(together) if together else _in_short(frame.drop(IDENTITY))
    place = hash_rows(keys, keys.columns, plan.pipeline.seed) % _SCALE
    bounds = [round(share * _SCALE) for share in accumulate(plan.pipeline.splits.shares.values())]
    bounds[-1] = _SCALE
    split = pl.Series(bounds, dtype=pl.UInt64).search_sorted(place, side="right").cast(pl.UInt8)
    return frame.with_columns(split.alias(SPLIT))


def _in_short(frame: pl.DataFrame) -> pl.DataFrame:
    """Return of each text its beginning and its length: equal rows still go together, and long texts cost little."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(
        *(pl.col(name).str.head(_BEGINNING) for name in texts),
        *(pl.col(name).str.len_bytes().alias(f"{name}_dl_bytes") for name in texts),
    )


def write_splits(
    folder: RunFolder, name: str, frame: pl.DataFrame, plan: Plan, partitions: int = 0
) -> tuple[FileRef, dict[str, Any]]:
    """Write ``frame`` as one record batch per split, row order kept; return the file and the facts that the cut into shards needs.

    With ``partitions`` (of a shuffle), there is one batch per split and partition: batch ``split * partitions + partition``.
    """
    cut = add_split(frame, plan)
    splits = range(len(plan.pipeline.splits.shares))
    if partitions:
        place = pl.Series(shuffle_place(plan, frame, partitions)) + cut.get_column(SPLIT).cast(pl.UInt32) * partitions
        return write_partitioned(folder, name, cut.drop(SPLIT), pl.lit(place), partitions * len(splits)), {}
    pieces = [cut.filter(pl.col(SPLIT) == place).drop(SPLIT) for place in splits]
    return write_pieces(folder, name, pieces, frame.head(0)), split_facts(pieces, plan)


def select_splits(folder: RunFolder, name: str, frame: pl.DataFrame, plan: Plan, base: str) -> tuple[FileRef, dict[str, Any]]:
    """As `write_splits`, for rows that stand in the file ``base`` already: write only at which places there, not the rows again."""
    rows = folder.read_rows(base).get_column(ROW)
    places = rows.search_sorted(frame.get_column(ROW), side="left").cast(pl.UInt32)
    split = add_split(frame, plan).get_column(SPLIT)
    pieces = [places.filter(split == number).to_frame("place") for number in range(len(plan.pipeline.splits.shares))]
    facts = {"splits": [piece.height for piece in pieces], "base": base}
    return write_pieces(folder, name, pieces, pieces[0].head(0)), facts


def split_facts(pieces: Sequence[pl.DataFrame], plan: Plan) -> dict[str, Any]:
    """Return ``splits``, the rows of each split, and where shards are cut by bytes ``sizes``, the Arrow bytes of every ``SIZED_ROWS`` of them."""
    facts: dict[str, Any] = {"splits": [piece.height for piece in pieces]}
    if plan.pipeline.release.bytes_per_shard:
        facts["sizes"] = [_sizes(piece) for piece in pieces]
    return facts


def shuffle_order(plan: Plan, frame: pl.DataFrame) -> pl.Series:
    """Return the numbers that put the rows of a shuffled release in order (UInt64)."""
    return hash_rows(frame, IDENTITY, plan.pipeline.seed + _SHUFFLE)


def shuffle_place(plan: Plan, frame: pl.DataFrame, partitions: int) -> pl.Series:
    """Return the partition of each row: ranges of `shuffle_order`."""
    order = shuffle_order(plan, frame).to_numpy() >> np.uint64(32)
    return pl.Series((order * np.uint64(partitions)) >> np.uint64(32)).cast(pl.UInt32)


def _sizes(piece: pl.DataFrame) -> list[int]:
    table = piece.drop(IDENTITY).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    return [table.slice(start, SIZED_ROWS).nbytes for start in range(0, table.num_rows, SIZED_ROWS)]


def cut_shards(plan: Plan, files: Sequence[str], facts: Sequence[dict[str, Any]], partitions: int) -> list[dict[str, Any]]:
    """Cut every split into shards, in the order of the parts: by rows, or by bytes where the release says so.

    By bytes, a shard ends where the next row would lead over the limit, as far as can be told from the average of ``SIZED_ROWS`` rows.
    Returns the tasks' details (`datalab.engine.shards.write_shard`).
    """
    release = plan.pipeline.release
    limit = release.bytes_per_shard or release.rows_per_shard
    details: list[dict[str, Any]] = []
    for place, split in enumerate(plan.pipeline.splits.shares):
        number, room = -1, 0.0
        for name, fact in zip(files, facts, strict=True):
            first = 0
            for rows, each in _blocks(fact, place):
                left = rows
                while left:
                    taken = min(left, int((room + 1e-6) / each))
                    if not taken:
                        number, room = number + 1, float(limit)
                        shard = {"split": split, "place": place, "number": number, "pieces": [], "partitions": partitions}
                        details.append(shard)
                        taken = max(1, min(left, int(room / each)))
                    _take(details[-1]["pieces"], name, fact.get("base", ""), first, taken)
                    first, left, room = first + taken, left - taken, max(0.0, room - taken * each)
    return details


def _blocks(fact: dict[str, Any], place: int) -> Iterator[tuple[int, float]]:
    """Yield (rows, weight of each row) of the rows of one split in one part."""
    rows = fact["splits"][place]
    if "sizes" not in fact:
        yield rows, 1.0
        return
    for number, size in enumerate(fact["sizes"][place]):
        here = min(SIZED_ROWS, rows - number * SIZED_ROWS)
        yield here, max(size / here, 1.0)


def _take(pieces: list[list[Any]], name: str, base: str, first: int, count: int) -> None:
    if pieces and pieces[-1][0] == name:
        pieces[-1][3] += count
    else:
        pieces.append([name, base, first, count])
