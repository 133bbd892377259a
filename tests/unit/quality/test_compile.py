from __future__ import annotations

import datetime as dt
import json
import math
import pickle
import random

import polars as pl
import pytest

from datalab.errors import ConservationError, SchemaError
from datalab.model.canonical import canonical_json
from datalab.quality import KEYS, compile_suite, parse_suite, validate

FRAME = pl.DataFrame(
    {
        "id": [1, 2, 2, None, 5, 6, 7, 7],
        "score": [0.5, math.nan, 0.25, None, -0.0, 0.0, 3.5, 1e300],
        "name": ["Ann", "Bob", "Bob", None, "", "Ünal", "x" * 40, "Zoë"],
        "day": [dt.date(2020, 1, day) for day in range(1, 9)],
    }
)


def expect(kind, severity="critical", meta=None, **kwargs):
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": meta or {}}


ALL = [
    expect("expect_column_values_to_be_unique", column="id"),
    expect("expect_column_values_to_be_unique", column="score"),
    expect("expect_compound_columns_to_be_unique", column_list=["id", "name"]),
    expect("expect_column_values_to_not_be_null", column="score", mostly=0.5),
    expect("expect_column_values_to_be_between", column="day", min_value="2020-01-03"),
    expect("expect_column_mean_to_be_between", column="score", min_value=0),
    expect("expect_column_distinct_values_to_be_in_set", column="name", value_set=["Ann", "Bob"]),
    expect("expect_column_value_lengths_to_be_between", column="name", max_value=10, meta={"datalab": {"examples": True}}),
    expect("expect_column_values_to_match_regex", "warning", column="name", regex="^[A-Z]"),
    expect("expect_table_row_count_to_be_between", min_value=1),
]
SUITE = parse_suite({"name": "people", "expectations": ALL})


def cut(frame, size):
    return [frame[start : start + size] for start in range(0, frame.height, size)]


def test_no_cut_into_batches_shows():
    whole = validate([FRAME], SUITE, FRAME.schema).to_bytes()
    for size in (1, 2, 3, 5):
        assert validate(cut(FRAME, size), SUITE, FRAME.schema).to_bytes() == whole


def test_counts_across_batches():
    results = validate(cut(FRAME, 2), SUITE, FRAME.schema).results
    counts = [(item.element_count, item.unexpected_count, item.missing_count) for item in results]
    assert counts == [
        (8, 4, 1),
        (8, 2, 2),
        (8, 2, 1),
        (8, 2, None),
        (8, 2, 0),
        (None,) * 3,
        (None, 4, None),
        (8, 1, 1),
        (8, 3, 1),
        (None,) * 3,
    ]


def test_workers_partitions_and_order_do_not_show():
    checks = pickle.loads(pickle.dumps(compile_suite(SUITE, FRAME.schema)))
    parts = cut(FRAME, 3)
    partials = [json.loads(canonical_json(checks.partial(part, index))) for index, part in enumerate(parts)]
    keys = pl.concat([checks.keys(part) for part in parts])
    assert keys.schema == KEYS
    partitions = [keys.filter(pl.col("key") % 4 == place).sample(fraction=1, shuffle=True) for place in range(4)]
    random.shuffle(partials)
    state = checks.merge([checks.merge(partials[:1]), checks.merge(partials[1:])], map(checks.reduce_keys, partitions))
    found = checks.evaluate(json.loads(canonical_json(state)))
    expected = validate([FRAME], SUITE, FRAME.schema).results
    assert found == list(expected)


def test_only_needed_columns_are_named():
    suite = parse_suite({"name": "s", "expectations": [ALL[0], ALL[4], ALL[9]]})
    checks = compile_suite(suite, FRAME.schema)
    assert (checks.columns, checks.outside) == (("id", "day"), ())


@pytest.mark.parametrize("batches", [[], [FRAME.clear()], [FRAME.clear(), FRAME.clear()]])
def test_an_empty_table_meets_what_great_expectations_calls_vacuously_true(batches):
    result = validate(batches, SUITE, FRAME.schema)
    failed = [item.expectation.type for item in result.results if not item.success]
    assert failed == ["expect_column_mean_to_be_between", "expect_table_row_count_to_be_between"]
    assert result.rows == 0


def test_no_value_of_the_data_is_told_unless_allowed():
    suite = parse_suite({"name": "s", "expectations": [item for item in ALL if not item["meta"]]})
    text = validate([FRAME], suite, FRAME.schema).to_bytes().decode()
    assert "Ünal" not in text
    assert "Zoë" not in text
    assert "values are withheld" in text


