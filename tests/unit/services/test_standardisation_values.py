# ruff: noqa: RUF001 - names in many scripts
from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import SchemaError, UsageError
from datalab.kernels.distinct import over_distinct
from datalab.model.canonical import describe, digest
from datalab.services import standardisation as standardise
from datalab.services.standardisation.names import organisation, person


def apply(step, *values, column="x"):
    height = len(values)
    identity = {"_dl_source": pl.Series([0] * height, dtype=pl.UInt32), "_dl_row": pl.Series(range(height), dtype=pl.UInt64)}
    data = pl.DataFrame({**identity, column: pl.Series(values, dtype=pl.String)})
    bound = step.bind(pl.Schema({column: pl.String()}))
    outcome = step.apply(data, None)
    assert outcome.frame.drop(list(identity)).schema == bound.schema
    assert outcome.frame.select(list(identity)).equals(data.select(list(identity)))
    assert data[column].to_list() == list(values)
    return outcome


def values(outcome):
    return outcome.frame[outcome.frame.columns[-1]].to_list()


def test_text_is_repaired_and_counted():
    outcome = apply(standardise.Text("x"), "a\u0301  b", "ok", "x\x01", " t ", None)
    assert values(outcome) == ["á b", "ok", "x", "t", None]
    assert outcome.counts == {"controls-removed": 1, "normalised-nfc": 1, "white-space-collapsed": 2}
    assert values(apply(standardise.Text("x", lines=True), "a \n b")) == ["a\nb"]


def test_values_that_repeat_are_repaired_once_and_counted_each():
    frame = pl.DataFrame({"t": [" a  b ", "e\u0301", None, "plain"] * 100})
    outcome = standardise.Text("t").apply(frame, None)
    assert outcome.frame["t"].to_list() == ["a b", "é", None, "plain"] * 100
    assert outcome.counts == {"normalised-nfc": 100, "white-space-collapsed": 100}


def test_encoding_is_repaired_and_counted():
    outcome = apply(standardise.Encoding("x"), "cafÃ©", "ok", "\ufffd", None)
    assert values(outcome) == ["café", "ok", "\ufffd", None]
    assert outcome.counts == {"mojibake-repaired": 1, "mojibake-left": 1}


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("MÜLLER & SÖHNE GMBH & CO. KG", "Müller & Söhne GmbH & Co. KG"),
        ("SOCIETÀ ITALIANA S.P.A.", "Società Italiana S.p.A."),
        ("SPÓŁKA Z O.O.", "Spółka z o.o."),
        ("A.B. CONSULTING S.R.O.", "A.B. Consulting s.r.o."),
        ("BANK OF IRELAND PLC", "Bank of Ireland PLC"),
        ("AS TALLINK GRUPP", "AS Tallink Grupp"),
        ("3M DEUTSCHLAND GMBH", "3M Deutschland GmbH"),
        ("KPMG AG", "KPMG AG"),
        ("L'OREAL SA", "L'Oreal SA"),
        ("CHILDREN'S FUND", "Children's Fund"),
        ("ΕΘΝΙΚΗ ΤΡΑΠΕΖΑ ΤΗΣ ΕΛΛΑΔΟΣ Α.Ε.", "Εθνικη Τραπεζα της Ελλαδος Α.Ε."),
        ("acme holdings ltd", "Acme Holdings Ltd"),
        ("McDonald's iPhone shop Ltd", "McDonald's iPhone shop Ltd"),
        ("", ""),
    ],
)
def test_organisations(raw, form):
    assert organisation(raw) == form
    assert organisation(form) == form


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("DUPONT Jean", "Dupont Jean"),
        ("O'BRIEN, MARY", "O'Brien, Mary"),
        ("jean-luc picard", "Jean-Luc Picard"),
        ("LUDWIG VAN BEETHOVEN", "Ludwig van Beethoven"),
        ("J.R.R. TOLKIEN", "J.R.R. Tolkien"),
        ("JOHN MCDONALD III", "John McDonald III"),
        ("Maria de la Cruz", "Maria de la Cruz"),
    ],
)
def test_persons(raw, form):
    assert person(raw) == form


def test_names_lose_quotes_around_them_and_are_counted():
    outcome = apply(standardise.Names("x"), "«TOTO  LTD»", "„Muster“ AG", "Plain Ltd", None)
    assert values(outcome) == ["Toto Ltd", '"Muster" AG', "Plain Ltd", None]
    assert outcome.counts == {"names-changed": 2}


