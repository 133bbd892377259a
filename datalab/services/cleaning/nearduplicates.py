"""Nearly equal texts: of a group that share most of their word runs, one stays, the first unless the steward says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa

from datalab.errors import UsageError
from datalab.kernels.hashing import mix
from datalab.kernels.minhash import banding
from datalab.kernels.shinglesets import ShingleSets, jaccard, shingle_sets
from datalab.model.step import IDENTITY, OTHER, Bound, Context, Keys, PairStep, Service
from datalab.services.binding import require_text
from datalab.services.cleaning.keeping import RANK, Keep, keep_reads, rank_of

Array = np.ndarray[Any, np.dtype[Any]]

_SMALL = 16
"""Under a band key of so many different texts, all are compared with all."""
_NEIGHBOURS = 8
"""Under a larger one, each with so many before it, in an order of the key's own: what is compared grows with the texts, not their square."""
_PACKED = 1 << 24
"""Different keys of a partition up to which one sort of plain numbers does. Above a billion rows there may be more of them."""


@dataclass(frozen=True, slots=True)
class NearDuplicates(PairStep):
    """Drop texts whose similarity to another one that stays reaches ``threshold`` (``near-duplicate``).

    Similarity is the Jaccard index of the sets of ``words``-word runs, in lower case. Candidates come from banded MinHash (99.5 % of
    the pairs at the threshold, more above it); every one is confirmed by the sets themselves. Groups are chains: a text can
    fall for being near to one that is near to the one that stays. Of a group stays the one to ``keep``: ``"first"``, ``"last"``,
    ``"longest"`` (most letters), ``("max", column)`` or ``("min", column)`` of a number or a time; the first of equals.
    """

    service: ClassVar[Service] = Service.CLEANING
    version: ClassVar[int] = 2
    row_bytes: ClassVar[int] = 384
    reason: ClassVar[str] = "near-duplicate"

    column: str
    threshold: float = 0.8
    words: int = 5
    keep: Keep = "first"

    def __post_init__(self) -> None:
        if not 0.5 <= self.threshold <= 1 or self.words < 1:
            raise UsageError(
                "the threshold must lie between 0.5 and 1, and words must be positive",
                where=f"{self.name}, column {self.column}",
                next="0.8 over runs of 5 words is the usual choice",
            )

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text."""
        require_text(schema, [self.column], step=self.name)
        reads = keep_reads(self.keep, schema, step=self.name, text=self.column)
        return Bound(schema, reads=frozenset({self.column}) | reads)

    def keys(self, frame: pl.DataFrame, context: Context) -> Keys:
        """Return one key row per band of each different text with a word: band key, identity, seal. The sets are the evidence."""
        bands, rows = banding(min(self.threshold, 0.95), recall=0.995)
        sets = shingle_sets(frame.get_column(self.column), bands, rows, self.words)
        texts = frame.select(*IDENTITY, pl.Series("seal", sets.seals), *rank_of(self.keep, frame, text=self.column))
        texts = texts.with_row_index("place").filter(pl.Series(np.diff(sets.offsets) > 0))
        best = texts.sort("seal", *(name for name in (RANK, *IDENTITY) if name in texts.columns))
        fallen = best.filter(~pl.col("seal").is_first_distinct()).select(*IDENTITY, reason=pl.lit(self.reason))
        if fallen.height:
            texts = texts.join(fallen, on=list(IDENTITY), how="anti", maintain_order="left")
        place = texts.get_column("place").to_numpy()
        rows_of_keys = texts.select(*IDENTITY, "seal")[np.repeat(np.arange(len(place)), bands)]
        rows_of_keys = rows_of_keys.with_columns(pl.Series("key", np.ascontiguousarray(sets.keys[place]).reshape(-1)))
        return Keys(rows_of_keys, fallen, _evidence(texts, place, sets))

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return candidates: texts under one key, and those of one seal for sure."""
        key, seal = keys.get_column("key").to_numpy(), keys.get_column("seal").to_numpy()
        shared = _shared(key)
        twin, one = _twins(key, seal, shared)
        fresh = np.setdiff1d(shared, twin, assume_unique=True)
        left, right = _neighbours(key, seal, fresh)
        left, right = np.concatenate([np.minimum(left, right), one]), np.concatenate([np.maximum(left, right), twin])
        earlier, later = keys.select(IDENTITY)[left], keys.select(IDENTITY)[right]
        pairs = later.hstack(earlier.rename(dict(zip(IDENTITY, OTHER, strict=True))))
        return pairs.with_columns(sure=pl.Series(np.arange(len(left)) >= len(left) - len(twin))).unique(maintain_order=True)

    def confirm(self, left: pl.DataFrame, right: pl.DataFrame) -> pl.Series:
        """Compare the sets."""
        return pl.Series(jaccard(left.get_column("set"), right.get_column("set")) >= self.threshold)


