"""Equal rows: of several that are equal, the one with the smallest identity stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from datalab.errors import SchemaError
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY, Bound, Context, KeyedStep, Service
from datalab.services.binding import require_columns
from datalab.services.cleaning.reasons import as_names, is_missing

_SECOND_SEED = 1 << 32
"""Far from the first, because column j is hashed with seed + j."""


@dataclass(frozen=True, slots=True)
class DuplicatesByKey(KeyedStep):
    """Drop rows whose ``columns`` equal those of an earlier row (``duplicate-key``).

    The key itself travels with its hash, so that only really equal keys meet. A key with a null or blank part equals no other.
    """

    service: ClassVar[Service] = Service.CLEANING

    columns: str | Sequence[str]

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
        return Bound(schema, reads=frozenset(self.columns))

    def keys(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return one key row per row with a whole key: hash, identity, and the key."""
        whole = ~pl.any_horizontal(*(is_missing(column, frame.schema[column]) for column in self.columns))
        present = frame.filter(whole)
        return present.select(
            hash_rows(present, self.columns).alias("key"),
            *IDENTITY,
            *(_plain(column, frame.schema[column]).alias(f"value_{place}") for place, column in enumerate(self.columns)),
        )

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Name all but the first of equal keys."""
        return _later(keys, [name for name in keys.columns if name not in IDENTITY], "duplicate-key")


@dataclass(frozen=True, slots=True)
class ExactDuplicates(KeyedStep):
    """Drop rows that equal an earlier row in ``columns``, or in all columns where none are named (``exact-duplicate``).

    Rows are compared by 128 bits of the pinned hash: two different rows meet with a probability of 2^-128. Nulls are equal.
    """

    service: ClassVar[Service] = Service.CLEANING

    columns: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", as_names(self.columns, step=self.name) if self.columns else ())

    def bind(self, schema: pl.Schema) -> Bound:
        """Require the columns."""
        require_columns(schema, self.columns, step=self.name)
        return Bound(schema, reads=frozenset(self.columns or schema.names()))

    def keys(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return one key row per row: hash, identity, and a second hash to confirm."""
        columns = self.columns or [name for name in frame.columns if name not in IDENTITY]
        return frame.select(
            hash_rows(frame, columns).alias("key"), *IDENTITY, hash_rows(frame, columns, _SECOND_SEED).alias("confirm")
        )

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Name all but the first of equal rows."""
        return _later(keys, ["key", "confirm"], "exact-duplicate")


def _later(keys: pl.DataFrame, same: list[str], reason: str) -> pl.DataFrame:
    """Return verdicts for the rows of ``keys`` (sorted by identity within a key) that are not the first of their kind."""
    return keys.filter(~pl.struct(same).is_first_distinct()).select(*IDENTITY, pl.lit(reason).alias("reason"))


def _plain(column: str, kind: pl.DataType) -> pl.Expr:
    """A value in the form in which equal values are equal: text for categories, one zero for floats."""
    value = pl.col(column)
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return value.cast(pl.String)
    return value + 0.0 if kind.is_float() else value
