from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.quality.sums import Sum, exact_sum

finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None)
@given(st.lists(finite, max_size=30))
def test_a_sum_of_floats_is_the_exact_one(values):
    assert exact_sum(pl.Series(values, dtype=pl.Float64)).total == sum(map(Fraction, values), Fraction(0))


@settings(max_examples=100, deadline=None)
@given(st.lists(finite, max_size=30), st.integers(1, 10), st.randoms())
def test_neither_cut_nor_order_shows(values, cut, random):
    column = pl.Series(values, dtype=pl.Float64)
    pieces = [exact_sum(column[start : start + cut]) for start in range(0, len(values), cut)]
    random.shuffle(pieces)
    assert Sum.together(Sum.from_json(piece.as_json()) for piece in pieces) == exact_sum(column)


@settings(max_examples=50, deadline=None)
@given(st.lists(finite.filter(lambda x: abs(x) < 1e300), min_size=1, max_size=30))
def test_the_mean_is_rounded_once(values):
    assert exact_sum(pl.Series(values)).mean == float(sum(map(Fraction, values), Fraction(0)) / len(values))


def test_nulls_and_nan_are_left_out():
    assert exact_sum(pl.Series([None, 1.5, math.nan, 0.5])) == Sum(2, Fraction(2))


def test_integers_do_not_overflow():
    assert exact_sum(pl.Series([2**63 - 1] * 4)).total == 4 * (2**63 - 1)
    assert exact_sum(pl.Series([2**64 - 1, 1], dtype=pl.UInt64)).mean == 2.0**63


def test_infinities_follow_ieee():
    assert exact_sum(pl.Series([math.inf, 1.0])).mean == math.inf
    assert exact_sum(pl.Series([-math.inf, 1.0])).mean == -math.inf
    assert exact_sum(pl.Series([-math.inf, math.inf])).mean is None
    assert exact_sum(pl.Series([1.7e308, 1.7e308])).mean == 1.7e308  # no overflow on the way
    assert exact_sum(pl.Series([], dtype=pl.Float64)).mean is None


def test_blocks_of_many_rows():
    values = np.full(5_000_000, 0.1)
    assert exact_sum(pl.Series(values)).total == Fraction(0.1) * 5_000_000
