"""Columns from a reference table of the pipeline, by key, whether the table fits into memory or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY, Bound, Context, Derivation, LookupStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_columns

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

_FOUND = "_dl_found"
_KEY = "_dl_key_"


@dataclass(frozen=True, slots=True)
class Join(LookupStep):
    """Add columns of the reference table ``reference``, one entry for each key; rows are never multiplied.

    ``on`` names the key: a column, several, or a mapping of own to reference columns. ``columns`` maps new columns to columns of the
    reference (a list keeps their names). New columns are text unless ``types`` says otherwise: the types must be known before
    the reference is read. Rows without an entry: ``missing="keep"`` leaves nulls, ``"drop"`` drops them
    (``not-in-reference``), ``"quarantine"`` quarantines them under the same word. Null keys have no entry.
    A key that the reference holds twice is an error, unless ``repeated="first"``: then its first entry counts.
    A reference larger than ``[engine] reference_mb`` is not given whole to every worker but exchanged by key; the rows are the same.
    """

    service: ClassVar[Service] = Service.ENRICHMENT

    reference: str
    on: str | Sequence[str] | Mapping[str, str]
    columns: Sequence[str] | Mapping[str, str]
    types: Mapping[str, PolarsDataType] = field(default_factory=dict)
    missing: Literal["keep", "drop", "quarantine"] = "keep"
    repeated: Literal["refuse", "first"] = "refuse"

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
        if self.repeated not in {"refuse", "first"}:
            raise UsageError("repeated is 'refuse' or 'first'", where=f"{self.name}, reference {self.reference}")

    @property
    def source(self) -> str:
        """Name of the reference."""
        return self.reference

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

    @property
    def _where(self) -> str:
        return f"step {self.name}, reference {self.reference}"

    def asks(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the distinct whole keys of a batch: hash, identity of the first row that has it, the key."""
        keys = frame.select(
            *IDENTITY, *(_joinable(pl.col(name), frame.schema[name]).alias(key) for key, name in self._keys(list(self._on)))
        )
        names = [key for key, _ in self._keys(list(self._on))]
        distinct = keys.drop_nulls(names).unique(subset=names, keep="first", maintain_order=True)
        return distinct.select(hash_rows(distinct, names).alias("key"), *IDENTITY, *names)

    def entries(self, table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
        """Return the entries with a whole key: hash, key as in the rows, and the columns of the reference that are asked for."""
        self._check(table)
        keys = self._keys(list(self._on.items()))
        wanted = dict.fromkeys([*self._on.values(), *self._columns.values()])
        try:
            entries = table.select(
                *(_joinable(pl.col(theirs).cast(schema[ours]), schema[ours]).alias(key) for key, (ours, theirs) in keys),
                *wanted,
            )
        except pl.exceptions.PolarsError as error:
            raise self._unfit() from error
        names = [key for key, _ in keys]
        entries = entries.drop_nulls(names)
        if self.repeated == "first":
            entries = entries.unique(subset=names, keep="first", maintain_order=True)
        return entries.select(hash_rows(entries, names).alias("key"), *names, *wanted)

    def answers(self, asks: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
        """Return the entry of each ask that has one; refuse keys that are held twice, asked for or not."""
        names = [key for key, _ in self._keys(list(self._on))]
        entries = self._once(entries.drop("key"), names)
        return asks.select(*IDENTITY, *names).join(entries, on=names, how="inner", maintain_order="left").drop(names)

    def _keys(self, items: list[Any]) -> list[tuple[str, Any]]:
        return [(f"{_KEY}{place}", item) for place, item in enumerate(items)]

    def _check(self, table: pl.DataFrame) -> None:
        for column in (*self._on.values(), *self._columns.values()):
            if column not in table.schema:
                raise SchemaError.column(column, table.columns, where=self._where)

    def _unfit(self) -> SchemaError:
        return SchemaError(
            "the reference does not hold what the step says", where=self._where, next="check types= and the type of the key"
        )

    def _once(self, entries: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
        """Return the entries with each key once, or refuse."""
        if self.repeated == "first":
            return entries.unique(subset=list(keys), keep="first", maintain_order=True)
        repeated = entries.height - entries.select(keys).n_unique() if entries.height else 0
        if repeated:
            raise UsageError(
                f"reference {self.reference!r} holds {repeated} entries whose key {list(self._on.values())} occurs before",
                where=self._where,
                next='make the key unique in the reference, join on more columns, or say repeated="first"',
            )
        return entries

    def _entries(self, table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
        """Return the reference as keys (named and typed as in the rows) and new columns, each key once."""
        self._check(table)
        try:
            entries = table.select(
                *(pl.col(theirs).cast(schema[ours]).alias(ours) for ours, theirs in self._on.items()),
                *(pl.col(theirs).cast(self.types.get(new, pl.String())).alias(new) for new, theirs in self._columns.items()),
                pl.lit(value=True).alias(_FOUND),
            )
        except pl.exceptions.PolarsError as error:
            raise self._unfit() from error
        return self._once(entries.drop_nulls(list(self._on)), list(self._on))


def _joinable(key: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A key in a form that is the same in every file: categories as text."""
    return key.cast(pl.String) if isinstance(kind, (pl.Categorical, pl.Enum)) else key