def test_types_in_european_notation():
    price = standardise.Types({"x": "decimal(10,2)"}, decimal=",", thousands=".")
    outcome = apply(price, "1.234,56", "12", "", None)
    assert values(outcome) == [Decimal("1234.56"), Decimal("12.00"), None, None]
    assert outcome.quarantined is None
    assert values(apply(standardise.Types({"x": "date"}, dates="%d.%m.%Y"), "31.1.2020")) == [dt.date(2020, 1, 31)]
    assert values(apply(standardise.Types({"x": "timestamp"}), "2020-01-01T00:00:00+01:00")) == [
        dt.datetime(2019, 12, 31, 23, tzinfo=dt.UTC)
    ]
    assert values(apply(standardise.Types({"x": "boolean"}), "Oui", "nein")) == [True, False]


def test_a_value_that_does_not_fit_is_quarantined_with_its_column():
    outcome = apply(standardise.Types({"Unit price": "integer"}), "12", "1,5", None, column="Unit price")
    assert outcome.quarantined.to_list() == [None, "type-unit-price", None]


def test_or_becomes_null_and_is_counted():
    outcome = apply(standardise.Types({"x": "integer"}, on_error="null"), *["12", "x"] * 100)
    assert (outcome.quarantined, outcome.counts) == (None, {"type-x": 100})
    assert values(outcome)[:2] == [12, None]


def test_typed_columns_are_only_widened():
    step = standardise.Types({"x": "float"})
    assert step.bind(pl.Schema({"x": pl.Int64()})).schema == pl.Schema({"x": pl.Float64()})
    with pytest.raises(SchemaError, match="cannot become"):
        step.bind(pl.Schema({"x": pl.Date()}))


@pytest.mark.parametrize(
    "arguments",
    [
        {"columns": {"x": "number"}},
        {"columns": {"x": "decimal(2,3)"}},
        {"columns": {"x": "float"}, "decimal": ",", "thousands": ","},
        {"columns": {"x": "date"}, "dates": ("dd.mm.yyyy",)},
        {"columns": {"x": "timestamp"}, "zone": "Europe/Nowhere"},
        {"columns": {"x": "float"}, "on_error": "ignore"},
    ],
)
def test_wrong_declarations_are_refused_at_once(arguments):
    with pytest.raises(UsageError):
        standardise.Types(**arguments)


def test_countries_and_languages():
    outcome = apply(standardise.Countries("x"), "Deutschland", "zz", None, "")
    assert values(outcome) == ["DE", None, None, None]
    assert outcome.counts == {"country-x": 1}
    outcome = apply(standardise.Countries("x", to="alpha-3", on_unknown="quarantine"), "Frankreich", "zz")
    assert (values(outcome), outcome.quarantined.to_list()) == (["FRA", None], [None, "country-x"])
    assert values(apply(standardise.Languages("x"), "Deutsch", "eng", "??")) == ["de", "en", None]
    with pytest.raises(UsageError, match="no form"):
        standardise.Countries("x", to="alpha-4")
    with pytest.raises(SchemaError, match="not text"):
        standardise.Countries("x").bind(pl.Schema({"x": pl.Int64()}))


STEPS = [
    standardise.Text("x"),
    standardise.Encoding("x"),
    standardise.Names("x"),
    standardise.Names("x", kind="person"),
    standardise.Types({"x": "integer"}, on_error="null"),
    standardise.Types({"x": "timestamp"}),
    standardise.Countries("x"),
    standardise.Languages("x"),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_empty_and_all_null_batches(step):
    assert values(apply(step)) == []
    assert values(apply(step, None, None)) == [None, None]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(
        st.none() | st.sampled_from(["DE", "ACME GMBH", " a  b", "cafÃ©", "12", "2020-01-01"]) | st.text(max_size=6),
        max_size=12,
    ),
    cut=st.integers(0, 12),
)
def test_any_cut_into_batches_gives_the_same_rows(step, texts, cut):
    many = texts * 20
    parts = [apply(step, *many[:cut]), apply(step, *many[cut:])]
    assert values(apply(step, *many)) == [value for part in parts for value in values(part)]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_definitions_have_a_fingerprint(step):
    assert digest(describe(step))


def test_distinct_values_are_computed_once():
    seen = []

    def compute(text):
        seen.append(text.len())
        return text.str.to_uppercase(), text.is_null()

    series = pl.Series("x", ["a", None, "b", "a"] * 100)
    upper, missing = over_distinct(series, compute)
    assert seen == [3]
    assert upper.to_list() == ["A", None, "B", "A"] * 100
    assert missing.to_list() == [False, True, False, False] * 100
