from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.services.scrubbing.catalogue import EMAIL, IP, PHONE
from datalab.services.scrubbing.detect import find
from datalab.services.scrubbing.possible import may_hold
from datalab.services.scrubbing.scanning import scan


def wide(text: str) -> str:
    """Return ``text`` in the forms of full width."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


PIECES = st.sampled_from(
    [*"01.:@5 \n", "192", "168", "::", "fe80", "ffff", "anna", "example", "eu", "\\n", "ß", "ж", "\u200b", "\u00ad"]
    + [wide(letter) for letter in "21.:@"]
    + ["10.0.0.1", "a@b.eu", "fe80::1", "v1.2"]
)
TEXTS = st.lists(st.one_of(st.none(), st.lists(PIECES, max_size=24).map("".join)), max_size=8)


@settings(max_examples=300)
@given(TEXTS)
def test_a_row_that_holds_one_is_never_passed_over(texts: list[str | None]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    for wanted in ([EMAIL], [IP], [EMAIL, IP]):
        everywhere = Counter(span.kind for span in find(series, entities=wanted).spans)
        assert scan(series, wanted) == dict(sorted(everywhere.items()))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "192.168.10.20",
        wide("192.168.10.20"),
        "192.168.\u200b10.20",
        "fe80::1",
        "2001:db8:0:0:0:0:0:1",
        "anna@example.eu",
    ],
)
def test_addresses_in_every_form_are_possible(text: str) -> None:
    assert may_hold(pl.Series([f"to {text} please", "nothing"]), [EMAIL, IP]).to_list() == [True, False]


def test_most_texts_are_ruled_out() -> None:
    texts = pl.Series(["Version 1.2 of 10.10.2020?", "at 12:30 o'clock", "3.14 is not 2.72", "", None])
    assert may_hold(texts, [EMAIL, IP]).to_list() == [False] * 5


def test_nothing_is_ruled_out_for_other_kinds() -> None:
    assert may_hold(pl.Series(["a"]), [EMAIL, PHONE]) is None
    assert may_hold(pl.Series(["a"]), []) is None
