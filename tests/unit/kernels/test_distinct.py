"""Work on distinct values gives what work on all values gives."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels.distinct import distinct, over_distinct, repeats

VALUES = st.lists(st.none() | st.sampled_from(["", "a", "A", "ß", "a longer value \n", "\0"]), max_size=200)


@given(VALUES)
def test_taken_apart_and_together_again(values):
    column = pl.Series("c", values, dtype=pl.String)
    apart = distinct(column)
    assert apart.spread(apart.values).equals(column, check_names=True)
    assert apart.values.to_list() == list(dict.fromkeys(values))
    assert apart.rows(apart.values == "a") == values.count("a")


@given(VALUES)
def test_the_result_is_that_of_all_values(values):
    column = pl.Series("c", values, dtype=pl.String)
    assert over_distinct(column, lambda text: text.str.to_uppercase()).equals(column.str.to_uppercase(), check_names=True)
    upper, length = over_distinct(column, lambda text: (text.str.to_uppercase(), text.str.len_bytes()))
    assert upper.equals(column.str.to_uppercase())
    assert length.equals(column.str.len_bytes())


def test_only_repeated_values_are_worked_on_once():
    seen = []
    over_distinct(pl.Series(["a", None] * 5000), lambda text: seen.append(len(text)) or text)
    over_distinct(pl.Series([str(number) for number in range(5000)]), lambda text: seen.append(len(text)) or text)
    over_distinct(pl.Series(["a"] * 10), lambda text: seen.append(len(text)) or text)
    assert seen == [2, 5000, 10]


def test_a_beginning_of_repeats_does_not_mislead():
    assert not repeats(pl.Series(["same"] * 4000 + [str(number) for number in range(40_000)]))
    assert repeats(pl.Series([str(number % 100) for number in range(40_000)]))
    assert not repeats(pl.Series([], dtype=pl.String))
