"""Check digits against python-stdnum, and on hostile cells."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import lei, luhn
from stdnum.iso7064 import mod_97_10

from datalab.kernels import checksums

HOSTILE = [
    "",
    " ",
    "0",
    "é" * 20,
    "x" * 100_000,
    "\0" * 20,
    "\uff15" * 16,
    "97\n",
    "529900T8BM49AURSDO55\n",
    "529900t8bm49aursdo54",
]
CELLS = st.lists(st.one_of(st.none(), st.sampled_from(HOSTILE), st.text("0123456789AZ", max_size=40)), max_size=30)


def test_known_identifiers():
    assert checksums.lei(pl.Series(["529900T8BM49AURSDO55", "529900T8BM49AURSDO54", None])).to_list() == [True, False, None]
    assert checksums.iban(
        pl.Series(["DE89370400440532013000", "DE88370400440532013000", "BE89370400440532013000"])
    ).to_list() == [
        True,
        False,
        False,
    ]
    assert checksums.card(pl.Series(["4111111111111111", "4111111111111112", "0" * 16])).to_list() == [True, False, False]


@given(CELLS)
def test_same_verdict_as_the_plain_reference(cells):
    column = pl.Series("c", cells, dtype=pl.String)
    ascii_digits = [None if c is None else c.isascii() and c.isdigit() and 2 <= len(c) <= 64 for c in cells]
    assert checksums.luhn(column).to_list() == [
        None if c is None else bool(ok and luhn.is_valid(c)) for c, ok in zip(cells, ascii_digits, strict=True)
    ]
    alnum = [None if c is None else c.isascii() and c.isalnum() and 2 <= len(c) <= 64 for c in cells]
    assert checksums.mod97(column).to_list() == [
        None if c is None else bool(ok and mod_97_10.is_valid(c)) for c, ok in zip(cells, alnum, strict=True)
    ]


@pytest.mark.parametrize("name", sorted(checksums.SCHEMES))
def test_hostile_and_empty_columns(name):
    check = checksums.SCHEMES[name]
    assert check(pl.Series("c", [], dtype=pl.String)).to_list() == []
    assert check(pl.Series("c", [None, None], dtype=pl.String)).to_list() == [None, None]
    assert not check(pl.Series("c", HOSTILE)).any()
    assert check(pl.Series("c", HOSTILE)).name == "c"


def test_made_identifiers_are_found_and_one_wrong_digit_is_not():
    draw = random.Random(5)
    bodies = ["".join(draw.choice("0123456789ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(18)) for _ in range(300)]
    good = [body + mod_97_10.calc_check_digits(body) for body in bodies]
    wrong = [code[:-1] + str((int(code[-1]) + 1) % 10) for code in good]
    assert checksums.lei(pl.Series(good)).all()
    assert all(lei.is_valid(code) for code in good)
    assert not checksums.lei(pl.Series(wrong)).any()


def test_every_country_takes_its_own_iban_length_only():
    for length, countries in checksums._IBAN_LENGTHS.items():
        for country in countries:
            body = "0" * (length - 4)
            code = country + mod_97_10.calc_check_digits(body + country) + body
            assert checksums.iban(pl.Series([code, code + "0"])).to_list() == [True, False]
