"""Rules for running text."""

from __future__ import annotations

import polars as pl
import pytest

from datalab.errors import NotFound, SchemaError, UsageError
from datalab.services import cleaning as clean

EN = "The committee agreed that the report should be published without any delay."
DE = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
FR = "Tous les êtres humains naissent libres et égaux en dignité et en droits."


def verdicts(step, **columns):
    frame = pl.DataFrame(columns)
    step.bind(frame.schema)
    assert step.apply(frame.head(0), None).dropped.len() == 0
    return step.apply(frame, None).dropped.to_list()


def test_quality_gives_a_reason_per_rule():
    step = clean.TextQuality("t", limits=clean.Limits(minimum_words=5))
    assert verdicts(step, t=[EN, "Too short.", None]) == [None, "too-few-words", "no-text"]
    long_words = clean.TextQuality("t", language="l", limits=clean.Limits(minimum_words=2))
    assert verdicts(long_words, t=["Verfassungen Rechtsstaat"] * 2, l=["de-AT", "en"]) == [None, "words-too-long"]


def test_languages_to_keep():
    step = clean.Language("t", keep=["de", "fr"])
    assert verdicts(step, t=[DE, EN, FR, "12:30", None]) == [None, "language-not-kept", None, "language-unknown", None]
    assert verdicts(clean.Language("t", keep="de", unknown="keep"), t=["12:30", DE]) == [None, None]


def test_declared_languages():
    step = clean.Language("t", declared="l")
    assert verdicts(step, t=[DE, EN, FR, EN], l=["de-AT", "de", "FR", None]) == [None, "language-differs", None, None]


def test_an_uncertain_verdict_drops_nothing():
    assert verdicts(clean.Language("t", keep="de", certain=1.0), t=["ok no"]) == [None]
    assert verdicts(clean.Language("t", keep="de", certain=0.0), t=[EN]) == ["language-not-kept"]


def test_untranslated():
    rows = {"t": ["Hallo", "Hello ", " ", None, "Hello"], "s": ["Hello"] * 5, "l": ["de", "de", "de", "de", "en-GB"]}
    plain = [None, "untranslated", "no-translation", "no-translation", "untranslated"]
    assert verdicts(clean.Untranslated("t", "s"), **rows) == plain
    assert verdicts(clean.Untranslated("t", "s", language="l"), **rows) == [*plain[:4], None]


def test_wrong_definitions_are_refused():
    with pytest.raises(UsageError):
        clean.Language("t")
    with pytest.raises(UsageError):
        clean.Language("t", keep="de", declared="l")
    with pytest.raises(NotFound, match="klingon"):
        clean.Language("t", keep="klingon").bind(pl.Schema({"t": pl.String}))
    with pytest.raises(SchemaError, match="not text"):
        clean.TextQuality("t").bind(pl.Schema({"t": pl.Int64}))
