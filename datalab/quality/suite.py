"""Expectation suites: Great Expectations' own JSON, read strictly and without importing Great Expectations."""

from __future__ import annotations

import enum
import functools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalab.errors import NotFound, SchemaError, UsageError

if TYPE_CHECKING:
    import polars as pl

_SUITE_KEYS = {"name", "expectations", "meta", "notes", "id"}
_EXPECTATION_KEYS = {"type", "kwargs", "severity", "meta", "notes", "description", "id", "rendered_content"}
_NEEDS_DATABASE = {
    "unexpected_rows_expectation",
    "expect_query_results_to_match_comparison",
    "expect_table_row_count_to_equal_other_table",
}
_ABSENT_COLUMN_IS_A_VERDICT = {"expect_column_to_exist"}
"""A missing column is what these expectations ask about, not a mistake of the suite."""
_LARGEST_FILE = 16 << 20


class Severity(enum.StrEnum):
    """How much a failed expectation weighs: ``critical`` withholds a release, the others only report."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation: Great Expectations' type name and keyword arguments.

    ``meta`` may hold ``{"datalab": {"examples": true}}``: the steward allows that up to 20 unexpected values of this column
    are written into the results. Without it, results carry counts and no value of the data.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity = Severity.CRITICAL
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values the expectation looks at."""
        kwargs = self.kwargs
        single = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
        several = kwargs.get("column_list") or () if not self.type.startswith("expect_table_") else ()
        return tuple(dict.fromkeys([*single, *several]))

    @property
    def title(self) -> str:
        """``type(columns)``: how a result is headed, for example ``expect_column_values_to_be_unique(lei)``."""
        return f"{self.type}({', '.join(self.columns)})" if self.columns else self.type

    @property
    def shows_examples(self) -> bool:
        """Whether the steward allows raw values of the data in the result."""
        own = self.meta.get("datalab")
        return isinstance(own, Mapping) and own.get("examples") is True


@dataclass(frozen=True, slots=True)
class Suite:
    """A named list of expectations."""

    name: str
    expectations: tuple[Expectation, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, schema: pl.Schema) -> None:
        """Raise ``SchemaError``, with "did you mean", for the first expectation about a column that ``schema`` lacks."""
        for place, expectation in enumerate(self.expectations, start=1):
            if expectation.type in _ABSENT_COLUMN_IS_A_VERDICT:
                continue
            for column in expectation.columns:
                if column not in schema:
                    raise SchemaError.column(column, schema.names(), where=self.place(place))

    def place(self, number: int) -> str:
        """Where expectation ``number`` (from 1) stands, for errors."""
        return f"suite {self.name}, expectation {number} {self.expectations[number - 1].type}"


def load_suite(path: Path) -> Suite:
    """Read a suite from ``path``.

    Raises:
        NotFound: there is no such file, or an expectation has a type that Great Expectations does not have.
        UsageError: the file is not a suite, or an expectation has wrong or missing arguments.
    """
    if not path.is_file():
        raise NotFound.among("suite", path.name, (item.name for item in path.parent.glob("*.json")), where=str(path.parent))
    if path.stat().st_size > _LARGEST_FILE:
        raise UsageError("the suite is larger than 16 MiB", where=str(path), next="an expectation suite holds rules, not data")
    try:
        body = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "the suite is not JSON", where=f"{path}: {_position(error)}", next="check it with a JSON editor"
        ) from None
    return parse_suite(body, where=str(path))


def parse_suite(body: Any, *, where: str = "suite") -> Suite:
    """Build a suite from parsed JSON; raises as `load_suite`."""
    shape = 'write {"name": …, "expectations": [{"type": …, "kwargs": {…}}]}'
    if not isinstance(body, Mapping) or not isinstance(body.get("name"), str) or not isinstance(body.get("expectations"), list):
        raise UsageError("this is not an expectation suite", where=where, next=shape)
    _known_keys("key of a suite", body, _SUITE_KEYS, where)
    expectations = tuple(_parsed(place, entry) for place, entry in _numbered(body["expectations"], where, shape))
    return Suite(body["name"], expectations, _mapping(body.get("meta"), "meta", where))


