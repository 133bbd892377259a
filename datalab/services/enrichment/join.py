"""Columns from a reference table of the pipeline, by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_columns

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

_FOUND = "_dl_found"


@dataclass(frozen=True, slots=True)
class Join(MapStep):
    """Add columns of the reference table ``reference``, one entry for each key; rows are never multiplied.

    ``on`` names the key: a column, several, or a mapping of own to reference columns. ``columns`` maps new columns to columns of the
    reference (a list keeps their names). New columns are text unless ``types`` says otherwise: the types must be known before
    the reference is read. Rows without an entry: ``missing="keep"`` leaves nulls, ``"drop"`` drops them
    (``not-in-reference``), ``"quarantine"`` quarantines them under the same word. Null keys have no entry.
    A key that the reference holds twice is an error.
    """

    service: ClassVar[Service] = Service.ENRICHMENT

    reference: str
    on: str | Sequence[str] | Mapping[str, str]
    columns: Sequence[str] | Mapping[str, str]
    types: Mapping[str, PolarsDataType] = field(default_factory=dict)
    missing: Literal["keep", "drop", "quarantine"] = "keep"

    def __post_init__(self) -> None:
        on = (self.on,) if isinstance(self.on, str) else self.on
        columns = (self.columns,) if isinstance(self.columns, str) else self.columns
        object.__setattr__(self, "on", dict(on) if isinstance(on, Mapping) else {name: name for name in on})
        object.__setattr__(self, "columns", dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns})
        if not self.on or not self.columns:
            raise UsageError(f"{self.name} needs a key and at least one column", where=f"reference {self.reference}")
        types = {name: kind() if isinstance(kind, type) else kind for name, kind in self.types.items()}
        object.__setattr__(self, "types", types)
        if unknown := sorted(set(types) - set(self.columns)):
            raise UsageError(
                f"types are given for {unknown}, which are not in columns", where=f"{self.name}, reference {self.reference}"
            )
        if self.missing not in {"keep", "drop", "quarantine"}:
            raise UsageError("missing is 'keep', 'drop' or 'quarantine'", where=f"{self.name}, reference {self.reference}")

    def bind(self, schema: pl.Schema) -> Bound:
        """Require the key, and free names for the new columns."""
        require_columns(schema, self._on, step=self.name)
        refuse_existing(schema, self._columns, step=self.name)
        added = {name: self.types.get(name, pl.String()) for name in self._columns}
        derivations = {
            name: Derivation(tuple(self._on), kind="JOIN", description=f"{source} of reference {self.reference}")
            for name, source in self._columns.items()
        }
        return Bound(pl.Schema({**schema, **added}), derivations, frozenset(self._on))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Look every row up."""
        keys = list(self._on)
        entries = self._entries(context.reference(self.reference), frame.schema)
        joined = frame.join(entries, on=keys, how="left", maintain_order="left")
        unknown = joined.get_column(_FOUND).is_null()
        words = pl.select(pl.when(pl.lit(unknown)).then(pl.lit("not-in-reference"))).to_series()
        return Outcome(
            joined.drop(_FOUND),
            dropped=words if self.missing == "drop" else None,
            quarantined=words if self.missing == "quarantine" else None,
            counts={"entries-found": frame.height - int(unknown.sum())},
        )

    @property
    def _on(self) -> dict[str, str]:
        return dict(self.on) if isinstance(self.on, Mapping) else {}

    @property
    def _columns(self) -> dict[str, str]:
        return dict(self.columns) if isinstance(self.columns, Mapping) else {}

    def _entries(self, table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
        """Return the reference as keys (named and typed as in the rows) and new columns, after checking that keys are unique."""
        where = f"step {self.name}, reference {self.reference}"
        for column in (*self._on.values(), *self._columns.values()):
            if column not in table.schema:
                raise SchemaError.column(column, table.columns, where=where)
        try:
            entries = table.select(
                *(pl.col(theirs).cast(schema[ours]).alias(ours) for ours, theirs in self._on.items()),
                *(pl.col(theirs).cast(self.types.get(new, pl.String())).alias(new) for new, theirs in self._columns.items()),
                pl.lit(value=True).alias(_FOUND),
            )
        except pl.exceptions.PolarsError as error:
            raise SchemaError(
                "the reference does not hold what the step says", where=where, next="check types= and the type of the key"
            ) from error
        entries = entries.drop_nulls(list(self._on))
        repeated = entries.height - entries.select(*self._on).n_unique() if entries.height else 0
        if repeated:
            raise UsageError(
                f"reference {self.reference!r} holds {repeated} entries whose key {list(self._on.values())} occurs before",
                where=where,
                next="make the key unique in the reference, or join on more columns",
            )
        return entries
