"""Every compiled expectation gives what Great Expectations gives: same success, same counts, same percents."""

from __future__ import annotations

import datetime as dt
import functools
import math
import warnings

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalab.quality import compile_suite, parse_suite, validate
from datalab.quality.gx import as_pandas

gx = pytest.importorskip("great_expectations", reason="great_expectations is not installed")

COUNTS = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "missing_count",
    "missing_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@functools.cache
def _batches():
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")


def real(frame, kind, **kwargs):
    """The result of Great Expectations itself, as JSON."""
    from great_expectations.expectations.registry import get_expectation_impl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = _batches().get_batch({"dataframe": as_pandas(frame)})
        result = batch.validate(get_expectation_impl(kind)(**kwargs), result_format="BASIC").to_json_dict()
    assert result["result"] or kind == "expect_column_to_exist", str(result["exception_info"])[-600:]
    return result


def ours(frame, kind, cut, **kwargs):
    """Our result for ``frame`` in batches of ``cut`` rows, as JSON; it must not come from Great Expectations."""
    suite = parse_suite({"name": "s", "expectations": [{"type": kind, "kwargs": kwargs}]})
    assert not compile_suite(suite, frame.schema).outside
    frames = [frame[start : start + cut] for start in range(0, frame.height, cut)]
    return validate(frames, suite, frame.schema).as_gx_json()["results"][0]


def same(frame, kind, *, cut=3, gx_kwargs=None, **kwargs):
    mine, theirs = ours(frame, kind, cut, **kwargs), real(frame, kind, **(gx_kwargs or kwargs))
    assert mine["success"] == theirs["success"]
    for count in COUNTS:
        assert (count in mine["result"]) == (count in theirs["result"]), count
        assert mine["result"].get(count) == theirs["result"].get(count), count
    return mine, theirs


def frames(values, dtype):
    return st.lists(st.none() | values, max_size=12).map(lambda items: pl.DataFrame({"x": pl.Series(items, dtype=dtype)}))


small = st.integers(-4, 4)
reals = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.1, 0.2, 1.0, 2.0, 1e300, math.nan, math.inf, -math.inf])
texts = st.sampled_from(
    ["", "a", "A", "ab", "ä", "日本", "a\n", " ", "a b", "12", "\uff11\uff12", "DE", "xDEx", "\x1c", "_", "e\u0301"]
)
days = st.dates(dt.date(2019, 12, 30), dt.date(2020, 1, 3))
moments = st.datetimes(dt.datetime(2019, 12, 30), dt.datetime(2020, 1, 3))  # noqa: DTZ001 - without a zone is the case
mostly = st.sampled_from([0, 0.3, 1 / 3, 0.5, 2 / 3, 0.9, 1])
anything = st.one_of(
    frames(small, pl.Int64),
    frames(st.integers(0, 5), pl.UInt8),
    frames(reals, pl.Float64),
    frames(texts, pl.String),
    frames(st.booleans(), pl.Boolean),
    frames(days, pl.Date),
    frames(moments, pl.Datetime("us")),
)
bounds = st.tuples(
    small | st.sampled_from([-1.5, 0.1, 2.5]) | st.none(), small | st.sampled_from([0.5, 3.5]) | st.none()
).filter(lambda pair: pair != (None, None) and (None in pair or pair[0] <= pair[1]))


@MANY
@given(anything, mostly, st.sampled_from(["expect_column_values_to_not_be_null", "expect_column_values_to_be_null"]))
def test_nulls(frame, mostly, kind):
    same(frame, kind, column="x", mostly=mostly)


@MANY
@given(anything, mostly, st.integers(1, 12))
def test_unique(frame, mostly, cut):
    same(frame, "expect_column_values_to_be_unique", cut=cut, column="x", mostly=mostly)


