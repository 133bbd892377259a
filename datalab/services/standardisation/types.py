"""Types: text to numbers, dates and truth values, in the notation that the steward names."""

# ruff: noqa: RUF001 - the typographic apostrophe stands between thousands in Switzerland
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.kernels.dates import ISO_DATE, dates, moments
from datalab.kernels.distinct import over_distinct
from datalab.kernels.numbers import booleans, decimals, floats, integers, misfits
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_columns

_WORDS = {
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "text": pl.String(),
}
_DECIMAL = re.compile(r"decimal(?:\(([0-9]{1,2}), ?([0-9]{1,2})\))?")


@dataclass(frozen=True, slots=True)
class Types(MapStep):
    """Cast columns: ``{"price": "decimal(12,2)", "since": "date"}``.

    Types in words: ``integer``, ``float``, ``decimal`` (38 digits, 9 of them after the mark) or ``decimal(precision,scale)``,
    ``boolean`` (yes and no in the EU languages), ``date``, ``timestamp`` (UTC), ``text``. ``decimal``, ``thousands`` and ``dates``
    say how values are written; nothing is guessed: a value in another notation does not fit, nor does a date that two of ``dates``
    read differently, nor a decimal with more digits than its type. ``zone`` is where times without an offset were taken.
    A value that does not fit sends its row to quarantine (code ``type-COLUMN``) or, with ``on_error="null"``, becomes null and is
    counted (``type-COLUMN``). Blank text becomes null.
    """

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: Mapping[str, str]
    decimal: str = "."
    thousands: str = ""
    dates: Sequence[str] = (ISO_DATE,)
    zone: str = "UTC"
    on_error: str = field(default="quarantine")

    def __post_init__(self) -> None:
        where = f"step {self.name}"
        object.__setattr__(self, "dates", (self.dates,) if isinstance(self.dates, str) else tuple(self.dates))
        for column, word in self.columns.items():
            polars_type(word, where=f"{where}, column {column}")
        if (
            self.decimal not in {".", ","}
            or self.thousands not in {"", ".", ",", " ", "'", "’"}
            or self.decimal == self.thousands
        ):
            raise UsageError("decimal must be '.' or ',', and thousands another mark, a space or none", where=where)
        if self.on_error not in {"quarantine", "null"}:
            raise UsageError(f"on_error cannot be {self.on_error!r}", where=where, next="'quarantine' or 'null'")
        if not self.dates or not all("%" in form for form in self.dates):
            raise UsageError("dates must be formats such as '%d.%m.%Y'", where=where)
        _require_zone(self.zone, where=where)

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``: columns hold text, or already a type from which the cast loses nothing."""
        require_columns(schema, self.columns, step=self.name)
        types = dict(schema)
        for column, word in self.columns.items():
            target = polars_type(word)
            if schema[column] not in {pl.String, target} and not _widens(schema[column], target):
                raise SchemaError(
                    f"column {column!r} is {schema[column]} and cannot become {word}",
                    where=f"step {self.name}",
                    next="leave it as it is",
                )
            types[column] = target
        derivations = {name: Derivation((name,), description=f"cast to {word}") for name, word in self.columns.items()}
        return Bound(pl.Schema(types), derivations)

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Cast the columns."""
        wrong = Misfits(frame.height)
        changed = []
        for column, word in self.columns.items():
            before = frame[column]
            if before.dtype != pl.String:
                changed.append(before.cast(polars_type(word)))
                continue
            after = over_distinct(before, partial(self._cast, word=word))
            wrong.add("type", column, misfits(before, after), quarantine=self.on_error == "quarantine")
            changed.append(after.alias(column))
        return Outcome(frame.with_columns(changed), None, wrong.codes, wrong.counts)

    def _cast(self, text: pl.Series, word: str) -> pl.Series:
        notation = {"decimal": self.decimal, "thousands": self.thousands}
        target = polars_type(word)
        if isinstance(target, pl.Decimal):
            return decimals(text, target.precision or 38, target.scale, **notation)
        if word == "integer":
            return integers(text, **notation)
        if word == "float":
            return floats(text, **notation)
        if word == "boolean":
            return booleans(text)
        if word == "date":
            return dates(text, tuple(self.dates))[0]
        return text if word == "text" else moments(text, tuple(self.dates), self.zone)


class Misfits:
    """Collects, column by column, which rows hold a value that does not fit: the first column that fails names the code."""

    def __init__(self, rows: int) -> None:
        self.counts: dict[str, int] = {}
        self.codes: pl.Series | None = None
        self._rows = rows

    def add(self, what: str, column: str, rows: pl.Series, *, quarantine: bool) -> None:
        """Note ``rows`` (Boolean) of ``column``; the code is ``what-column`` in kebab case."""
        number = int(rows.sum())
        if not number:
            return
        code = f"{what}-{kebab(column)}"
        if not quarantine:
            self.counts[code] = number
            return
        codes = pl.Series("code", [None], dtype=pl.String).new_from_index(0, self._rows) if self.codes is None else self.codes
        self.codes = codes.set(rows & codes.is_null(), code)


def kebab(column: str) -> str:
    """Return a column name in lower-case words joined by hyphens, for codes."""
    return "-".join(re.findall(r"[^\W_]+", column.lower())) or "column"


def polars_type(word: str, *, where: str = "") -> pl.DataType:
    """Return the type that ``word`` names; raise ``UsageError`` with the known words otherwise."""
    if word in _WORDS:
        return _WORDS[word]
    match = _DECIMAL.fullmatch(word)
    if match:
        precision, scale = int(match.group(1) or 38), int(match.group(2) or 9)
        if 0 <= scale <= precision <= 38 and precision:
            return pl.Decimal(precision, scale)
    raise UsageError(
        f"no type named {word!r}", where=where, next="integer, float, decimal, decimal(12,2), boolean, date, timestamp or text"
    )


def _widens(source: pl.DataType, target: pl.DataType) -> bool:
    whole = source.is_integer() and source != pl.UInt64
    return (whole and target in {pl.Int64, pl.Float64, pl.String}) or (source == pl.Float32 and target == pl.Float64)


def _require_zone(zone: str, *, where: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"no time zone named {zone!r}", where=where, next="for example 'UTC' or 'Europe/Brussels'") from None
