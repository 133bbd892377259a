"""Equal rows: of several that are equal, one stays, the first unless the steward says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from datalab.errors import SchemaError
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY, Bound, Context, KeyedStep, Keys, Service
from datalab.services.binding import require_columns
from datalab.services.cleaning.keeping import RANK, Keep, keep_reads, rank_of
from datalab.services.cleaning.reasons import as_names, is_missing

_SECOND_SEED = 1 << 32
"""Far from the first, because column j is hashed with seed + j."""


@dataclass(frozen=True, slots=True)
class DuplicatesByKey(KeyedStep):
    """Drop rows whose ``columns`` equal those of an earlier row (``duplicate-key``), or of the one to ``keep``.

    ``keep`` is ``"first"``, ``"last"``, ``"longest"`` (most letters in all text columns), ``("max", column)`` or ``("min", column)``
    of a number or a time; the first of equals, and nulls only where there is nothing else.
    The key itself travels with its hash, so that only really equal keys meet. A key with a null or blank part equals no other.
    """

    service: ClassVar[Service] = Service.CLEANING

    columns: str | Sequence[str]
    keep: Keep = "first"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", as_names(self.columns, step=self.name))

    def bind(self, schema: pl.Schema) -> Bound:
        """Require plain columns."""
        require_columns(schema, self.columns, step=self.name)
        for column in self.columns:
            if schema[column].is_nested():
                raise SchemaError(
                    f"column {column!r} is {schema[column]} and cannot be a key",
                    where=f"step {self.name}",
                    next="name plain columns, or use clean.ExactDuplicates",
                )
        return Bound(schema, reads=frozenset(self.columns) | keep_reads(self.keep, schema, step=self.name))

    def keys(self, frame: pl.DataFrame, context: Context) -> Keys:
        """Return one key row per different whole key: hash, identity, and the key."""
        whole = ~pl.any_horizontal(*(is_missing(column, frame.schema[column]) for column in self.columns))
        present = frame.filter(whole)
        keys = present.select(
            hash_rows(present, self.columns).alias("key"),
            *IDENTITY,
            *(_plain(column, frame.schema[column]).alias(f"value_{place}") for place, column in enumerate(self.columns)),
            *rank_of(self.keep, present),
        )
        return _first_here(keys, "duplicate-key")

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Name all but the one to keep of equal keys."""
        return _fallen(keys, "duplicate-key")


@dataclass(frozen=True, slots=True)
class ExactDuplicates(KeyedStep):
    """Drop rows that equal an earlier row in ``columns``, or in all columns where none are named (``exact-duplicate``).

    ``keep`` says which of equal rows stays, as in `DuplicatesByKey`. Rows are compared by 128 bits of the pinned hash: two different rows meet with a probability of 2^-128. Nulls are equal.
    """

    service: ClassVar[Service] = Service.CLEANING

    columns: str | Sequence[str] = ()
    keep: Keep = "first"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", as_names(self.columns, step=self.name) if self.columns else ())

    def bind(self, schema: pl.Schema) -> Bound:
        """Require the columns."""
        require_columns(schema, self.columns, step=self.name)
        return Bound(schema, reads=frozenset(self.columns or schema.names()) | keep_reads(self.keep, schema, step=self.name))

    def keys(self, frame: pl.DataFrame, context: Context) -> Keys:
        """Return one key row per different row: hash, identity, and a second hash to confirm."""
        columns = self.columns or [name for name in frame.columns if name not in IDENTITY]
        keys = frame.select(
            hash_rows(frame, columns).alias("key"),
            *IDENTITY,
            hash_rows(frame, columns, _SECOND_SEED).alias("confirm"),
            *rank_of(self.keep, frame),
        )
        return _first_here(keys, "exact-duplicate")

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Name all but the one to keep of equal rows."""
        return _fallen(keys, "exact-duplicate")


def _first_here(keys: pl.DataFrame, reason: str) -> Keys:
    """Send on what could stay: a row that is not the best of its key in its own batch is none in the whole either."""
    several = keys.filter(pl.col("key").is_duplicated()).sort("key", maintain_order=True)
    fallen = _fallen(several, reason)
    return Keys(keys.join(fallen, on=list(IDENTITY), how="anti", maintain_order="left") if fallen.height else keys, fallen)


def _fallen(keys: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Return verdicts for the rows of ``keys`` (sorted by key and identity) that are not the best of their kind, by rank and identity."""
    same = [name for name in keys.columns if name not in {*IDENTITY, "key", RANK}]
    key = keys.get_column("key").to_numpy()
    again = np.zeros(len(key), dtype=np.bool_)
    again[1:] = key[1:] == key[:-1]
    if not again.any():
        return keys.head(0).select(*IDENTITY, pl.lit(reason).alias("reason"))
    alike = keys.select(pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in same)).to_series()
    if (~alike.to_numpy()[again]).any():  # two keys under one hash: rare, and then the keys themselves decide
        several = keys.filter(pl.col("key").is_duplicated())
        best = several.sort("key", *(name for name in (RANK, *IDENTITY) if name in keys.columns))
        return best.filter(~pl.struct("key", *same).is_first_distinct()).select(*IDENTITY, pl.lit(reason).alias("reason"))
    if RANK in keys.columns:
        keys = keys.sort("key", RANK, *IDENTITY)
    return keys.select(IDENTITY).filter(pl.Series(again)).with_columns(pl.lit(reason).alias("reason"))


def _plain(column: str, kind: pl.DataType) -> pl.Expr:
    """A value in the form in which equal values are equal: text for categories, one zero for floats."""
    value = pl.col(column)
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return value.cast(pl.String)
    return value + 0.0 if kind.is_float() else value
