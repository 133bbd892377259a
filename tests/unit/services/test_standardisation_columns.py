from __future__ import annotations

import polars as pl
import pytest

from datalab.errors import SchemaError, UsageError
from datalab.model.step import IDENTITY
from datalab.services import standardisation as standardise
from datalab.services.standardisation.columns import snake_case


def frame(**columns):
    height = len(next(iter(columns.values())))
    identity = {"_dl_source": pl.Series([0] * height, dtype=pl.UInt32), "_dl_row": pl.Series(range(height), dtype=pl.UInt64)}
    return pl.DataFrame({**identity, **columns})


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("LegalName", "legal_name"),
        ("Entity.LegalName (EN)", "entity_legal_name_en"),
        ("LEI", "lei"),
        ("HTTPServer", "http_server"),
        ("Größe", "grosse"),
        ("2020", "column_2020"),
        ("already_snake", "already_snake"),
        ("%", "column"),
        ("Όνομα", "ονομα"),
    ],
)
def test_snake_case(name, snake):
    assert snake_case(name) == snake
    assert snake_case(snake) == snake


def test_bind_and_apply_agree_and_identity_stays():
    step = standardise.ColumnNames(rename={"x": "Price"})
    bound = step.bind(pl.Schema({"x": pl.Int64(), "LegalName": pl.String()}))
    assert bound.schema.names() == ["Price", "legal_name"]
    assert bound.derivations["legal_name"].inputs == ("LegalName",)
    assert step.apply(frame(x=[1], LegalName=["a"]), None).frame.columns == [*IDENTITY, "Price", "legal_name"]


def test_two_columns_cannot_get_one_name():
    with pytest.raises(SchemaError, match="both be named 'a_b'"):
        standardise.ColumnNames().bind(pl.Schema({"A b": pl.String(), "a-b": pl.String()}))
    with pytest.raises(SchemaError, match="no column named 'y'"):
        standardise.ColumnNames(rename={"y": "z"}).bind(pl.Schema({"x": pl.String()}))


def test_select_and_drop():
    data = frame(a=[1], b=[2], c=[3])
    assert standardise.Select(("c", "a")).apply(data, None).frame.columns == [*IDENTITY, "c", "a"]
    assert standardise.Drop("b").apply(data, None).frame.columns == [*IDENTITY, "a", "c"]
    schema = pl.Schema({"a": pl.Int64(), "b": pl.Int64()})
    assert standardise.Select("b").bind(schema).schema.names() == ["b"]
    assert standardise.Drop("b").bind(schema).schema.names() == ["a"]
    with pytest.raises(SchemaError, match="no column named 'z'"):
        standardise.Drop("z").bind(schema)
    with pytest.raises(SchemaError, match="no column would remain"):
        standardise.Drop(("a", "b")).bind(schema)
    with pytest.raises(UsageError, match="at least one"):
        standardise.Select(())


def test_steps_are_values_with_names():
    assert standardise.ColumnNames(why="one style") == standardise.ColumnNames(why="one style")
    assert standardise.ColumnNames().name == "standardisation.column-names"