def _evidence(texts: pl.DataFrame, place: Array, sets: ShingleSets) -> pl.DataFrame:
    """Return identity, ``weight``, ``set`` and rank of the texts at ``place``."""
    sizes = np.diff(sets.offsets)[place]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    chosen = np.zeros(len(sets.seals), dtype=np.bool_)
    chosen[place] = True
    values = sets.values[np.repeat(chosen, np.diff(sets.offsets))]
    packed = pa.LargeListArray.from_arrays(_arrow(offsets.astype(np.int64, copy=False)), _arrow(values))
    ranks = [RANK] if RANK in texts.columns else []
    return texts.select(
        *IDENTITY, pl.Series("weight", sizes.astype(np.uint32)), pl.Series("set", packed, dtype=pl.List(pl.UInt32)), *ranks
    )


def _arrow(values: Array) -> pa.Array:
    """Return the numbers as Arrow has them; `pyarrow.array` would import pandas to see whether they are its own."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _shared(key: Array) -> Array:
    """Return the places of sorted keys that occur more than once."""
    if len(key) < 2:
        return np.zeros(0, dtype=np.int64)
    same = key[1:] == key[:-1]
    return np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))


def _twins(key: Array, seal: Array, places: Array) -> tuple[Array, Array]:
    """Return the places whose key and seal stood before, and for each of them the first place of these."""
    order = places[_sorted(key[places], seal[places])]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (key[order[1:]] != key[order[:-1]]) | (seal[order[1:]] != seal[order[:-1]])
    first = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))] if len(order) else order
    return order[~new], first[~new]


def _sorted(key: Array, number: Array) -> Array:
    """Return the order by key (which ascends) and then by the upper 40 bits of ``number``, of equals as they came."""
    run = np.zeros(len(key), dtype=np.uint64)
    run[1:] = np.cumsum(key[1:] != key[:-1])
    if len(run) and int(run[-1]) >= _PACKED:
        return np.lexsort((number >> np.uint64(24), run))
    return np.argsort((run << np.uint64(40)) | (number >> np.uint64(24)), kind="stable")


def _neighbours(key: Array, seal: Array, places: Array) -> tuple[Array, Array]:
    """Return the pairs of ``places`` to compare: all under a small key, near ones in an order of its own under a large one."""
    order = places[_sorted(key[places], mix(seal[places] ^ mix(key[places])))]
    found = key[order]
    starts = np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]])) if len(found) else np.zeros(0, dtype=np.int64)
    counts = np.diff(np.append(starts, len(found)))
    small = np.repeat(counts <= _SMALL, counts)
    longest = min(_SMALL, int(counts.max(initial=1)))
    lefts, rights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for step in range(1, longest):
        pair = (found[step:] == found[:-step]) & (small[step:] if step > _NEIGHBOURS else True)
        lefts.append(order[:-step][pair])
        rights.append(order[step:][pair])
    return np.concatenate(lefts), np.concatenate(rights)
