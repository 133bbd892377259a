"""Rules for single values. An absent value is the business of `Required` alone: the other rules let nulls pass."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import polars as pl

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.kernels.checksums import SCHEMES
from datalab.model.step import Bound, Context, MapStep, Outcome, Service
from datalab.services.binding import require_columns, require_text
from datalab.services.cleaning.reasons import as_names, first_reason, is_missing


@dataclass(frozen=True, slots=True)
class Required(MapStep):
    """Drop rows where one of ``columns`` is null, blank text or NaN (``missing``)."""

    service: ClassVar[Service] = Service.CLEANING

    columns: str | Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", as_names(self.columns, step=self.name))

    def bind(self, schema: pl.Schema) -> Bound:
        """Require the columns."""
        require_columns(schema, self.columns, step=self.name)
        return Bound(schema, reads=frozenset(self.columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the rows that lack a value."""
        missing = pl.any_horizontal(*(is_missing(column, frame.schema[column]) for column in self.columns))
        return Outcome(frame, dropped=first_reason(frame, {"missing": missing}))


@dataclass(frozen=True, slots=True)
class InRange(MapStep):
    """Drop rows whose number, date or time is ``below-minimum``, ``above-maximum`` or ``not-a-number``; both ends belong to the range."""

    service: ClassVar[Service] = Service.CLEANING

    column: str
    minimum: Any = None
    maximum: Any = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise UsageError(f"{self.name} needs a minimum or a maximum", where=f"column {self.column}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise UsageError("the minimum is above the maximum", where=f"{self.name}, column {self.column}")

    def bind(self, schema: pl.Schema) -> Bound:
        """Require an ordered type that the limits can be compared with."""
        require_columns(schema, [self.column], step=self.name)
        kind = schema[self.column]
        limits = [limit for limit in (self.minimum, self.maximum) if limit is not None]
        expected = (
            (int, float, Decimal) if kind.is_numeric() else (dt.date, dt.time, dt.timedelta) if kind.is_temporal() else ()
        )
        fits = all(isinstance(limit, expected) for limit in limits)  # polars itself compares a date with a number
        if fits:
            try:
                first_reason(pl.DataFrame(schema={self.column: kind}), self._rules(kind))
            except pl.exceptions.PolarsError:
                fits = False
        if not fits:
            raise SchemaError(
                f"column {self.column!r} is {kind}, which does not compare with the limits",
                where=f"step {self.name}",
                next="put standardise.Types before this step, or give limits of the column's type",
            )
        return Bound(schema, reads=frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the rows outside."""
        return Outcome(frame, dropped=first_reason(frame, self._rules(frame.schema[self.column])))

    def _rules(self, kind: pl.DataType) -> dict[str, pl.Expr]:
        value = pl.col(self.column)
        rules = {"not-a-number": value.is_nan()} if kind.is_float() else {}
        if self.minimum is not None:
            rules["below-minimum"] = value < self.minimum
        if self.maximum is not None:
            rules["above-maximum"] = value > self.maximum
        return rules


@dataclass(frozen=True, slots=True)
class InSet(MapStep):
    """Drop rows whose value is none of ``values`` (``not-in-set``)."""

    service: ClassVar[Service] = Service.CLEANING

    column: str
    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not self.values:
            raise UsageError(f"{self.name} needs a list of values", where=f"column {self.column}")
        object.__setattr__(self, "values", tuple(self.values))

    def bind(self, schema: pl.Schema) -> Bound:
        """Require the column and values of its type."""
        require_columns(schema, [self.column], step=self.name)
        try:
            self._allowed(schema[self.column])
        except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
            raise SchemaError(
                f"the values are not of the type of column {self.column!r}, {schema[self.column]}",
                where=f"step {self.name}",
                next="write the values as the column holds them: text in quotes, numbers without",
            ) from error
        return Bound(schema, reads=frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the rows outside the set."""
        outside = ~pl.col(self.column).is_in(self._allowed(frame.schema[self.column]).implode())
        return Outcome(frame, dropped=first_reason(frame, {"not-in-set": outside}))

    def _allowed(self, kind: pl.DataType) -> pl.Series:
        return pl.Series(self.values, dtype=kind, strict=True)


@dataclass(frozen=True, slots=True)
class Matches(MapStep):
    r"""Drop rows whose text does not match ``pattern`` from its first to its last character (``no-match``).

    The pattern is a regular expression without look-around and back-references; ``[0-9]`` is many times faster than ``\d``.
    """

    service: ClassVar[Service] = Service.CLEANING

    column: str
    pattern: str

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text and a pattern that compiles."""
        require_text(schema, [self.column], step=self.name)
        try:
            pl.Series([""]).str.contains(self._whole)
        except pl.exceptions.PolarsError as error:
            raise UsageError(
                f"{self.pattern!r} is not a pattern",
                where=f"step {self.name}, column {self.column}",
                next="use a regular expression without look-around and back-references",
            ) from error
        return Bound(schema, reads=frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the rows that do not match."""
        return Outcome(frame, dropped=first_reason(frame, {"no-match": ~pl.col(self.column).str.contains(self._whole)}))

    @property
    def _whole(self) -> str:
        return rf"\A(?:{self.pattern})\z"


@dataclass(frozen=True, slots=True)
class CheckDigits(MapStep):
    """Drop rows whose identifier has the wrong shape or check digits (``wrong-check-digits``).

    ``scheme`` is ``lei``, ``iban``, ``card``, ``luhn`` or ``mod97``. Spaces and lower case are wrong: standardise them before.
    """

    service: ClassVar[Service] = Service.CLEANING
    version: ClassVar[int] = 2

    column: str
    scheme: str = "lei"

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise NotFound.among("check-digit scheme", self.scheme, SCHEMES, where=f"step {self.name}")

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text."""
        require_text(schema, [self.column], step=self.name)
        return Bound(schema, reads=frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the rows whose identifier cannot be right."""
        right = SCHEMES[self.scheme](frame.get_column(self.column))
        return Outcome(frame, dropped=first_reason(pl.DataFrame({"right": right}), {"wrong-check-digits": ~pl.col("right")}))
