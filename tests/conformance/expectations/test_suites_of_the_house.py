"""The suites in ``expectations/`` and the list of names that is shipped, held against the installed Great Expectations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datalab.quality import core_expectations, load_suite

gx = pytest.importorskip("great_expectations", reason="great_expectations is not installed")
SUITES = sorted((Path(__file__).parents[3] / "expectations").glob("*.json"))
NOT_ARGUMENTS = {
    "id", "meta", "notes", "result_format", "catch_exceptions", "rendered_content", "windows", "batch_id", "severity",
    "description", "library_metadata",
}  # fmt: skip


def test_the_house_has_suites():
    assert SUITES, "expectations/ is empty: what follows would check nothing"


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_a_suite_is_one_for_datalab_and_for_great_expectations(path):
    suite = load_suite(path)
    assert suite.name == path.stem
    body = json.loads(path.read_text("utf-8"))
    theirs = gx.ExpectationSuite(name=body["name"], expectations=body["expectations"], meta=body.get("meta"))
    assert [item.expectation_type for item in theirs.expectations] == [item.type for item in suite.expectations]


def test_the_shipped_names_and_arguments_are_those_of_great_expectations():
    from great_expectations.expectations.registry import get_expectation_impl, list_registered_expectation_implementations

    shipped = core_expectations()
    assert sorted(shipped) == sorted(list_registered_expectation_implementations())
    for name, arguments in shipped.items():
        fields = {key: field for key, field in get_expectation_impl(name).__fields__.items() if key not in NOT_ARGUMENTS}
        assert sorted(arguments["required"]) == sorted(key for key, field in fields.items() if field.required), name
        assert sorted(arguments["optional"]) == sorted(key for key, field in fields.items() if not field.required), name
