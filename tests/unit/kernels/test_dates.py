from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels.dates import dates, moments


def series(*values):
    return pl.Series("x", values, dtype=pl.String)


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


@given(st.dates(min_value=dt.date(1000, 1, 1)), st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y", "%Y%m%d"]))
def test_every_day_is_read_back(day, form):
    assert dates(series(day.strftime(form)), (form,))[0].to_list() == [day]


def test_days_that_do_not_exist_and_other_formats_do_not_fit():
    found, _ = dates(series("31.12.2020", "2020-02-30", "2021-01-02", "x", "", None), ("%Y-%m-%d", "%d.%m.%Y"))
    assert found.to_list() == [dt.date(2020, 12, 31), None, dt.date(2021, 1, 2), None, None, None]


def test_a_day_that_two_formats_read_differently_is_never_guessed():
    found, ambiguous = dates(series("01/02/2020", "13/02/2020", "02/02/2020"), ("%d/%m/%Y", "%m/%d/%Y"))
    assert found.to_list() == [None, dt.date(2020, 2, 13), dt.date(2020, 2, 2)]
    assert ambiguous.to_list() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-01-01T10:00:00Z", utc(2020, 1, 1, 10)),
        ("2020-01-01 10:00", utc(2020, 1, 1, 9)),
        ("2020-07-01T10:00:00.5+0200", utc(2020, 7, 1, 8, 0, 0, 500_000)),
        ("2020-07-01T10:00+02:00", utc(2020, 7, 1, 8)),
        ("2020-01-01", utc(2019, 12, 31, 23)),
        ("1.2.2020 14:30", utc(2020, 2, 1, 13, 30)),
        ("2020-03-29T02:30:00", None),
        ("2020-10-25T02:30:00", None),
        ("2020-13-01T00:00:00Z", None),
        ("soon", None),
    ],
)
def test_moments_are_utc(text, moment):
    found = moments(series(text), ("%d.%m.%Y %H:%M",), "Europe/Berlin")
    assert found.dtype == pl.Datetime("us", "UTC")
    assert found.to_list() == [moment]
