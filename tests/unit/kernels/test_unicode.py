from __future__ import annotations

import re
import sys
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels import unicode
from datalab.kernels.unicode import (
    CONTROLS,
    NFC_RELEVANT,
    WHITE_SPACE,
    collapse_spaces_in_lines,
    collapse_white_space,
    nfc,
    remove_controls,
)

ALL = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
text = st.text(
    st.characters(exclude_categories=("Cs", "Cn"))
    | st.sampled_from(["\u0301", "\u0327", "\u1161", "\u11a8", "\u212b", *WHITE_SPACE, "\x01", "e", "가"])
)


def listed():
    points = set()
    for item in NFC_RELEVANT.split():
        first, _, last = item.partition("-")
        points |= set(range(int(first, 16), int(last or first, 16) + 1))
    return points


def relevant_by_unicodedata():
    """NFC_Quick_Check = No or Maybe, or a combining class: from the decompositions (UAX #15)."""
    points = {ord(char) for char in ALL if unicodedata.combining(char) or not unicodedata.is_normalized("NFC", char)}
    for char in ALL:
        parts = unicodedata.normalize("NFD", char)
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == char:
            points |= {ord(part) for part in parts[1:]}
    return points


def test_the_mask_holds_every_relevant_code_point_and_no_common_letter():
    relevant = relevant_by_unicodedata()
    assert relevant <= listed()
    assert not any(unicodedata.category(chr(point)) != "Cn" for point in listed() - relevant)


def test_nfc_of_every_code_point_alone_and_after_a_letter():
    assigned = [char for char in ALL if unicodedata.category(char) != "Cn"]
    for prefix in ("", "a", "\u1100", "a\u0345"):
        series = pl.Series([prefix + char for char in assigned])
        wanted = pl.Series([unicodedata.normalize("NFC", value) for value in series.to_list()])
        found, changed = nfc(series)
        assert found.equals(wanted)
        assert changed == (series != wanted).sum()


@given(st.lists(text | st.none(), max_size=20))
def test_nfc_is_what_unicodedata_says(values):
    found, _ = nfc(pl.Series("t", values, dtype=pl.String))
    assert found.to_list() == [None if value is None else unicodedata.normalize("NFC", value) for value in values]
    assert found.name == "t"


@given(st.lists(text | st.none(), max_size=20))
def test_white_space_is_collapsed_as_the_reference_does(values):
    found, changed = collapse_white_space(pl.Series(values, dtype=pl.String))
    space = f"[{WHITE_SPACE}]+"
    wanted = [None if value is None else re.sub(space, " ", value).strip(" ") for value in values]
    assert found.to_list() == wanted
    assert changed == sum(left != right for left, right in zip(values, wanted, strict=True))


def test_white_space_is_the_property_of_the_regex_engine():
    series = pl.Series(ALL)
    assert set(series.filter(series.str.contains(r"\s"))) == set(WHITE_SPACE)


def test_controls_are_what_unicode_calls_so_less_white_space():
    series = pl.Series(ALL)
    wanted = {char for char in ALL if unicodedata.category(char) == "Cc" and char not in WHITE_SPACE} | {"\ufeff"}
    assert set(series.filter(series.str.contains(CONTROLS))) == wanted
    assert remove_controls(pl.Series(["a\x00b\ufeff", "\t", None]))[0].to_list() == ["ab", "\t", None]


@pytest.mark.parametrize(
    ("raw", "clean"), [(" a \r\n\r\n\n\n b\u00a0 c ", "a\n\nb c"), ("a\u2028b\x0bc", "a\nb\nc"), ("\n", ""), ("a b", "a b")]
)
def test_line_breaks_can_stay(raw, clean):
    assert collapse_spaces_in_lines(pl.Series([raw]))[0].to_list() == [clean]


@given(st.lists(text | st.none(), max_size=8), st.integers(1, 9))
def test_masks_do_not_depend_on_the_block(values, block):
    series = pl.Series(values, dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unicode, "_BLOCK", block)
        assert nfc(series)[0].to_list() == [value and unicodedata.normalize("NFC", value) for value in values]
        assert remove_controls(series)[0].equals(series.str.replace_all(CONTROLS, ""))


@given(st.lists(text | st.none(), max_size=20))
def test_white_space_in_lines_is_collapsed_as_the_plain_patterns_do(values):
    series = pl.Series(values, dtype=pl.String)
    breaks, spaces = (
        r"\r\n|[\r\x0b\x0c\u{85}\u{2028}\u{2029}]",
        r"[\t \u{a0}\u{1680}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]+",
    )
    plain = series.str.replace_all(breaks, "\n").str.replace_all(spaces, " ").str.replace_all(r" ?\n ?", "\n")
    wanted = plain.str.replace_all(r"\n{3,}", "\n\n").str.strip_chars(WHITE_SPACE)
    found, changed = collapse_spaces_in_lines(series)
    assert found.equals(wanted)
    assert changed == (series != wanted).sum()


@given(text)
def test_all_kernels_are_idempotent(value):
    for kernel in (nfc, collapse_white_space, collapse_spaces_in_lines, remove_controls):
        once, _ = kernel(pl.Series([value]))
        assert kernel(once)[1] == 0
