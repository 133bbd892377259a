"""How each expectation is evaluated: fitted to the schema of the rows, before any of them is read."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import polars as pl

from datalab.errors import SchemaError
from datalab.quality.rules import RULES, in_set, missing
from datalab.quality.suite import Expectation


class Kind(enum.StrEnum):
    """How an expectation is evaluated."""

    TABLE = "table"
    NULLS = "nulls"
    VALUES = "values"
    UNIQUE = "unique"
    DISTINCT = "distinct"
    MEAN = "mean"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation, fitted to a schema. ``unexpected`` is true for the rows that break it; None where rows are not counted."""

    number: int
    expectation: Expectation
    kind: Kind
    columns: tuple[str, ...] = ()
    missing: pl.Expr | None = None
    unexpected: pl.Expr | None = None


def fit(number: int, expectation: Expectation, schema: pl.Schema, where: str) -> Check:
    """Decide how ``expectation`` is evaluated on rows of ``schema``; raise ``SchemaError``, naming ``where``, if it makes no sense."""
    if expectation.kwargs.get("row_condition"):
        return Check(number, expectation, Kind.OUTSIDE, tuple(schema.names()))
    if expectation.type in TABLE_EXPECTATIONS:
        return Check(number, expectation, Kind.TABLE)
    if expectation.type in COLUMN_EXPECTATIONS:
        _refuse_types(expectation, schema, where)
        found = _fit_columns(number, expectation, schema)
        if found is not None:
            return found
    return Check(number, expectation, Kind.OUTSIDE, expectation.columns)


def _fit_columns(number: int, expectation: Expectation, schema: pl.Schema) -> Check | None:
    """Return the compiled check, or None where the arguments or the column's type are left to Great Expectations."""
    kind, kwargs, columns = expectation.type, expectation.kwargs, expectation.columns
    name, dtype = columns[0], schema[columns[0]]
    absent = missing(name, dtype)
    if kind == "expect_column_values_to_not_be_null":
        return Check(number, expectation, Kind.NULLS, columns, unexpected=absent)
    if kind == "expect_column_values_to_be_null":
        return Check(number, expectation, Kind.NULLS, columns, unexpected=~absent)
    if any(schema[column].is_nested() or schema[column] in {pl.Object, pl.Decimal} for column in columns):
        return None
    if kind == "expect_column_values_to_be_unique":
        return Check(number, expectation, Kind.UNIQUE, columns, absent)
    if kind == "expect_compound_columns_to_be_unique":
        return Check(number, expectation, Kind.UNIQUE, columns, _ignored(expectation, schema))
    if kind == "expect_column_mean_to_be_between":
        bounds = kwargs.get("min_value"), kwargs.get("max_value")
        plain = dtype.is_numeric() and not any(isinstance(bound, str) for bound in bounds)
        return Check(number, expectation, Kind.MEAN, columns) if plain else None
    if kind == "expect_column_distinct_values_to_be_in_set":
        met = in_set(pl.col(name), dtype, kwargs)
        return None if met is None else Check(number, expectation, Kind.DISTINCT, columns, unexpected=~absent & ~met)
    met = RULES[kind](pl.col(name), dtype, kwargs)
    return None if met is None else Check(number, expectation, Kind.VALUES, columns, absent, ~absent & ~met)


TABLE_EXPECTATIONS = frozenset(
    {
        "expect_column_to_exist",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
        "expect_table_columns_to_match_set",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_column_count_to_equal",
        "expect_table_column_count_to_be_between",
    }
)
"""Compiled expectations about the table: number of rows, names of columns."""
COLUMN_EXPECTATIONS = frozenset(
    {
        *RULES,
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_unique",
        "expect_compound_columns_to_be_unique",
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_mean_to_be_between",
    }
)
"""Compiled expectations about columns. Some arguments or column types still go to Great Expectations."""
_NUMBERS_OR_DATES = {"expect_column_values_to_be_between", "expect_column_mean_to_be_between"}


def _refuse_types(expectation: Expectation, schema: pl.Schema, where: str) -> None:
    """Catch, before the run, what Great Expectations would only report as an exception of pandas after it."""
    if expectation.type in _NUMBERS_OR_DATES:
        column = expectation.columns[0]
        if schema[column] in {pl.String, pl.Categorical, pl.Enum, pl.Binary}:
            raise SchemaError(
                f"column {column!r} is {schema[column]}, and {expectation.type} is about numbers or dates",
                where=where,
                next=f"give {column!r} its type with standardise.Types before the end of the pipeline",
            )


def _ignored(expectation: Expectation, schema: pl.Schema) -> pl.Expr:
    """The rows that a compound key leaves out."""
    absent = [missing(column, schema[column]) for column in expectation.columns]
    rule = expectation.kwargs.get("ignore_row_if", "all_values_are_missing")
    if rule == "never":
        return absent[0] & pl.lit(value=False)
    return pl.all_horizontal(absent) if rule == "all_values_are_missing" else pl.any_horizontal(absent)
