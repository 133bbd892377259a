"""A steward's own step: a plain function over a batch that declares what it reads and adds, and is held to it.

    @step(reads=["metres", "seconds"], adds={"km_h": pl.Float64})
    def speed(frame):
        return frame.with_columns((pl.col("metres") / pl.col("seconds") * 3.6).alias("km_h"))

    steps=[speed(why="the model is trained on km/h")]

The function is given only the columns it declares (and the row identity), so the lineage shown to a reviewer is the true one. It
stands at the top level of a module: workers find it by module and name. Its source is part of the plan's fingerprint.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from datalab.errors import SchemaError, UsageError
from datalab.model.step import IDENTITY, Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_columns

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

Function = Callable[..., "pl.DataFrame | Outcome"]

_WORDS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def step(
    *,
    reads: str | Sequence[str],
    adds: Mapping[str, PolarsDataType] | None = None,
    changes: Mapping[str, PolarsDataType] | None = None,
) -> Callable[[Function], StepFactory]:
    """Make a step of a function ``frame -> frame`` or ``frame -> Outcome`` (to drop, quarantine or count rows).

    ``reads`` are the columns it is given, ``adds`` the new columns and their types, ``changes`` those of ``reads`` that it rewrites, with
    their types afterwards. Keyword parameters of the function become parameters of the step. The function must be pure.
    """
    given = (reads,) if isinstance(reads, str) else tuple(reads)
    added, changed = _types(adds), _types(changes)
    if stray := sorted({name for name, _ in changed} - set(given)):
        raise UsageError(f"changes names {stray}, which are not in reads", next="a column that is rewritten is read too")

    def factory(function: Function) -> StepFactory:
        if "<" in function.__qualname__:
            raise UsageError(
                f"{function.__qualname__} cannot be a step: workers could not find it",
                where=f"module {function.__module__}",
                next="define the function at the top level of its module",
            )
        return StepFactory(function, given, added, changed)

    return factory


class StepFactory:
    """What ``@step`` leaves in place of the function: call it, with parameters and ``why``, to get the step."""

    def __init__(self, function: Function, reads: tuple[str, ...], adds: _Types, changes: _Types) -> None:
        self.function = function
        self._declared = (reads, adds, changes)
        functools.update_wrapper(self, function)

    def __call__(self, *, why: str = "", **parameters: Any) -> Custom:
        """Return the step with its parameters; raise ``UsageError`` for one that the function does not have."""
        try:
            inspect.signature(self.function).bind(None, **parameters)
        except TypeError as error:
            raise UsageError(f"the parameters do not fit: {error}", where=f"step custom.{self.function.__name__}") from None
        return Custom(self.function, *self._declared, tuple(sorted(parameters.items())), why=why)


_Types = tuple[tuple[str, pl.DataType], ...]


@dataclass(frozen=True, slots=True)
class Custom(MapStep):
    """A step made by `step`. Make it through the decorated function."""

    service: ClassVar[Service] = Service.CUSTOM

    function: Function
    reads: tuple[str, ...]
    adds: _Types
    changes: _Types
    parameters: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """``custom.`` and the function's name in kebab case."""
        return f"custom.{self.function.__name__.strip('_').replace('_', '-').lower()}"

    def __reduce__(self) -> tuple[object, ...]:
        """Travel to a worker by name: under its name the module holds the factory, not the function."""
        return (_found, (self.function.__module__, self.function.__qualname__, self.parameters, self.why))

    def bind(self, schema: pl.Schema) -> Bound:
        """Require what is read; refuse to overwrite what is added."""
        require_columns(schema, self.reads, step=self.name)
        refuse_existing(schema, (name for name, _ in self.adds), step=self.name)
        written = dict(self.changes) | dict(self.adds)
        derivation = Derivation(self.reads, description=(inspect.getdoc(self.function) or "").split("\n")[0])
        return Bound(pl.Schema({**schema, **written}), dict.fromkeys(written, derivation), frozenset(self.reads))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Run the function on its columns, check what it did, and put the new columns beside the others."""
        given = frame.select(*self.reads, *IDENTITY)
        answer = self.function(given, **dict(self.parameters))
        outcome = answer if isinstance(answer, Outcome) else Outcome(answer)
        self._check(given, outcome)
        return Outcome(
            frame.with_columns(outcome.frame.get_column(name) for name, _ in (*self.changes, *self.adds)),
            dropped=outcome.dropped,
            quarantined=outcome.quarantined,
            counts=outcome.counts,
        )

    def _check(self, given: pl.DataFrame, outcome: Outcome) -> None:
        made = outcome.frame
        if not isinstance(made, pl.DataFrame):
            raise self._broken(f"returned {type(made).__name__}, not a polars DataFrame")
        if made.height != given.height:
            raise self._broken(f"returned {made.height} rows for {given.height}: rows leave through Outcome.dropped only")
        self._check_columns(given, made)
        self._check_values(given, made)
        for words in (outcome.dropped, outcome.quarantined):
            if words is not None and (
                words.len() != given.height or not all(_WORDS.fullmatch(str(word)) for word in words.drop_nulls().unique())
            ):
                raise self._broken("gave reasons that are not one short kebab word per row, or null")

    def _check_columns(self, given: pl.DataFrame, made: pl.DataFrame) -> None:
        expected = {*given.columns, *(name for name, _ in self.adds)}
        if extra := sorted(set(made.columns) - expected):
            raise self._broken(f"added {extra}, which it does not declare", next="add them to adds=")
        if lost := sorted(expected - set(made.columns)):
            raise self._broken(f"returned no column {lost}", next="keep the columns it reads, and add those in adds=")
        for column in IDENTITY:
            if not made.get_column(column).equals(given.get_column(column)):
                raise self._broken("changed the order or the identity of rows")

    def _check_values(self, given: pl.DataFrame, made: pl.DataFrame) -> None:
        changed = dict(self.changes)
        for column in self.reads:
            if column not in changed and not _same(made.get_column(column), given.get_column(column)):
                raise self._broken(f"changed column {column!r}, which it does not declare", next="add it to changes=")
        for column, kind in (*self.changes, *self.adds):
            if made.schema[column] != kind:
                raise self._broken(f"made {column!r} {made.schema[column]}, but declares {kind}")

    def _broken(self, what: str, next: str = "") -> SchemaError:
        return SchemaError(f"function {self.function.__name__!r} {what}", where=f"step {self.name}", next=next)


def _same(left: pl.Series, right: pl.Series) -> bool:
    return left.dtype == right.dtype and left.equals(right, null_equal=True)


def _types(columns: Mapping[str, PolarsDataType] | None) -> _Types:
    return tuple((name, kind() if isinstance(kind, type) else kind) for name, kind in (columns or {}).items())


def _found(module: str, qualname: str, parameters: tuple[tuple[str, Any], ...], why: str) -> Custom:
    """Make the step again where it was sent to."""
    place: Any = importlib.import_module(module)
    for part in qualname.split("."):
        place = getattr(place, part)
    made: Custom = place(why=why, **dict(parameters))
    return made
