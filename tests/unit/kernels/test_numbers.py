# ruff: noqa: RUF001 - Greek words
from __future__ import annotations

import re
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels.numbers import FALSE_WORDS, TRUE_WORDS, booleans, decimals, floats, integers, misfits


def series(*values):
    return pl.Series("x", values, dtype=pl.String)


def reference(text, decimal, thousands):
    """Read one number, plainly."""
    text = text.strip().replace("\u2212", "-")
    whole, mark, fraction = text.partition(decimal)
    groups = whole.lstrip("+-").split(thousands) if thousands else [whole.lstrip("+-")]
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
        return None
    digits = "".join(groups)
    if not re.fullmatch("[0-9]*", digits) or (mark and not re.fullmatch("[0-9]+", fraction)) or not (digits or fraction):
        return None
    if not re.fullmatch("[+-]?", whole[: len(whole) - len(whole.lstrip("+-"))]):
        return None
    return float(f"{'-' if text.startswith('-') else ''}{digits or '0'}.{fraction or '0'}")


@given(
    st.lists(st.text("0123456789.,- +x", max_size=12), max_size=30),
    st.sampled_from([(",", "."), (".", ","), (".", ""), (",", " "), (".", "'")]),
)
def test_floats_are_what_the_reference_reads(values, notation):
    decimal, thousands = notation
    found = floats(series(*values), decimal=decimal, thousands=thousands)
    assert found.to_list() == [reference(value, decimal, thousands) for value in values]


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "number"),
    [
        ("1.234,56", ",", ".", 1234.56),
        ("1 234,56", ",", " ", 1234.56),
        ("1\u202f234\u00a0567,5", ",", " ", 1234567.5),
        ("1'234.50", ".", "'", 1234.5),
        ("\u22125", ".", "", -5.0),
        (" 7 ", ".", "", 7.0),
        ("1e3", ".", "", 1000.0),
        ("1.23,4", ",", ".", None),
        ("1,234.5", ",", ".", None),
        ("1e999", ".", "", None),
        ("nan", ".", "", None),
        ("\u0663", ".", "", None),
        ("", ".", "", None),
    ],
)
def test_notations(text, decimal, thousands, number):
    assert floats(series(text), decimal=decimal, thousands=thousands).to_list() == [number]


def test_integers_take_no_fraction_and_no_overflow():
    found = integers(
        series("1.234", "12", "1,5", "9223372036854775807", "9223372036854775808", "+7", "007", None),
        decimal=",",
        thousands=".",
    )
    assert found.to_list() == [1234, 12, None, 2**63 - 1, None, 7, 7, None]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_decimals_are_exact_or_refused(value):
    (found,) = decimals(series(str(value)), 12, 2).to_list()
    assert found == (value if value == value.quantize(Decimal("0.01")) else None)


def test_decimals_never_round():
    found = decimals(series("0,1", "1,234", "1,230", ",5", "-,5", "12345678901,00", "1e3"), 12, 2, decimal=",")
    assert found.to_list() == [Decimal("0.10"), None, Decimal("1.23"), Decimal("0.50"), Decimal("-0.50"), None, None]
    assert found.dtype == pl.Decimal(12, 2)


def test_yes_and_no():
    assert booleans(series("Ja", "nein", "ΝΑΙ", "Όχι", "TRUE", "0", "ano", "maybe", None)).to_list() == [
        True,
        False,
        True,
        False,
        True,
        False,
        True,
        None,
        None,
    ]
    assert not TRUE_WORDS & FALSE_WORDS


def test_blank_is_no_misfit():
    text = series("1", "x", "", "  ", None)
    assert misfits(text, integers(text)).to_list() == [False, True, False, False, False]
