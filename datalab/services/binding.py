"""Checks that steps share when they are fitted to a schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from datalab.errors import SchemaError

if TYPE_CHECKING:
    import polars as pl


def require_columns(schema: pl.Schema, columns: Iterable[str], *, step: str) -> None:
    """Raise ``SchemaError`` with "did you mean" for the first of ``columns`` that ``schema`` lacks."""
    for column in columns:
        if column not in schema:
            raise SchemaError.column(column, schema.names(), where=f"step {step}")


def require_text(schema: pl.Schema, columns: Iterable[str], *, step: str) -> None:
    """Raise ``SchemaError`` unless all ``columns`` exist and hold text."""
    import polars as pl

    names = tuple(columns)
    require_columns(schema, names, step=step)
    for column in names:
        if schema[column] != pl.String:
            raise SchemaError(
                f"column {column!r} is {schema[column]}, not text",
                where=f"step {step}",
                next="put this step before the one that changes the type, or name another column",
            )


def refuse_existing(schema: pl.Schema, columns: Iterable[str], *, step: str) -> None:
    """Raise ``SchemaError`` where a step would overwrite a column that is there already."""
    for column in columns:
        if column in schema:
            raise SchemaError(
                f"column {column!r} exists already", where=f"step {step}", next="give the new column another name"
            )