def test_a_steward_may_allow_examples():
    lengths = next(item for item in validate(cut(FRAME, 2), SUITE, FRAME.schema).results if item.expectation.shows_examples)
    assert lengths.examples == ("x" * 40,)
    many = pl.DataFrame({"name": [f"{number:020d}" for number in range(50)]})
    suite = parse_suite({"name": "s", "expectations": [ALL[7]]})
    (result,) = validate(cut(many, 7), suite, many.schema).results
    assert result.examples == tuple(f"{number:020d}" for number in range(20))


def test_warnings_report_and_do_not_block():
    suite = parse_suite({"name": "s", "expectations": [ALL[8]]})
    result = validate([FRAME], suite, FRAME.schema)
    assert (result.success, result.passed) == (False, True)
    critical = parse_suite({"name": "s", "expectations": [{**ALL[8], "severity": "critical"}]})
    assert not validate([FRAME], critical, FRAME.schema).passed


def test_text_that_should_be_numbers_is_found_before_the_run():
    suite = parse_suite(
        {"name": "s", "expectations": [expect("expect_column_values_to_be_between", column="name", min_value=0)]}
    )
    with pytest.raises(SchemaError, match="about numbers or dates"):
        compile_suite(suite, FRAME.schema)


def test_bounds_beyond_every_integer_are_exact():
    frame = pl.DataFrame({"big": [2**63 - 1, -(2**63)], "huge": pl.Series([2**64 - 1, 0], dtype=pl.UInt64)})

    def unexpected(column, **kwargs):
        suite = parse_suite(
            {"name": "s", "expectations": [expect("expect_column_values_to_be_between", column=column, **kwargs)]}
        )
        return validate([frame], suite, frame.schema).results[0].unexpected_count

    assert unexpected("big", max_value=2**63 - 1) == 0
    assert unexpected("big", max_value=2**63 - 1, strict_max=True) == 1
    assert unexpected("big", max_value=2**63 - 2) == 1
    assert unexpected("big", min_value=10**40) == 2
    assert unexpected("big", min_value=-(10**40), strict_min=True) == 0
    assert unexpected("huge", min_value=2**64 - 1) == 1
    assert unexpected("huge", max_value=-1) == 2
    assert unexpected("huge", max_value=1e300) == 0


def test_equal_values_of_other_bits_are_not_unique():
    zeros = pl.DataFrame({"x": [0.0, -0.0]})
    suite = parse_suite({"name": "s", "expectations": [expect("expect_column_values_to_be_unique", column="x")]})
    assert validate(cut(zeros, 1), suite, zeros.schema).results[0].unexpected_count == 2


def test_columns_that_join_to_one_text_are_still_two():
    frame = pl.DataFrame({"a": ["x", "xy"], "b": ["yz", "z"]})
    suite = parse_suite({"name": "s", "expectations": [expect("expect_compound_columns_to_be_unique", column_list=["a", "b"])]})
    assert validate([frame], suite, frame.schema).passed


def test_uniqueness_of_many_rows_is_exact():
    frame = pl.DataFrame({"x": pl.int_range(200_000, eager=True)}).vstack(pl.DataFrame({"x": [7, 199_999]}))
    suite = parse_suite({"name": "s", "expectations": [expect("expect_column_values_to_be_unique", column="x", mostly=0.99)]})
    (result,) = validate(cut(frame, 32_768), suite, frame.schema).results
    assert (result.success, result.unexpected_count) == (True, 4)
    texts = frame.select(pl.col("x").cast(pl.String))
    assert validate(cut(texts, 32_768), suite, texts.schema).results[0].unexpected_count == 4


def test_a_forgotten_exchange_is_no_pass():
    checks = compile_suite(SUITE, FRAME.schema)
    partials, keys = [checks.partial(FRAME)], checks.keys(FRAME)
    with pytest.raises(ConservationError, match="'unexpected 0' is missing"):
        checks.evaluate(checks.merge(partials))
    lost = checks.reduce_keys(keys.filter(pl.col("key") != keys["key"][0]))
    with pytest.raises(ConservationError, match="7 values to compare, but 6 keys"):
        checks.evaluate(checks.merge(partials, [lost]))
    with pytest.raises(ConservationError):
        checks.evaluate({**checks.merge(partials, [checks.reduce_keys(keys)]), "counts": {}})
