from __future__ import annotations

import polars as pl
import pytest
from babel import Locale

from datalab.kernels.countries import EU_LANGUAGES
from datalab.kernels.languagecodes import language, language_codes


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("de", "de"),
        ("GER", "de"),
        ("deu", "de"),
        ("de-AT", "de"),
        ("zh_Hans", "zh"),
        ("allemand", "de"),
        ("nds", "nds"),
        ("xx", None),
        ("", None),
    ],
)
def test_languages(text, code):
    assert language(text) == code


@pytest.mark.parametrize("place", EU_LANGUAGES)
def test_every_official_language_is_known_in_every_other(place):
    names = Locale.parse(place).languages
    assert [language(names[code]) for code in EU_LANGUAGES] == list(EU_LANGUAGES)


def test_columns_keep_nulls():
    assert language_codes(pl.Series("l", ["German", None, "?"])).to_list() == ["de", None, None]
