"""Classes of characters: what the regex engine says of each code point, found at its bytes."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl

from datalab.kernels import characters


def test_every_character_has_the_classes_of_the_regex_engine():
    every = [chr(point) for point in range(0x80, sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    data = np.frombuffer("".join(every).encode() + bytes(8), dtype=np.uint8)
    places = characters.beyond_ascii(data)
    assert len(places) == len(every)
    kinds = pl.Series(characters.classes_at(data, places))
    column = pl.Series(every)
    for bit, pattern in (
        (characters.LETTER, r"\p{L}"),
        (characters.LATIN, r"\p{Latin}"),
        (characters.GREEK, r"\p{Greek}"),
        (characters.CYRILLIC, r"\p{Cyrillic}"),
        (characters.UNSPACED, r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"),
    ):
        assert ((kinds & bit) > 0).equals(column.str.contains(pattern))


def test_ascii_letters():
    data = np.arange(256, dtype=np.uint8)
    assert bytes(data[characters.ascii_letters(data)]).decode() == "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_no_character_beyond_ascii():
    data = np.zeros(8, dtype=np.uint8)
    assert len(characters.classes_at(data, characters.beyond_ascii(data))) == 0
