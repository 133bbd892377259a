from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.quality import Severity, load_suite, parse_suite

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "lei", "mostly": 0.9}, "severity": "warning"}


def suite_of(*entries):
    return parse_suite({"name": "register", "expectations": list(entries)})


def written(folder, text):
    path = folder / "register.json"
    path.write_text(text, "utf-8")
    return path


def test_a_suite_is_read_as_great_expectations_writes_it(tmp_path):
    body = {
        "name": "register",
        "expectations": [{**NOT_NULL, "meta": {}, "notes": "every entity has one"}],
        "meta": {"great_expectations_version": "1.24.1"},
    }
    suite = load_suite(written(tmp_path, json.dumps(body)))
    (expectation,) = suite.expectations
    assert (suite.name, expectation.columns, expectation.severity) == ("register", ("lei",), Severity.WARNING)
    assert expectation.title == "expect_column_values_to_not_be_null(lei)"
    assert not expectation.shows_examples


def test_severity_is_critical_unless_said():
    assert suite_of({"type": "expect_table_row_count_to_equal", "kwargs": {"value": 3}}).expectations[0].severity == "critical"


def test_an_unknown_expectation_is_answered_with_the_close_ones():
    with pytest.raises(NotFound, match="did you mean 'expect_column_values_to_be_unique'"):
        suite_of({"type": "expect_column_values_to_be_uniqe", "kwargs": {"column": "lei"}})


def test_an_unknown_argument_is_answered_with_the_close_ones():
    with pytest.raises(NotFound, match="did you mean 'mostly'"):
        suite_of({"type": NOT_NULL["type"], "kwargs": {"column": "lei", "mostley": 0.9}})


@pytest.mark.parametrize(
    ("kind", "kwargs", "says"),
    [
        ("expect_column_values_to_be_unique", {}, "'column' is missing"),
        ("expect_column_values_to_be_unique", {"column": 3}, "'column' has a value of the wrong kind"),
        ("expect_column_values_to_be_unique", {"column": "a", "mostly": 1.5}, "'mostly'"),
        ("expect_column_values_to_be_unique", {"column": "a", "mostly": True}, "'mostly'"),
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": []}, "'value_set'"),
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": "DE"}, "'value_set'"),
        ("expect_column_values_to_be_between", {"column": "a"}, "cannot both be missing"),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 3, "max_value": 2}, "greater than max_value"),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": {"$PARAMETER": "low"}}, "suite parameter"),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 1, "strict_min": "yes"}, "'strict_min'"),
        ("expect_compound_columns_to_be_unique", {"column_list": ["a", "a"]}, "'column_list'"),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "select 1"}, "database"),
    ],
)
def test_wrong_arguments_are_found_before_any_run(kind, kwargs, says):
    with pytest.raises(UsageError, match=says):
        suite_of({"type": kind, "kwargs": kwargs})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"name": "x"}',
        '{"name": 3, "expectations": []}',
        '{"name": "x", "expectations": {}}',
        '{"name": "x", "expectations": [1]}',
        '{"name": "x", "expectations": [{"type": 1}]}',
        '{"name": "x", "expectations": [{"type": "expect_column_to_exist", "kwargs": []}]}',
        '{"name": "x", "expectations": [], "expectation": []}',
        '{"name": "x", "expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "sevrity": "info"}]}',
        '{"name": "x", "expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "severity": "high"}]}',
        '{"name": "x", "expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": NaN}}]}',
        '{"name": "x", "expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1e999}}]}',
        "[" * 100_000,
        "\ufeff{}",
    ],
)
def test_what_is_not_a_suite_is_a_plain_error(tmp_path, text):
    with pytest.raises(UsageError):
        load_suite(written(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "register.json"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageError, match="not JSON"):
        load_suite(path)


def test_a_missing_file_names_the_suites_that_are_there(tmp_path):
    written(tmp_path, "{}")
    with pytest.raises(NotFound, match=r"did you mean 'register\.json'"):
        load_suite(tmp_path / "registr.json")


def test_binding_finds_a_wrong_column():
    with pytest.raises(SchemaError, match="did you mean 'lei'"):
        suite_of({**NOT_NULL, "kwargs": {"column": "lai"}}).bind(pl.Schema({"lei": pl.String}))


def test_a_column_that_is_asked_for_may_be_absent():
    exists = {"type": "expect_column_to_exist", "kwargs": {"column": "lei"}}
    names = {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": ["lei", "name"]}}
    listed = {"type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": ["lei", "name"]}}
    suite_of(exists, names, listed).bind(pl.Schema({"other": pl.String}))


def test_reading_suites_does_not_import_great_expectations():
    code = "import sys, datalab.quality as q; q.core_expectations(); sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
