"""Suites compiled to one pass over batches: small partial results that add up, the same for every cut of the rows.

A worker calls `Checks.partial` on each batch (plain JSON, no float), `Checks.keys` where values are compared across batches, and
`Checks.sample` where an expectation is left to Great Expectations. `Checks.merge` adds up; `Checks.evaluate` gives the results.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from datalab.errors import ConservationError
from datalab.model.step import IDENTITY
from datalab.quality import gx
from datalab.quality.fit import Check, Kind, fit
from datalab.quality.keys import KEYS, keys_of, reduce_partition
from datalab.quality.result import CheckResult
from datalab.quality.suite import Suite
from datalab.quality.sums import Sum, exact_sum
from datalab.quality.verdicts import judge

EXAMPLES = 20
"""As many unexpected values as Great Expectations keeps in ``partial_unexpected_list``."""


@dataclass(frozen=True, slots=True)
class Checks:
    """A compiled suite. It can be pickled; ``schema`` is the schema of the rows, without the identity columns."""

    suite: Suite
    schema: pl.Schema
    checks: tuple[Check, ...]
    cap: int = gx.ROW_CAP

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the checks look at, in the order of the schema."""
        wanted = {column for check in self.checks for column in check.columns}
        return tuple(column for column in self.schema.names() if column in wanted)

    @property
    def outside_columns(self) -> tuple[str, ...]:
        """The columns that Great Expectations itself needs; see `outside` for whether it is needed at all."""
        wanted = {column for check in self.outside for column in check.columns}
        return tuple(column for column in self.schema.names() if column in wanted)

    @property
    def keyed(self) -> tuple[Check, ...]:
        """The checks that need `keys` and `reduce_keys`."""
        return tuple(check for check in self.checks if check.kind in {Kind.UNIQUE, Kind.DISTINCT})

    @property
    def outside(self) -> tuple[Check, ...]:
        """The checks that are left to Great Expectations and need `sample`."""
        return tuple(check for check in self.checks if check.kind is Kind.OUTSIDE)

    def partial(self, frame: pl.DataFrame, part_index: int = 0) -> dict[str, Any]:
        """Return what one batch adds to the results: plain JSON without floats. ``part_index`` orders examples in `merge`."""
        counted: dict[str, pl.Expr] = {}
        for check in self.checks:
            if check.missing is not None:
                counted[f"missing {check.number}"] = check.missing.sum()
            if check.unexpected is not None and check.kind not in {Kind.UNIQUE, Kind.DISTINCT}:
                counted[f"unexpected {check.number}"] = check.unexpected.sum()
        found = frame.select(**counted).row(0, named=True) if counted else {}
        sums = {
            str(check.number): exact_sum(frame[check.columns[0]]).as_json() for check in self.checks if check.kind is Kind.MEAN
        }
        return {
            "part": part_index,
            "rows": frame.height,
            "counts": {name: int(value or 0) for name, value in found.items()},
            "sums": sums,
            "examples": self._examples(frame),
        }

    def keys(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the key rows of one batch (see `KEYS`). Each goes to partition ``key % partitions``."""
        tables = [keys_of(check, frame) for check in self.keyed]
        return pl.concat(tables) if tables else pl.DataFrame(schema=KEYS)

    def reduce_keys(self, keys: pl.DataFrame) -> dict[str, int]:
        """Return what one whole partition of key rows adds to the counts; every partition must be given to `merge`.

        For uniqueness: the rows whose value occurs more than once. For distinct values: the distinct values outside the set.
        Exact but for a collision of 128-bit hashes (one chance in 10**20 for 10**9 rows). Rows come in any order.
        """
        return reduce_partition(self.keyed, keys)

    def sample(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return what Great Expectations may see of one batch: the needed columns and identity, at most ``cap`` rows."""
        return gx.take_sample([frame.select(*IDENTITY, *self.outside_columns)], self.cap)

    def merge(self, partials: Iterable[Mapping[str, Any]], reduced: Iterable[Mapping[str, int]] = ()) -> dict[str, Any]:
        """Add up partials of batches or of earlier merges, and results of `reduce_keys`. Exact: no cut or order shows."""
        state: dict[str, Any] = {"part": None, "rows": 0, "counts": {}, "sums": {}, "examples": {}}
        sums: dict[str, list[Sum]] = {}
        for partial in sorted(partials, key=lambda item: int(item["part"])):
            state["part"] = partial["part"] if state["part"] is None else state["part"]
            state["rows"] += partial["rows"]
            for name, count in partial["counts"].items():
                state["counts"][name] = state["counts"].get(name, 0) + count
            for number, body in partial["sums"].items():
                sums[number] = [Sum.together([*sums.get(number, []), Sum.from_json(body)])]
            for number, values in partial["examples"].items():
                state["examples"][number] = [*state["examples"].get(number, []), *values][:EXAMPLES]
        for one in reduced:
            for name, count in one.items():
                state["counts"][name] = state["counts"].get(name, 0) + count
        return {**state, "part": state["part"] or 0, "sums": {number: one[0].as_json() for number, one in sums.items()}}

    def evaluate(
        self, state: Mapping[str, Any], sample: pl.DataFrame | None = None, *, scratch: Path | None = None
    ) -> list[CheckResult]:
        """Return one result per expectation, in the order of the suite.

        Raises ``ConservationError`` where counts are missing or keys were lost on their way.

        ``sample`` is `gx.take_sample` over all batches' samples; it is needed where `outside` is not empty, and is then given
        to Great Expectations in a process of its own, through a folder in ``scratch`` that is removed again.
        """
        outside: dict[int, CheckResult] = {}
        if self.outside:
            expectations = [check.expectation for check in self.outside]
            found = gx.validate_apart(
                expectations, sample, self.outside_columns, rows=state["rows"], cap=self.cap, scratch=scratch
            )
            outside = {check.number: result for check, result in zip(self.outside, found, strict=True)}
        return [outside[check.number] if check.kind is Kind.OUTSIDE else self._result(check, state) for check in self.checks]

    def _result(self, check: Check, state: Mapping[str, Any]) -> CheckResult:
        number, rows = str(check.number), state["rows"]
        missing = _count(state, f"missing {number}") if check.missing is not None else None
        unexpected = _count(state, f"unexpected {number}") if check.unexpected is not None or check in self.keyed else 0
        if check.kind is Kind.UNIQUE and _count(state, f"keyed {number}") != rows - (missing or 0):
            raise ConservationError(
                f"{rows - (missing or 0)} values to compare, but {_count(state, f'keyed {number}')} keys came back",
                where=self.suite.place(check.number + 1),
                next="this is a defect of the exchange: nothing was released, please report it",
            )
        return judge(
            check.expectation,
            self.schema.names(),
            rows=rows,
            missing=missing,
            unexpected=unexpected,
            total=Sum.from_json(state["sums"][number]) if check.kind is Kind.MEAN and rows else Sum(),
            examples=[json.loads(text) for text in state["examples"].get(number, ())],
        )

    def _examples(self, frame: pl.DataFrame) -> dict[str, list[str]]:
        """The first unexpected values as JSON text, only where the steward allows it."""
        shown: dict[str, list[str]] = {}
        for check in self.checks:
            if check.kind is Kind.VALUES and check.expectation.shows_examples and check.unexpected is not None:
                values = frame.lazy().filter(check.unexpected).select(check.columns[0]).head(EXAMPLES).collect().to_series()
                shown[str(check.number)] = [json.dumps(value, default=_iso) for value in values]
        return shown


def compile_suite(suite: Suite, schema: pl.Schema, *, cap: int = gx.ROW_CAP) -> Checks:
    """Fit ``suite`` to ``schema`` (without identity columns). ``cap`` bounds the rows that Great Expectations gets.

    Raises:
        SchemaError: a column is missing, or has a type that an expectation cannot be about.
        MissingExtra: an expectation is left to Great Expectations, which is not installed.
    """
    suite.bind(schema)
    checks = tuple(
        fit(number, expectation, schema, suite.place(number + 1)) for number, expectation in enumerate(suite.expectations)
    )
    compiled = Checks(suite, schema, checks, cap)
    if compiled.outside:
        gx.require()
    return compiled


def _count(state: Mapping[str, Any], name: str) -> int:
    """A count that no part reported is no zero: without it nothing is said."""
    if name not in state["counts"] and state["rows"]:
        raise ConservationError(
            f"the count {name!r} is missing from the partial results",
            next="give merge() the partial of every batch and reduce_keys() of every partition",
        )
    return int(state["counts"].get(name, 0))


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else str(value)
