"""Nearly equal texts: of a group that share most of their word runs, the one with the smallest identity stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa

from datalab.errors import UsageError
from datalab.kernels.components import smallest_of_component
from datalab.kernels.hashing import text_buffers
from datalab.kernels.minhash import SKETCH_BYTES, banding, signatures, similarity
from datalab.model.step import IDENTITY, ROW, SOURCE, Bound, Context, KeyedStep, Service
from datalab.services.binding import require_text

Array = np.ndarray[Any, np.dtype[Any]]

_OTHER = ("other_source", "other_row")
_ROUNDS = 64
"""Unlike texts that share a band key are told apart round by round; what is left after so many rounds of one key is no pair."""
_PAIRS = 1 << 15


@dataclass(frozen=True, slots=True)
class NearDuplicates(KeyedStep):
    """Drop texts whose similarity to an earlier one reaches ``threshold`` (``near-duplicate``).

    Similarity is the Jaccard index of the sets of ``words``-word runs, in lower case. Candidates come from banded MinHash (99 % of
    the pairs at the threshold, more above it) and are confirmed by a sketch whose estimate has a standard error of 0.02 at most
    (see `datalab.kernels.minhash`). Groups are chains: a text can fall for being near to one that is near to the one that stays.
    """

    service: ClassVar[Service] = Service.CLEANING

    column: str
    threshold: float = 0.8
    words: int = 5

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
        return Bound(schema, reads=frozenset({self.column}))

    def keys(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return one key row per band of each text with a word: band key, identity, sketch."""
        bands, rows = banding(min(self.threshold, 0.95))
        found, sketches, blank = signatures(frame.get_column(self.column), bands, rows, self.words)
        chosen = np.flatnonzero(~blank)
        packed = pa.Array.from_buffers(pa.binary(SKETCH_BYTES), len(chosen), [None, pa.py_buffer(sketches[chosen].tobytes())])
        sketch = pl.Series("sketch", packed.cast(pa.large_binary()), dtype=pl.Binary)
        texts = frame.select(IDENTITY)[chosen].with_columns(sketch)
        tables = [
            texts.select(pl.Series("key", np.ascontiguousarray(found[chosen, band])), *IDENTITY, "sketch")
            for band in range(bands)
        ]
        return pl.concat(tables)

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return confirmed pairs: identity, and the smaller identity it is near to."""
        data, offsets = text_buffers(keys.get_column("sketch"))
        sketches = data[offsets[0] : offsets[-1]].reshape(-1, SKETCH_BYTES)
        key = keys.get_column("key").to_numpy()
        left, right = _confirmed(key, sketches, self.threshold)
        earlier, later = keys.select(IDENTITY)[left], keys.select(IDENTITY)[right]
        pairs = later.hstack(earlier.rename(dict(zip(IDENTITY, _OTHER, strict=True))))
        return pairs.unique(maintain_order=True)

    def settle(self, findings: Iterable[pl.DataFrame], context: Context) -> pl.DataFrame:
        """Join the pairs to groups; all but the smallest identity of each are dropped."""
        tables = [table for table in findings if table.height]
        if not tables:
            return pl.DataFrame(schema={SOURCE: pl.UInt32, ROW: pl.UInt64, "reason": pl.String})
        pairs = pl.concat(tables).unique()
        ends = [pairs.select(IDENTITY), pairs.select(pl.col(_OTHER[0]).alias(SOURCE), pl.col(_OTHER[1]).alias(ROW))]
        nodes = pl.concat(ends).unique().sort(IDENTITY)
        numbered = nodes.with_row_index("node")
        left, right = (
            pairs.join(numbered, left_on=names, right_on=IDENTITY, how="left", maintain_order="left")
            .get_column("node")
            .to_numpy()
            for names in (IDENTITY, _OTHER)
        )
        smallest = smallest_of_component(left.astype(np.int64), right.astype(np.int64), nodes.height)
        dropped = nodes.filter(pl.Series(smallest != np.arange(nodes.height)))
        return dropped.with_columns(pl.lit("near-duplicate").alias("reason"))


def _confirmed(key: Array, sketches: Array, threshold: float) -> tuple[Array, Array]:
    """Return index pairs (earlier, later) of equal keys whose sketches reach ``threshold``.

    In each round the first open row of a key leads, those near to it are done, the others go on to the next round.
    """
    active = _shared(key)
    lefts, rights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for _ in range(_ROUNDS):
        if len(active) < 2:
            break
        first = np.ones(len(active), dtype=np.bool_)
        first[1:] = key[active[1:]] != key[active[:-1]]
        leader = active[np.maximum.accumulate(np.where(first, np.arange(len(active)), 0))]
        left, right = leader[~first], active[~first]
        near = np.zeros(len(left), dtype=np.bool_)
        for start in range(0, len(left), _PAIRS):
            piece = slice(start, start + _PAIRS)
            near[piece] = similarity(sketches[left[piece]], sketches[right[piece]]) >= threshold
        lefts.append(left[near])
        rights.append(right[near])
        active = right[~near]
    return np.concatenate(lefts), np.concatenate(rights)


def _shared(key: Array) -> Array:
    """Return the places of sorted keys that occur more than once."""
    if len(key) < 2:
        return np.zeros(0, dtype=np.int64)
    same = key[1:] == key[:-1]
    return np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