@functools.cache
def core_expectations() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Great Expectations' core expectations, by name: their ``required`` and ``optional`` keyword arguments."""
    text = resources.files("datalab.quality").joinpath("core_expectations.json").read_text("utf-8")
    listed = json.loads(text)["expectations"]
    return {name: {key: tuple(words) for key, words in arguments.items()} for name, arguments in listed.items()}


def _numbered(entries: list[Any], where: str, shape: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, entry in enumerate(entries, start=1):
        place = f"{where}, expectation {number}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
            raise UsageError("this is not an expectation", where=place, next=shape)
        yield f"{place} {entry['type']}", entry


def _parsed(where: str, entry: Mapping[str, Any]) -> Expectation:
    kind = entry["type"]
    if kind not in core_expectations():
        raise NotFound.among("expectation", kind, core_expectations(), where=where)
    if kind in _NEEDS_DATABASE:
        raise UsageError(f"{kind} compares database tables", where=where, next="state the rule with another expectation")
    _known_keys("key of an expectation", entry, _EXPECTATION_KEYS, where)
    kwargs = _mapping(entry.get("kwargs"), "kwargs", where)
    _check_arguments(kind, kwargs, where)
    try:
        severity = Severity(entry.get("severity") or Severity.CRITICAL)
    except ValueError:
        raise NotFound.among("severity", str(entry["severity"]), list(Severity), where=where) from None
    return Expectation(kind, kwargs, severity, _mapping(entry.get("meta"), "meta", where))


def _check_arguments(kind: str, kwargs: Mapping[str, Any], where: str) -> None:
    arguments = core_expectations()[kind]
    _known_keys("argument", kwargs, {*arguments["required"], *arguments["optional"]}, where)
    for name in arguments["required"]:
        if kwargs.get(name) is None:
            raise UsageError(f"the argument {name!r} is missing", where=where, next=f"add {name!r} to its kwargs")
    for name, value in kwargs.items():
        if isinstance(value, Mapping) and "$PARAMETER" in value:
            raise UsageError(
                f"{name!r} is a suite parameter", where=where, next="write the value itself: a release names its rules"
            )
        if value is not None and not _fits(name, value):
            raise UsageError(f"the argument {name!r} has a value of the wrong kind", where=where, next=_WANTED[name])
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None and _is_number(low) and _is_number(high) and low > high:
        raise UsageError("min_value is greater than max_value", where=where, next="exchange them")
    if "min_value" in arguments["optional"] and "between" in kind and low is None and high is None:
        raise UsageError("min_value and max_value cannot both be missing", where=where, next="give at least one of the two")


_WANTED = {
    "column": "name one column, as text",
    "column_A": "name one column, as text",
    "column_B": "name one column, as text",
    "column_list": "list the columns, as text, none twice",
    "column_set": "list the columns, as text, none twice",
    "mostly": "give a share between 0 and 1",
    "value_set": "list at least one value",
    "strict_min": "write true or false",
    "strict_max": "write true or false",
    "exact_match": "write true or false",
    "regex": "give a regular expression, as text",
    "min_value": "give a finite number, or a date as text",
    "max_value": "give a finite number, or a date as text",
    "value": "give a whole number",
}


def _fits(name: str, value: Any) -> bool:
    if name in {"column", "column_A", "column_B", "regex"}:
        return isinstance(value, str) and (value != "" or name == "regex")
    if name in {"column_list", "column_set"}:
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return texts and len(set(value)) == len(value)
    if name == "mostly":
        return _is_number(value) and 0 <= value <= 1
    if name == "value_set":
        return (
            isinstance(value, list)
            and bool(value)
            and all(not isinstance(item, float) or math.isfinite(item) for item in value)
        )
    if name in {"strict_min", "strict_max", "exact_match"}:
        return isinstance(value, bool)
    if name in {"min_value", "max_value"}:
        return (isinstance(value, str) and value != "") or (_is_number(value) and math.isfinite(value))
    if name == "value":
        return isinstance(value, int) and not isinstance(value, bool)
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _known_keys(kind: str, body: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in body:
        if key not in known:
            raise NotFound.among(kind, str(key), known, where=where)


def _mapping(value: Any, name: str, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{name!r} is not an object", where=where, next=f'write "{name}": {{…}}')
    return value


def _refuse_constant(word: str) -> None:
    msg = f"{word} is not a JSON number"
    raise ValueError(msg)


def _position(error: Exception) -> str:
    return f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "cannot be parsed"
