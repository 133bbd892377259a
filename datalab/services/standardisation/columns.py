"""Which columns there are, and what they are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.model.step import IDENTITY, Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_columns

_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "ð": "d"}
)


def names_of(columns: str | Sequence[str], *, step: str) -> tuple[str, ...]:
    """Return one name or several as a tuple; raise ``UsageError`` for none, or for one twice."""
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    if not names or len(set(names)) != len(names):
        raise UsageError("name at least one column, and each only once", where=f"step {step}")
    return names


@dataclass(frozen=True, slots=True)
class ColumnNames(MapStep):
    """Rename columns: those in ``rename`` as told, all others into ``style`` (``snake``, or ``keep`` to leave them)."""

    service: ClassVar[Service] = Service.STANDARDISATION

    style: str = "snake"
    rename: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.style not in {"snake", "keep"}:
            raise UsageError(f"no style named {self.style!r}", where=f"step {self.name}", next="'snake' or 'keep'")

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``; two columns that would get the same name are an error."""
        require_columns(schema, self.rename, step=self.name)
        mapping = self._mapping(schema.names())
        taken: dict[str, str] = {}
        for old, new in mapping.items():
            if new in taken or new in IDENTITY or not new:
                raise SchemaError(
                    f"columns {taken.get(new, new)!r} and {old!r} would both be named {new!r}",
                    where=f"step {self.name}",
                    next=f"say what one of them is called: rename={{{old!r}: '…'}}",
                )
            taken[new] = old
        derivations = {new: Derivation((old,), "IDENTITY", "renamed") for old, new in mapping.items() if old != new}
        return Bound(pl.Schema({mapping[old]: kind for old, kind in schema.items()}), derivations)

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Rename; no row changes."""
        return Outcome(frame.rename(self._mapping([name for name in frame.columns if name not in IDENTITY])))

    def _mapping(self, names: Sequence[str]) -> dict[str, str]:
        style = snake_case if self.style == "snake" else str
        return {name: self.rename.get(name) or style(name) for name in names}


@dataclass(frozen=True, slots=True)
class Select(MapStep):
    """Keep only ``columns``, in this order."""

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``."""
        require_columns(schema, self.columns, step=self.name)
        return Bound(pl.Schema({name: schema[name] for name in self.columns}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Select the columns; the identity stays."""
        return Outcome(frame.select([*(name for name in IDENTITY if name in frame.columns), *self.columns]))


@dataclass(frozen=True, slots=True)
class Drop(MapStep):
    """Leave out ``columns``."""

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``; at least one column must remain."""
        require_columns(schema, self.columns, step=self.name)
        kept = {name: kind for name, kind in schema.items() if name not in self.columns}
        if not kept:
            raise SchemaError("no column would remain", where=f"step {self.name}", next="keep at least one")
        return Bound(pl.Schema(kept))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Drop the columns; no row changes."""
        return Outcome(frame.drop(self.columns))


def snake_case(name: str) -> str:
    """Return a column name in lower case with underscores: ``LegalName`` and ``Legal name (EN)`` to ``legal_name``, ``legal_name_en``."""
    decomposed = unicodedata.normalize("NFKD", name.translate(_SPELLED))
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    parted = re.sub(r"([^\W\d_A-Z])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", plain)
    words = "_".join(re.findall(r"[^\W_]+", parted)).lower()
    return f"column_{words}".rstrip("_") if not words or words[0].isdigit() else words