@MANY
@given(
    st.lists(st.tuples(st.none() | small, st.none() | st.sampled_from("ab"), reals | st.none()), max_size=10),
    mostly,
    st.sampled_from(["all_values_are_missing", "any_value_is_missing", "never"]),
    st.sampled_from([["a", "b"], ["b", "c"], ["a", "b", "c"]]),
)
def test_unique_together(rows, mostly, ignore, columns):
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String, "c": pl.Float64}, orient="row")
    same(frame, "expect_compound_columns_to_be_unique", column_list=columns, mostly=mostly, ignore_row_if=ignore)


@MANY
@given(
    frames(small, pl.Int64) | frames(reals, pl.Float64) | frames(st.integers(-4, 4), pl.Int16),
    bounds,
    st.booleans(),
    st.booleans(),
    mostly,
)
def test_numbers_between(frame, pair, strict_min, strict_max, mostly):
    if frame["x"].dtype == pl.Int16 and not frame["x"].null_count() < frame.height:
        return  # Great Expectations cannot negate pandas' answer for an empty column of small integers
    kwargs = {"min_value": pair[0], "max_value": pair[1], "strict_min": strict_min, "strict_max": strict_max, "mostly": mostly}
    same(frame, "expect_column_values_to_be_between", column="x", **kwargs)


@MANY
@given(frames(days, pl.Date) | frames(moments, pl.Datetime("us")), days, days | st.none(), st.booleans(), mostly)
def test_dates_between(frame, low, high, strict, mostly):
    high = high if high is None else max(low, high)
    kwargs = {"column": "x", "strict_min": strict, "strict_max": strict, "mostly": mostly}
    limits = {"min_value": low, "max_value": high}
    written = {key: None if day is None else day.isoformat() for key, day in limits.items()}
    # As a date alone, stock Great Expectations fails to compare the bound with a timestamp; midnight is what is meant.
    theirs = {key: None if day is None else f"{day.isoformat()}T00:00:00" for key, day in limits.items()}
    same(frame, "expect_column_values_to_be_between", gx_kwargs={**kwargs, **theirs}, **kwargs, **written)
    same(frame, "expect_column_values_to_be_between", **kwargs, **theirs)


SETS = st.one_of(
    st.lists(small | st.sampled_from([0.5, 1.0, 0.2]), min_size=1, max_size=4),
    st.lists(texts, min_size=1, max_size=4),
    st.lists(texts | st.none(), min_size=1, max_size=3),
)


@MANY
@given(
    frames(small, pl.Int64) | frames(st.integers(0, 5), pl.UInt64) | frames(reals, pl.Float64) | frames(texts, pl.String),
    SETS,
    mostly,
    st.sampled_from(["expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set"]),
)
def test_in_set(frame, value_set, mostly, kind):
    same(frame, kind, column="x", value_set=value_set, mostly=mostly)


@MANY
@given(frames(st.booleans(), pl.Boolean), st.lists(st.booleans(), min_size=1, max_size=2), mostly)
def test_truths_in_set(frame, value_set, mostly):
    same(frame, "expect_column_values_to_be_in_set", column="x", value_set=value_set, mostly=mostly)


@MANY
@given(frames(days, pl.Date) | frames(moments, pl.Datetime("us")), st.lists(days.map(str), min_size=1, max_size=3))
def test_dates_in_set(frame, value_set):
    same(frame, "expect_column_values_to_be_in_set", column="x", value_set=value_set)


@MANY
@given(
    frames(small, pl.Int64) | frames(reals, pl.Float64) | frames(texts, pl.String),
    SETS,
    st.integers(1, 12),
)
def test_distinct_values_in_set(frame, value_set, cut):
    same(frame, "expect_column_distinct_values_to_be_in_set", cut=cut, column="x", value_set=value_set)


PATTERNS = [
    "a", "^a", "a$", "^a$", r"\Aa\Z", "^[A-Z]{2}$", r"^\d+$", "^[0-9]+$", r"^\w+$", r"\s", r"\S+ \S+", r"[^\W_]", ".", "^.$",
    "a|^$", "(a|b)+$", "(?:a$|b$)", "^a?b*", "[^a]", "ä", r"^\D*$", "a{2,}|b{0,1}$", "", "日+", "x?DE", r"[\d_]$", "[-a]", r"\.",
]  # fmt: skip


