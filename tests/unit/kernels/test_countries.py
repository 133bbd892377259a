from __future__ import annotations

import polars as pl
import pytest
from babel import Locale

from datalab.kernels.countries import EU_LANGUAGES, country, country_codes

EU = [
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("de", "DE"),
        ("DEU", "DE"),
        ("276", "DE"),
        ("Allemagne", "DE"),
        ("ΓΕΡΜΑΝΙΑ", "DE"),
        ("OSTERREICH", "AT"),
        ("US-DE", "US"),
        ("EL", "GR"),
        ("UK", "GB"),
        ("The Netherlands", "NL"),
        ("Korea, Republic of", "KR"),
        ("Republic of Korea", "KR"),
        ("Côte d\u2019Ivoire", "CI"),
        ("Czech Republic", "CZ"),
        ("Bosnia & Herzegovina", "BA"),
        ("Niger", "NE"),
        ("Kosovo", "XK"),
        ("Yugoslavia", None),
        ("YU", None),
        ("ZZ-99", None),
        ("nowhere", None),
        ("", None),
    ],
)
def test_countries(text, code):
    assert country(text) == code


@pytest.mark.parametrize("language", EU_LANGUAGES)
def test_every_member_state_is_known_in_every_official_language(language):
    names = Locale.parse(language).territories
    assert [country(names[code]) for code in EU] == EU


def test_columns_keep_nulls_and_choose_the_form():
    column = pl.Series("c", ["Deutschland", None, "zz", "Kosovo"])
    assert country_codes(column).to_list() == ["DE", None, None, "XK"]
    assert country_codes(column, "alpha-3").to_list() == ["DEU", None, None, "XKX"]
    assert country_codes(column, "name").to_list() == ["Germany", None, None, "Kosovo"]
    assert country_codes(pl.Series("c", [None], dtype=pl.String)).to_list() == [None]
