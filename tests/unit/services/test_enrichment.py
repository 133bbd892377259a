"""What enrichment adds, and what it refuses."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.services import cleaning as clean
from datalab.services import enrichment as enrich
from datalab.services.enrichment.countries import EEA, EU, REGIONS


class Lab:
    seed, part = 0, 0

    def __init__(self, **tables):
        self.tables = tables

    def reference(self, name):
        return self.tables[name]

    def secret(self, name):
        raise AssertionError


def enriched(step, frame, lab=None):
    """Apply ``step``; the outcome keeps rows and order, and has the schema that was promised."""
    bound = step.bind(frame.schema)
    outcome = step.apply(frame, lab)
    assert outcome.frame.schema == bound.schema
    assert outcome.frame.select(frame.columns).equals(frame)
    assert set(bound.derivations) == set(bound.schema) - set(frame.schema)
    assert step.apply(frame.head(0), lab).frame.schema == bound.schema
    return outcome


def test_language_with_confidence():
    texts = ["Alle Menschen sind frei und gleich an Würde geboren", "Daoine uile saor agus comhionann", "123", None]
    frame = enriched(enrich.Language("t"), pl.DataFrame({"t": texts})).frame
    assert frame["language"].to_list() == ["de", "ga", None, None]
    assert frame["language_confidence"].to_list()[2:] == [0.0, 0.0]
    assert frame["language_confidence"][0] > 0.5


def test_country_facts():
    frame = pl.DataFrame({"c": ["BE", "NO", "US", "ZZ", None, "be"]})
    outcome = enriched(enrich.CountryFacts("c"), frame)
    assert outcome.frame.row(0)[1:] == ("Belgium", True, True, "Europe", "EUR", ["nl", "fr", "de"])
    assert outcome.frame["country_eu_member"].to_list() == [True, False, False, None, None, None]
    assert outcome.frame["country_eea_member"].to_list()[:3] == [True, True, False]
    assert outcome.frame["country_currency"].to_list()[:3] == ["EUR", "NOK", "USD"]
    assert outcome.counts == {"unknown-country": 2}


def test_facts_are_those_of_a_day():
    bulgaria = pl.DataFrame({"c": ["BG", "HR"]})
    assert enriched(enrich.CountryFacts("c"), bulgaria).frame["country_currency"].to_list() == ["EUR", "EUR"]
    before = enrich.CountryFacts("c", as_of=dt.date(2022, 6, 1))
    assert enriched(before, bulgaria).frame["country_currency"].to_list() == ["BGN", "HRK"]


def test_every_country_lies_in_one_region():
    listed = " ".join(REGIONS.values()).split()
    assert len(listed) == len(set(listed))
    assert set(listed) ^ {country.alpha_2 for country in pycountry.countries} == {"AQ", "XK"}
    assert len(EU) == 27
    assert set(EEA) - set(EU) == {"IS", "LI", "NO"}


def test_signals_of_quality_are_columns_and_the_rule_comes_later():
    prose = "The committee met on Tuesday and agreed that the report should be published without delay. " * 6
    frame = pl.DataFrame({"t": [prose, "Too short.", None], "tag": ["en-GB", "en", None]})
    outcome = enriched(enrich.TextSignals("t", language="tag"), frame)
    assert outcome.dropped is None
    assert outcome.frame["t_words"].to_list() == [90.0, 2.0, None]
    assert outcome.frame["t_stop_words"].to_list() == [4.0, 0.0, None]
    rule = clean.TextQuality("t", language="tag", signals="t_")
    assert "t" not in rule.bind(outcome.frame.schema).reads
    reused = rule.apply(outcome.frame, None).dropped
    assert reused.to_list() == [None, "too-few-words", "no-text"]
    assert reused.equals(clean.TextQuality("t", language="tag").apply(frame, None).dropped)
    with pytest.raises(SchemaError):
        rule.bind(frame.schema)


def test_repetition_is_columns_and_the_rule_comes_later():
    frame = pl.DataFrame({"t": ["Buy now, buy cheap! " * 9, "Every word is new in this one.", None]})
    outcome = enriched(enrich.TextRepetition("t"), frame)
    assert outcome.dropped is None
    assert outcome.frame["t_top_2_words"].to_list() == [9 / 16, 0.0, None]  # "buy cheap!" as often as "Buy now,", and longer
    rule = clean.TextRepetition("t", signals="t_")
    assert "t" not in rule.bind(outcome.frame.schema).reads
    reused = rule.apply(outcome.frame, None).dropped
    assert reused.to_list() == ["top-2-words", None, None]
    assert reused.equals(clean.TextRepetition("t").apply(frame, None).dropped)
    with pytest.raises(SchemaError):
        rule.bind(frame.schema)


def test_text_statistics():
    frame = enriched(enrich.TextStatistics("t"), pl.DataFrame({"t": ["Two words. And three more!", None, ""]})).frame
    assert frame.row(0)[1:] == (26, 5, 2, 1, 4.4, 0.769, "Latn")
    assert frame["t_words"].to_list() == [5, None, 0]
    assert "words" in enriched(enrich.TextStatistics("t", prefix=""), pl.DataFrame({"t": ["x"]})).frame.columns


SECTORS = pl.DataFrame({"code": ["a", "b", None], "label": ["Alpha", "Beta", "none"], "size": ["1", "2", "3"]})


def test_join_keeps_every_row_once_and_in_order():
    step = enrich.Join("sectors", on={"k": "code"}, columns={"sector": "label", "n": "size"}, types={"n": pl.Int64})
    frame = pl.DataFrame({"k": ["b", "x", None, "a", "b"]})
    outcome = enriched(step, frame, Lab(sectors=SECTORS))
    assert outcome.frame["sector"].to_list() == ["Beta", None, None, "Alpha", "Beta"]
    assert outcome.frame["n"].to_list() == [2, None, None, 1, 2]
    assert outcome.dropped is None
    assert outcome.counts == {"entries-found": 3}


@pytest.mark.parametrize("missing", ["drop", "quarantine"])
def test_join_can_refuse_rows_without_an_entry(missing):
    step = enrich.Join("s", on="code", columns=["label"], missing=missing)
    outcome = enriched(step, pl.DataFrame({"code": ["a", "x"]}), Lab(s=SECTORS))
    told = outcome.dropped if missing == "drop" else outcome.quarantined
    assert told.to_list() == [None, "not-in-reference"]


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=8))
def test_join_equals_a_dictionary(keys):
    step = enrich.Join("s", on="code", columns=["label"])
    found = step.apply(pl.DataFrame({"code": keys}, schema={"code": pl.String}), Lab(s=SECTORS)).frame["label"]
    assert found.to_list() == [{"a": "Alpha", "b": "Beta"}.get(key) for key in keys]


def test_a_repeated_key_in_the_reference_is_an_error_even_where_no_row_meets_it():
    twice = pl.concat([SECTORS, SECTORS.head(1)])
    step = enrich.Join("sectors", on="code", columns=["label"])
    with pytest.raises(UsageError, match="'sectors' holds 1 entries"):
        step.apply(pl.DataFrame({"code": ["b"]}), Lab(sectors=twice))


def test_join_with_a_wrong_reference_is_an_error_that_names_it():
    frame = pl.DataFrame({"code": ["a"]})
    with pytest.raises(SchemaError, match="did you mean 'label'") as caught:
        enrich.Join("sectors", on="code", columns=["lable"]).apply(frame, Lab(sectors=SECTORS))
    assert "sectors" in str(caught.value)
    with pytest.raises(SchemaError, match="does not hold"):
        enrich.Join("s", on="code", columns=["label"], types={"label": pl.Int64}).apply(frame, Lab(s=SECTORS))
    for wrong in ({"columns": []}, {"columns": ["x"], "types": {"y": pl.Int8}}, {"columns": ["x"], "missing": "explode"}):
        with pytest.raises(UsageError):
            enrich.Join("s", on="code", **wrong)


def test_age_in_years_and_in_bands():
    births = [dt.date(2000, 2, 29), dt.date(2006, 11, 22), dt.date(1950, 1, 1), None, dt.date(2030, 1, 1)]
    frame = pl.DataFrame({"birth": births})
    outcome = enriched(enrich.Age("birth", at=dt.date(2024, 11, 21)), frame)
    assert outcome.frame["age"].to_list() == [24, 17, 74, None, None]
    assert outcome.counts == {"before-birth": 1}
    banded = enriched(enrich.Age("birth", at=dt.date(2024, 11, 21), into="band", bands=(0, 18, 65)), frame)
    assert banded.frame["band"].to_list() == ["18-64", "0-17", "65+", None, None]


@given(st.dates(dt.date(1900, 1, 1)), st.dates(dt.date(1900, 1, 1)))
def test_age_follows_the_calendar(birth, at):
    frame = pl.DataFrame({"b": [birth], "d": [at]})
    years = at.year - birth.year - ((at.month, at.day) < (birth.month, birth.day))
    assert enrich.Age("b", at="d").apply(frame, None).frame["age"].item() == (years if years >= 0 else None)


@pytest.mark.parametrize(
    ("step", "schema"),
    [
        (enrich.Language("t"), {"t": pl.Int8}),
        (enrich.Language("t"), {"t": pl.String, "language": pl.String}),
        (enrich.CountryFacts("c"), {"c": pl.String, "country_name": pl.String}),
        (enrich.Age("b", at="d"), {"b": pl.Date, "d": pl.String}),
        (enrich.Join("s", on="k", columns=["k2"]), {"k": pl.String, "k2": pl.String}),
        (enrich.TextStatistics("tex"), {"text": pl.String}),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(step, schema):
    with pytest.raises(SchemaError) as caught:
        step.bind(pl.Schema(schema))
    assert step.name in str(caught.value)
    assert not isinstance(caught.value, NotFound)


def test_bands_ascend():
    with pytest.raises(UsageError):
        enrich.Age("b", at=dt.date(2024, 1, 1), bands=(18, 0))
