"""Rules for running text."""

# ruff: noqa: RUF001 - texts in other scripts than Latin are the point

from __future__ import annotations

from dataclasses import fields

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


def test_each_kind_of_repetition_has_its_reason():
    plain = " ".join(f"word{n}" for n in range(400))
    texts = {
        "repeated-paragraphs": f"one\n\ntwo\n\none\n\ntwo\n\n{plain}",
        "repeated-paragraph-text": "\n\n".join([*map(str, range(9)), plain, plain]),
        "top-2-words": " ".join(f"so it word{n}" for n in range(20)),
        "top-3-words": " ".join(f"well so it word{n:025}" for n in range(20)),
        "top-4-words": " ".join(f"well so it is word{n:044}" for n in range(20)),
    }
    for n in range(5, 11):
        phrases = [" ".join(f"phrase{place}x{word}" for word in range(n)) for place in range(10)]
        texts[f"repeated-{n}-words"] = " gap ".join(phrases * 2)
    names = [limit.name for limit in fields(clean.RepetitionLimits)]
    assert [name.replace("_", "-") for name in names] == list(texts)
    for name, (reason, text) in zip(names, texts.items(), strict=True):
        everything = dict.fromkeys(names, 1.0)
        only = {**everything, name: getattr(clean.RepetitionLimits(), name)}
        assert verdicts(clean.TextRepetition("t"), t=[text, plain, None, ""])[1:] == [None] * 3
        assert verdicts(clean.TextRepetition("t", limits=clean.RepetitionLimits(**only)), t=[text, plain]) == [reason, None]
        assert verdicts(clean.TextRepetition("t", limits=clean.RepetitionLimits(**everything)), t=[text]) == [None]
    assert verdicts(clean.TextRepetition("t"), t=list(texts.values())[:6]) == list(texts)[:6]


def test_lines_that_are_no_sentences_go_and_are_counted():
    page = f"Home | News | About\n{EN}\nWe use cookies on this site, and so do others.\n{EN} {EN}\n"
    frame = pl.DataFrame({"t": [page, "Home\nNews", EN, " ", None]})
    step = clean.TextLines("t", removed="gone")
    assert step.bind(frame.schema).schema["gone"] == pl.UInt32
    outcome = step.apply(frame, None)
    assert outcome.frame["t"].to_list() == [f"{EN}\n{EN} {EN}", "", EN, "", None]
    assert outcome.frame["gone"].to_list() == [2, 2, 0, 0, 0]
    assert outcome.dropped.to_list() == [None, "no-lines-left", "few-sentences", "no-text", "no-text"]
    assert outcome.counts == {"lines-removed": 4, "lines-unfinished": 3, "lines-policy-notice": 1}
    assert clean.TextLines("t", minimum_sentences=0).apply(frame, None).dropped is None


def test_lines_know_the_notices_and_marks_of_their_language():
    german = "Lesen Sie bitte auch unsere Datenschutzerklärung."
    greek = "Ποιος μπορεί να το πει αυτό σήμερα;"
    frame = pl.DataFrame({"t": [german, greek] * 2, "l": ["de-AT", "EL", None, None]})
    step = clean.TextLines("t", language="l", minimum_sentences=1)
    assert step.apply(frame, None).frame["t"].to_list() == ["", greek, german, ""]
    loose = clean.TextLines("t", rules=clean.LineRules(terminal=False, minimum_words=1), minimum_sentences=1)
    assert verdicts(loose, t=["Menu", german]) == [None, None]


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
