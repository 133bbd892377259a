"""Completed years between a birth and a day, or the band they fall into."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_columns


@dataclass(frozen=True, slots=True)
class Age(MapStep):
    """Add the age in completed years at the day ``at`` (a date, or the name of a date column) as ``into`` (Int16).

    With ``bands``, the lower ends of age bands, ``into`` holds the band as text instead, and the exact age is not kept:
    ``bands=(0, 18, 65)`` gives ``0-17``, ``18-64``, ``65+``. Null where a date is missing or ``at`` lies before the birth (counted
    as ``before-birth``), or where the age lies below the first band.
    """

    service: ClassVar[Service] = Service.ENRICHMENT

    birth: str
    at: str | dt.date
    into: str = "age"
    bands: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", tuple(self.bands))
        if any(low < 0 for low in self.bands) or any(a >= b for a, b in itertools.pairwise(self.bands)):
            raise UsageError("bands are the ascending lower ends of age bands", where=self.name, next="for example (0, 18, 65)")

    def bind(self, schema: pl.Schema) -> Bound:
        """Require dates, and a free name."""
        columns = [self.birth, *([self.at] if isinstance(self.at, str) else [])]
        require_columns(schema, columns, step=self.name)
        for column in columns:
            if schema[column] not in {pl.Date, pl.Datetime}:
                raise SchemaError(
                    f"column {column!r} is {schema[column]}, not a date",
                    where=f"step {self.name}",
                    next="put standardise.Types before this step",
                )
        refuse_existing(schema, [self.into], step=self.name)
        kind = pl.String() if self.bands else pl.Int16()
        words = "age band" if self.bands else "age in completed years"
        derivation = Derivation(tuple(columns), description=words, masking=bool(self.bands))
        return Bound(pl.Schema({**schema, self.into: kind}), {self.into: derivation}, frozenset(columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Add the age or its band."""
        birth, at = pl.col(self.birth), pl.col(self.at) if isinstance(self.at, str) else pl.lit(self.at)
        earlier_in_year = (at.dt.month() < birth.dt.month()) | (
            (at.dt.month() == birth.dt.month()) & (at.dt.day() < birth.dt.day())
        )
        years = at.dt.year().cast(pl.Int32) - birth.dt.year() - earlier_in_year.cast(pl.Int32)
        found = frame.select(years.alias("years")).get_column("years")
        unborn = int((found < 0).sum())
        age = pl.when(found >= 0).then(found)
        return Outcome(frame.with_columns(self._shown(age).alias(self.into)), counts={"before-birth": unborn} if unborn else {})

    def _shown(self, age: pl.Expr) -> pl.Expr:
        if not self.bands:
            return age.cast(pl.Int16)
        labels = [f"{low}-{high - 1}" for low, high in itertools.pairwise(self.bands)] + [f"{self.bands[-1]}+"]
        return pl.coalesce(
            *(pl.when(age >= low).then(pl.lit(label)) for low, label in reversed(list(zip(self.bands, labels, strict=True))))
        )
