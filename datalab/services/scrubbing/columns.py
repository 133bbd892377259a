"""Act on columns that are personal as a whole: identifiers, contact data, dates of birth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import polars as pl

from datalab.errors import NotFound, UsageError
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_columns
from datalab.services.scrubbing.pseudonyms import token

UNREADABLE = "date-unreadable"


@dataclass(frozen=True, slots=True)
class Mask:
    """Replace letters and digits by ``*``, except for those among the last ``keep`` characters. Short values are masked whole."""

    keep: int = 4


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """Replace by a keyed token, ``prefix`` before it.

    Name the ``entity`` (``email``, ``phone``, ``iban`` …) where its formats differ between tables, and to get the tokens that ``Text``
    makes of it; ``region`` (ISO 3166-1) is where phone numbers without country code belong.
    """

    entity: str = "value"
    domain: str = ""
    prefix: str = ""
    region: str | None = None


@dataclass(frozen=True, slots=True)
class AgeBand:
    """Replace a date of birth by the age on the day ``on`` (ISO 8601), in bands of ``width`` years; ``top`` and older are one band."""

    on: str
    width: int = 10
    top: int = 90


Action = str | Mask | Pseudonym | AgeBand
_WORDS: Mapping[str, Action] = {"redact": "redact", "drop": "drop", "year": "year", "mask": Mask(), "pseudonymise": Pseudonym()}


@dataclass(frozen=True, slots=True)
class Columns(MapStep):
    """Act on whole columns: ``Columns({"email": Pseudonym("email"), "iban": "mask", "birth_date": "year", "notes": "drop"})``.

    ``redact`` makes a column null, ``drop`` leaves it out, ``mask`` keeps the last four characters, ``pseudonymise`` puts a keyed token,
    ``year`` keeps the year of a date; `Mask`, `Pseudonym` and `AgeBand` say it more exactly. Text and whole numbers can be masked and
    pseudonymised, dates (or ISO 8601 text) generalised; a row whose date cannot be read is quarantined.
    """

    service: ClassVar[Service] = Service.SCRUBBING

    actions: Mapping[str, Action] = field(default_factory=dict)
    secret: str = "pseudonyms"  # noqa: S105  # the name of a secret, not one

    def __post_init__(self) -> None:
        for column, action in self.actions.items():
            if isinstance(action, str) and action not in _WORDS:
                raise NotFound.among("action", action, _WORDS, where=f"step {self.name}, column {column}")
            if isinstance(action, AgeBand):
                _day(action.on, where=f"step {self.name}, column {column}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The pseudonym key, where one is used."""
        return (self.secret,) if any(isinstance(_meant(action), Pseudonym) for action in self.actions.values()) else ()

    def bind(self, schema: pl.Schema) -> Bound:
        """Work out the types after the actions."""
        require_columns(schema, self.actions, step=self.name)
        out, derivations = dict(schema), {}
        for column, stated in self.actions.items():
            action = _meant(stated)
            if action == "drop":
                del out[column]
                continue
            self._fits(column, schema[column], action)
            if action == "year":
                out[column] = pl.Int32()
            elif action != "redact":
                out[column] = pl.String()
            derivations[column] = Derivation((column,), description=_described(action), masking=True)
        return Bound(pl.Schema(out), derivations, frozenset(self.actions))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Act on the distinct values of each column, then spread the results."""
        counts: dict[str, int] = {}
        unreadable = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
        made, gone = [], []
        for column, stated in self.actions.items():
            action, values = _meant(stated), frame[column]
            counts[f"{_described(action)}:{column}"] = len(values) - values.null_count()
            if action == "drop":
                gone.append(column)
            elif action == "redact":
                made.append(pl.Series(column, [None], dtype=values.dtype).new_from_index(0, len(values)))
            elif isinstance(action, Mask):
                made.append(_masked(values.cast(pl.String), action.keep).alias(column))
            elif isinstance(action, Pseudonym):
                made.append(_pseudonyms(values.cast(pl.String), action, context.secret(self.secret)).alias(column))
            else:
                dates = values if values.dtype == pl.Date else _dates(values)
                bad = values.is_not_null() & dates.is_null()
                unreadable = pl.select(pl.when(pl.lit(bad)).then(pl.lit(UNREADABLE)).otherwise(pl.lit(unreadable))).to_series()
                made.append((_ages(dates, action) if isinstance(action, AgeBand) else dates.dt.year()).alias(column))
        quarantined = unreadable if unreadable.null_count() < len(unreadable) else None
        return Outcome(frame.with_columns(made).drop(gone), quarantined=quarantined, counts=counts)

    def _fits(self, column: str, dtype: pl.DataType, action: Action) -> None:
        if action == "year" or isinstance(action, AgeBand):
            fits = dtype in (pl.Date, pl.String) or isinstance(dtype, pl.Datetime)
        else:
            fits = action == "redact" or dtype == pl.String or dtype.is_integer() or dtype == pl.Date
        if not fits:
            raise UsageError(
                f"column {column!r} is {dtype} and cannot be treated by {_described(action)}",
                where=f"step {self.name}",
                next="redact or drop the column, or cast it before this step",
            )


def _meant(action: Action) -> Action:
    return _WORDS[action] if isinstance(action, str) else action


def _described(action: Action) -> str:
    return action if isinstance(action, str) else {Mask: "mask", Pseudonym: "pseudonymise", AgeBand: "age-band"}[type(action)]


def _distinct(values: pl.Series, change: Callable[[str], str]) -> pl.Series:
    """Apply ``change`` once per distinct value."""
    unique = values.unique().drop_nulls()
    table = pl.DataFrame(
        {"value": unique, "new": [change(value) for value in unique.to_list()]}, schema={"value": pl.String, "new": pl.String}
    )
    return values.to_frame("value").join(table, on="value", how="left", maintain_order="left")["new"]


def _pseudonyms(values: pl.Series, how: Pseudonym, key: bytes) -> pl.Series:
    return _distinct(values, lambda value: how.prefix + token(key, how.entity, value, domain=how.domain, region=how.region))


def _masked(values: pl.Series, keep: int) -> pl.Series:
    whole = pl.lit(values)
    size = whole.str.len_chars().cast(pl.Int64)
    # A value of which more than half would stay legible is not masked at all: hide it whole.
    kept = pl.when(size >= 2 * keep).then(pl.lit(keep)).otherwise(pl.lit(0))
    hidden = whole.str.slice(0, (size - kept).cast(pl.UInt64)).str.replace_all(r"[\p{L}\p{N}]", "*")
    return pl.select(hidden + whole.str.slice(size - kept, None)).to_series()


def _dates(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.str.strip_chars().str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return values.cast(pl.Date)


def _ages(dates: pl.Series, band: AgeBand) -> pl.Series:
    day = _day(band.on, where="AgeBand")
    born = pl.lit(dates)
    before_birthday = (born.dt.month().cast(pl.Int32) * 100 + born.dt.day()) > day.month * 100 + day.day
    age = (pl.lit(day.year) - born.dt.year() - before_birthday.cast(pl.Int32)).clip(0, None)
    low = (age // band.width) * band.width
    text = low.cast(pl.String) + "-" + (low + band.width - 1).clip(None, band.top - 1).cast(pl.String)
    return pl.select(pl.when(age >= band.top).then(pl.lit(f"{band.top}+")).otherwise(text)).to_series()


def _day(text: str, *, where: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day", where=where, next="write it as 2025-01-31") from error
