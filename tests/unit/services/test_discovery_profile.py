from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from datalab.services.discovery import SMALL_CELL, merge_profiles, profile_batch


def frame(**counts: int) -> pl.DataFrame:
    return pl.DataFrame({"city": [value for value, number in counts.items() for _ in range(number)]})


def test_categories_are_counted_and_small_cells_are_not_shown():
    profile = merge_profiles([profile_batch(frame(Bonn=50, Gent=20, Riga=3, Oslo=2))])

    assert profile.columns["city"]["categories"] == [["Bonn", 50], ["Gent", 20]]
    assert profile.columns["city"]["suppressed"] == 5


def test_a_single_small_cell_takes_the_next_one_with_it():
    profile = merge_profiles([profile_batch(frame(Bonn=50, Gent=20, Riga=3))])

    assert profile.columns["city"]["categories"] == [["Bonn", 50]]
    assert profile.columns["city"]["suppressed"] == 23


def test_a_column_of_many_values_has_no_categories():
    profile = merge_profiles([profile_batch(pl.DataFrame({"id": [f"x{n}" for n in range(500)]}))])

    assert profile.columns["id"] == {"type": "String", "rows": 500, "nulls": 0, "categories": [], "suppressed": 0}


def test_nothing_at_all():
    assert merge_profiles([]).as_json() == {"rows": 0, "columns": {}}
    assert merge_profiles([profile_batch(frame())]).columns["city"]["categories"] == []


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=200), st.integers(1, 50))
def test_the_cut_into_batches_does_not_show(values, size):
    whole = pl.DataFrame({"v": pl.Series(values, dtype=pl.String)})
    cut = [whole.slice(start, size) for start in range(0, max(1, whole.height), size)]

    assert merge_profiles(map(profile_batch, cut)) == merge_profiles([profile_batch(whole)])


@given(st.lists(st.sampled_from("abcdef"), max_size=300))
def test_no_small_cell_is_ever_shown_or_computable(values):
    column = merge_profiles([profile_batch(pl.DataFrame({"v": pl.Series(values, dtype=pl.String)}))]).columns["v"]

    assert all(number >= SMALL_CELL for _, number in column["categories"])
    shown = {value for value, _ in column["categories"]}
    hidden = [value for value in set(values) if value not in shown]
    assert not column["categories"] or len(hidden) != 1
