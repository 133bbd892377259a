from __future__ import annotations

import json
import socket
import subprocess
import sys

import polars as pl
import pytest

from datalab.errors import UsageError
from datalab.model.step import ROW, SOURCE
from datalab.quality import compile_suite, gx, parse_suite, take_sample, validate

FRAME = pl.DataFrame({"name": ["Ann", "Bob", None, "secret-Zoë"], "age": [30, 40, 50, None]})


def suite_of(*pairs):
    return parse_suite({"name": "s", "expectations": [{"type": kind, "kwargs": kwargs} for kind, kwargs in pairs]})


LOOK_AHEAD = ("expect_column_values_to_match_regex", {"column": "name", "regex": r"^(?!secret)\w+"})
HIGHEST = ("expect_column_max_to_be_between", {"column": "age", "max_value": 45})
SPREAD = ("expect_column_stdev_to_be_between", {"column": "age", "min_value": 5})
SUM = ("expect_column_sum_to_be_between", {"column": "age", "min_value": 5})
ADULTS = ("expect_column_values_to_not_be_null", {"column": "name", "row_condition": "age > 45", "condition_parser": "pandas"})


def test_what_is_not_compiled_runs_in_great_expectations():
    counted = ("expect_column_values_to_not_be_null", {"column": "name"})
    result = validate([FRAME[:3], FRAME[3:]], suite_of(LOOK_AHEAD, counted, HIGHEST, SPREAD, ADULTS), FRAME.schema)
    regex, nulls, highest, spread, adults = result.results
    assert (regex.success, regex.element_count, regex.unexpected_count, regex.missing_count) == (False, 4, 1, 1)
    assert (nulls.engine, regex.engine) == ("datalab", "great-expectations")
    assert (highest.success, highest.observed) == (False, "")
    assert (spread.success, spread.observed) == (True, "10.0")
    assert (adults.success, adults.element_count) == (False, 1)
    assert "Zoë" not in result.to_bytes().decode()
    assert "50" not in json.dumps(highest.as_gx_json())


def test_an_exception_inside_is_a_failed_check_without_its_message():
    result = validate(
        [FRAME], suite_of(("expect_column_stdev_to_be_between", {"column": "name", "min_value": 1})), FRAME.schema
    )
    (failed,) = result.results
    assert not failed.success
    assert failed.error.isidentifier()
    assert "Zoë" not in result.to_bytes().decode()


def test_arguments_that_great_expectations_refuses_are_a_failed_check():
    (failed,) = validate(
        [FRAME],
        suite_of(("expect_column_quantile_values_to_be_between", {"column": "age", "quantile_ranges": 3})),
        FRAME.schema,
    ).results
    assert (failed.success, failed.error) == (False, "ValidationError")


def test_beyond_the_cap_a_sample_is_judged_and_the_result_says_so():
    frame = pl.DataFrame({"name": [f"n{number}" for number in range(1000)]})
    (result,) = validate([frame], suite_of(LOOK_AHEAD), frame.schema, cap=100).results
    assert (result.success, result.element_count, result.meta) == (True, 100, {"sampled": True, "sample_rows": 100})


def test_beyond_the_cap_what_a_sample_cannot_tell_fails():
    (result,) = validate([FRAME], suite_of(SUM), FRAME.schema, cap=3).results
    assert not result.success
    assert "a sample cannot tell" in result.error


def test_the_sample_is_the_same_for_every_cut_and_not_the_first_rows():
    frame = pl.DataFrame({SOURCE: [0] * 500, ROW: range(500)}, schema={SOURCE: pl.UInt32, ROW: pl.UInt64})
    whole = take_sample([frame], 50)
    pieces = take_sample([take_sample([frame[start : start + 60]], 50) for start in range(480, -1, -60)], 50)
    assert whole.equals(pieces)
    assert 150 < whole[ROW].mean() < 350


def test_a_table_without_rows():
    assert validate([], suite_of(LOOK_AHEAD, SPREAD), FRAME.schema).results[0].success


def test_a_missing_sample_is_a_mistake_of_the_caller():
    checks = compile_suite(suite_of(LOOK_AHEAD), FRAME.schema)
    with pytest.raises(UsageError, match="no sample"):
        checks.evaluate(checks.merge([]))


def test_too_long_is_a_failed_check_and_leaves_no_rows_behind(tmp_path):
    expectations = suite_of(SPREAD).expectations
    (result,) = gx.validate_apart(expectations, FRAME, ["age"], rows=4, timeout=0.01, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (result.success, result.error) == (False, "Great Expectations took longer than 0.01 seconds")


def test_a_process_that_dies_is_a_failed_check(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (result,) = gx.validate_apart(suite_of(SPREAD).expectations, FRAME, ["age"], rows=4)
    assert (result.success, result.error) == (False, "Great Expectations ended with code 1")


def test_nothing_reaches_for_the_network(tmp_path):
    (tmp_path / "request.json").write_text(json.dumps([{"type": SPREAD[0], "kwargs": SPREAD[1]}]))
    FRAME.write_ipc(tmp_path / "rows.arrow")
    code = (
        "import socket, sys, pathlib\n"
        "def refuse(*args, **kwargs): sys.exit(77)\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = socket.getaddrinfo = refuse\n"
        "from datalab.quality.gx import main\n"
        "main(pathlib.Path(sys.argv[1]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert json.loads((tmp_path / "response.json").read_text())[0]["success"]
    assert hasattr(socket.socket, "connect")


def test_rows_with_the_same_names_as_ours_or_odd_types_pass_through():
    frame = pl.DataFrame(
        {
            "when": pl.Series([None, "0001-01-01", "9999-12-31"]).str.to_date(),
            "big": pl.Series([2**63 - 1, None, 1]),
            "list": [[1], None, [2, 3]],
        }
    )
    pandas = gx.as_pandas(frame)
    assert str(pandas["big"].dtype) == "Int64"
    assert pandas["big"][0] == 2**63 - 1
    assert list(pandas["when"].isna()) == [True, False, False]
