"""From counts to success: Great Expectations' rules for when an expectation is met (its version 1.24)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from datalab.quality.result import CheckResult
from datalab.quality.suite import Expectation
from datalab.quality.sums import Sum


def judge(
    expectation: Expectation,
    columns: Sequence[str],
    *,
    rows: int,
    missing: int | None,
    unexpected: int,
    total: Sum,
    examples: Sequence[Any] = (),
) -> CheckResult:
    """Judge one expectation over a table of ``rows`` rows and ``columns``.

    ``missing`` is None for the expectations that do not leave missing values out (those about nulls); ``total`` is the sum of the
    column where a mean is asked.
    """
    kind = expectation.type
    if kind.startswith("expect_table_") or kind == "expect_column_to_exist":
        return _table(expectation, columns, rows)
    if kind == "expect_column_mean_to_be_between":
        return _mean(expectation, total)
    if kind == "expect_column_distinct_values_to_be_in_set":
        return CheckResult(expectation, unexpected == 0, expectation.severity, unexpected_count=unexpected)
    considered = rows - (missing or 0)
    mostly = expectation.kwargs.get("mostly")
    return CheckResult(
        expectation,
        _mostly(considered, unexpected, 1 if mostly is None else mostly),
        expectation.severity,
        element_count=rows,
        unexpected_count=unexpected,
        missing_count=missing,
        examples=tuple(examples),
    )


def _mostly(considered: int, unexpected: int, mostly: float) -> bool:
    """Vacuously true without values; else the same division of floats that Great Expectations makes."""
    return considered == 0 or (float(considered) - float(unexpected)) / float(considered) >= mostly


def _mean(expectation: Expectation, total: Sum) -> CheckResult:
    mean = total.mean
    success = mean is not None and _inside(mean, expectation.kwargs)
    observed = "" if mean is None or mean in {float("inf"), float("-inf")} else json.dumps(mean)
    return CheckResult(expectation, success, expectation.severity, observed=observed)


def _table(expectation: Expectation, columns: Sequence[str], rows: int) -> CheckResult:
    kind, kwargs = expectation.type, expectation.kwargs
    success, observed = False, ""
    details: Mapping[str, Any] = {}
    if kind == "expect_column_to_exist":
        success = _exists(kwargs["column"], kwargs.get("column_index"), columns)
    elif kind.startswith(("expect_table_row_count", "expect_table_column_count")):
        count = rows if "row_count" in kind else len(columns)
        success = count == kwargs["value"] if "value" in kwargs else _inside(count, kwargs)
        observed = json.dumps(count)
    elif kind == "expect_table_columns_to_match_set":
        success, details = _match_set(kwargs, columns)
        observed = json.dumps(sorted(columns))
    else:
        success, details = _match_list(kwargs.get("column_list"), columns)
        observed = json.dumps(list(columns))
    return CheckResult(expectation, success, expectation.severity, observed=observed, details=details)


def _exists(column: str, index: int | None, columns: Sequence[str]) -> bool:
    """Great Expectations takes an index of 0 for no index."""
    if not index:
        return column in columns
    return -len(columns) <= index < len(columns) and columns[index] == column


def _match_set(kwargs: Mapping[str, Any], columns: Sequence[str]) -> tuple[bool, dict[str, Any]]:
    expected = set(kwargs.get("column_set") or ())
    more, fewer = sorted(set(columns) - expected), sorted(expected - set(columns))
    exact = kwargs.get("exact_match", True)
    mismatched = {**({"unexpected": more} if more else {}), **({"missing": fewer} if fewer else {})}
    if not mismatched:
        return True, {}
    return not exact and not fewer, {"mismatched": mismatched}


def _match_list(expected: Sequence[str] | None, columns: Sequence[str]) -> tuple[bool, dict[str, Any]]:
    if expected is None or list(expected) == list(columns):
        return True, {}
    longest = max(len(expected), len(columns))
    wanted = [*expected, *[None] * (longest - len(expected))]
    found = [*columns, *[None] * (longest - len(columns))]
    mismatched = [
        {"Expected Column Position": place, "Expected": want, "Found": have}
        for place, (want, have) in enumerate(zip(wanted, found, strict=True))
        if want != have
    ]
    return False, {"mismatched": mismatched}


def _inside(value: float, kwargs: Mapping[str, Any]) -> bool:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = low is None or (value > low if kwargs.get("strict_min") else value >= low)
    below = high is None or (value < high if kwargs.get("strict_max") else value <= high)
    return bool(above and below)