@MANY
@given(
    frames(texts | st.text(alphabet="ab1 \n_é１\x1f", max_size=5), pl.String),
    st.sampled_from(PATTERNS),
    mostly,
    st.sampled_from(["expect_column_values_to_match_regex", "expect_column_values_to_not_match_regex"]),
)
def test_regex(frame, pattern, mostly, kind):
    same(frame, kind, column="x", regex=pattern, mostly=mostly)


@MANY
@given(
    frames(texts, pl.String),
    st.tuples(st.integers(0, 3) | st.none(), st.integers(1, 4) | st.none()).filter(
        lambda pair: pair != (None, None) and (None in pair or pair[0] <= pair[1])
    ),
    st.booleans(),
    mostly,
)
def test_lengths(frame, pair, strict, mostly):
    kwargs = {"min_value": pair[0], "max_value": pair[1], "strict_min": strict, "strict_max": strict, "mostly": mostly}
    same(frame, "expect_column_value_lengths_to_be_between", column="x", **kwargs)
    same(frame, "expect_column_value_lengths_to_equal", column="x", value=pair[0] or 1, mostly=mostly)


@MANY
@given(
    frames(small, pl.Int64) | frames(st.floats(-1e6, 1e6) | reals.filter(lambda x: x != 1e300), pl.Float64),
    bounds,
    st.booleans(),
)
def test_mean(frame, pair, strict):
    kwargs = {"column": "x", "min_value": pair[0], "max_value": pair[1], "strict_min": strict, "strict_max": strict}
    mine = ours(frame, "expect_column_mean_to_be_between", 3, **kwargs)
    theirs = real(frame, "expect_column_mean_to_be_between", **kwargs)
    a, b = mine["result"].get("observed_value"), theirs["result"]["observed_value"]
    if b is None or math.isinf(b):
        assert a is None
    else:
        assert a == pytest.approx(b, rel=1e-9, abs=1e-6)  # pandas rounds at every addition, we once
        near = [bound for bound in pair if bound is not None and abs(bound - b) < 1e-5 and bound != b]
        if near:
            return
    assert mine["success"] == theirs["success"]


@MANY
@given(frames(small, pl.Int64), st.integers(0, 6) | st.none(), st.integers(6, 12), st.booleans(), st.booleans())
def test_row_count(frame, low, high, strict_min, strict_max):
    kwargs = {"min_value": low, "max_value": high, "strict_min": strict_min, "strict_max": strict_max}
    mine, theirs = same(frame, "expect_table_row_count_to_be_between", **kwargs)
    assert mine["result"] == theirs["result"]
    same(frame, "expect_table_row_count_to_equal", value=high)


FRAME = pl.DataFrame({"a": [1], "b": [2], "c": [3]})


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("names", [["a", "b", "c"], ["c", "b", "a"], ["a"], ["a", "z"], []])
def test_columns(names, exact):
    mine, theirs = same(FRAME, "expect_table_columns_to_match_set", column_set=names, exact_match=exact)
    assert mine["result"] == theirs["result"]
    mine, theirs = same(FRAME, "expect_table_columns_to_match_ordered_list", column_list=names)
    assert mine["result"] == theirs["result"]


@pytest.mark.parametrize("index", [None, 0, 1, 2, 3, -1])
@pytest.mark.parametrize("name", ["a", "b", "z"])
def test_column_exists(name, index):
    same(FRAME, "expect_column_to_exist", column=name, column_index=index)


@pytest.mark.parametrize("count", [0, 3, 4])
def test_column_count(count):
    same(FRAME, "expect_table_column_count_to_equal", value=count)
    same(FRAME, "expect_table_column_count_to_be_between", min_value=count, max_value=3 if count < 4 else None)
