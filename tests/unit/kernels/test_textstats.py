"""Facts about texts against plain Python, and the quality rules one by one."""

# ruff: noqa: RUF001 - texts in other scripts than Latin are the point

from __future__ import annotations

import os
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels.textquality import LONG_WORDS, Limits, reasons
from datalab.kernels.textstats import signals, statistics

GOOD = "The committee met on Tuesday and agreed that the report should be published without delay. " * 6


@given(st.lists(st.one_of(st.none(), st.text("aé1 .!?\n\t#…-•", max_size=30)), max_size=10))
def test_counts_follow_plain_python(texts):
    column = pl.Series(texts, dtype=pl.String)
    found, marks = statistics(column), signals(column)
    for row, text in enumerate(texts):
        if text is None:
            assert found["words"][row] is None
            assert marks["repeated_lines"][row] is None
            continue
        words = re.findall(r"[^ \n\t\r]+", text)
        lines = [line.strip() for line in text.split("\n") if line.strip(" \t\r")]
        assert found.row(row, named=True)["words"] == len(words)
        assert found["characters"][row] == len(text)
        assert found["lines"][row] == text.count("\n") + 1
        assert found["mean_word_length"][row] == pytest.approx(sum(map(len, words)) / max(len(words), 1), abs=5e-4)
        assert marks["alpha_share"][row] == pytest.approx(sum(bool(re.search("[aé]", w)) for w in words) / max(len(words), 1))
        assert marks["hash_share"][row] == pytest.approx(text.count("#") / len(words) if words else 0)
        assert marks["repeated_lines"][row] == pytest.approx(1 - len(set(lines)) / len(lines) if lines else 0)


def test_sentences_and_scripts():
    texts = pl.Series(["One. Two! Three?", "no end", "Ένα. Δύο;", "Това е. Да.", "123", "", "Version 1.2 is out..."])
    found = statistics(texts)
    assert found["sentences"].to_list() == [3, 1, 1, 2, 1, 0, 1]
    assert found["script"].to_list() == ["Latn", "Latn", "Grek", "Cyrl", "Zyyy", "Zyyy", "Latn"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, None),
        (None, "no-text"),
        (" \n ", "no-text"),
        ("Too short.", "too-few-words"),
        ("word " * 100_001, "too-many-words"),
        ("a b c d e " * 12, "words-too-short"),
        ("incomprehensibilities " * 60, "words-too-long"),
        ("# word another " * 30, "many-hashes"),
        ("word... another word " * 30, "many-ellipses"),
        ("- one point of the list\n" * 3 + "".join(f"- point number {n} of many\n" for n in range(90)), "mostly-bullets"),
        ("\n".join(f"line number {n} of the page which goes on and on and on …" for n in range(9)), "cut-off-lines"),
        ("Accept all cookies to continue reading\n" * 20, "repeated-lines"),
        ("price 100 200 300 " * 20, "few-letters"),
        (GOOD + "Lorem ipsum dolor sit amet", "placeholder-text"),
    ],
)
def test_each_rule_has_its_reason(text, reason):
    assert reasons(signals(pl.Series([text], dtype=pl.String))).to_list() == [reason]


def test_long_words_are_fine_where_a_language_builds_them():
    signal = signals(pl.Series(["Rechtsstaat Verfassungen " * 40] * 3))
    assert reasons(signal, pl.Series(["de", "en", None])).to_list() == [None, "words-too-long", "words-too-long"]


def test_code_is_dropped_only_on_request():
    signal = signals(pl.Series([GOOD + "{"]))
    assert reasons(signal).to_list() == [None]
    assert reasons(signal, limits=Limits(braces=False)).to_list() == ["code"]


def test_plain_prose_of_24_languages_passes():
    data = os.environ.get("DATALAB_REFERENCE_DATA")
    if not data:
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the UDHR texts are needed")
    paths = sorted((Path(data) / "samples" / "udhr").glob("*.txt"))
    texts = pl.Series([path.read_text("utf-8") for path in paths])
    languages = pl.Series([path.stem for path in paths])
    assert reasons(signals(texts), languages).null_count() == 24
    assert set(LONG_WORDS) <= set(languages)
