"""Codes instead of names: countries (ISO 3166-1) and languages (ISO 639)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from datalab.errors import UsageError
from datalab.kernels.countries import country_codes
from datalab.kernels.languagecodes import language_codes
from datalab.kernels.numbers import misfits
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_text
from datalab.services.standardisation.columns import names_of
from datalab.services.standardisation.types import Misfits


@dataclass(frozen=True, slots=True)
class Countries(MapStep):
    """Write countries as ``alpha-2``, ``alpha-3`` or ``name`` (English): from codes, names in the EU languages, former names.

    Unknown countries become null and are counted (``unknown-COLUMN``), or the row is quarantined (``on_unknown="quarantine"``,
    code ``country-COLUMN``).
    """

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]
    to: str = "alpha-2"
    on_unknown: str = "null"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))
        if self.to not in {"alpha-2", "alpha-3", "name"}:
            raise UsageError(
                f"no form of a country named {self.to!r}", where=f"step {self.name}", next="alpha-2, alpha-3 or name"
            )
        require_choice(self.on_unknown, step=self.name)

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``: the columns must hold text."""
        require_text(schema, self.columns, step=self.name)
        return Bound(
            schema, {name: Derivation((name,), description=f"country to ISO 3166-1 {self.to}") for name in self.columns}
        )

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Translate the values."""
        return _translated(frame, self.columns, lambda text: country_codes(text, self.to), "country", self.on_unknown)


@dataclass(frozen=True, slots=True)
class Languages(MapStep):
    """Write languages as ISO 639-1 codes (ISO 639-3 where there is none): from codes, tags such as ``de-AT``, names in the EU languages.

    Unknown languages become null and are counted, or the row is quarantined (``on_unknown="quarantine"``, code ``language-COLUMN``).
    """

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]
    on_unknown: str = "null"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))
        require_choice(self.on_unknown, step=self.name)

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``: the columns must hold text."""
        require_text(schema, self.columns, step=self.name)
        return Bound(schema, {name: Derivation((name,), description="language to ISO 639") for name in self.columns})

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Translate the values."""
        return _translated(frame, self.columns, language_codes, "language", self.on_unknown)


def require_choice(choice: str, *, step: str) -> None:
    """Raise ``UsageError`` unless ``choice`` says what happens to a value that does not fit."""
    if choice not in {"null", "quarantine"}:
        raise UsageError(
            f"{choice!r} is no way to treat a value that does not fit", where=f"step {step}", next="'null' or 'quarantine'"
        )


def _translated(
    frame: pl.DataFrame, columns: Sequence[str], translate: Callable[[pl.Series], pl.Series], what: str, on_unknown: str
) -> Outcome:
    unknown = Misfits(frame.height)
    changed = []
    for name in columns:
        found = translate(frame[name])
        unknown.add(what, name, misfits(frame[name], found), quarantine=on_unknown == "quarantine")
        changed.append(found.alias(name))
    return Outcome(frame.with_columns(changed), None, unknown.codes, unknown.counts)
