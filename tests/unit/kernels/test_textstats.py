"""Facts about texts against plain Python, and the quality rules one by one."""

# ruff: noqa: RUF001 - texts in other scripts than Latin are the point

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.kernels import words
from datalab.kernels.stopwords import STOP_WORDS
from datalab.kernels.textquality import C4, FINEWEB, LONG_WORDS, Limits, reasons
from datalab.kernels.textsignals import SIGNALS, signals
from datalab.kernels.textstats import statistics

GOOD = "The committee met on Tuesday and agreed that the report should be published without delay. " * 6


ALPHABET = "aéÄΩд漢ก1 .!?\n\t\r#…-•'”\u0301\U0001d400\u2167{"


def plain_statistics(text: str) -> dict[str, object]:
    """What `statistics` must say, one letter at a time."""
    words, head = re.findall(r"[^ \n\t\r]+", text), text[:1000]
    scripts = {
        "Latn": sum(unicodedata.name(c, "").startswith("LATIN") or c == "\u2167" for c in head),
        "Grek": sum(unicodedata.name(c, "").startswith("GREEK") for c in head),
        "Cyrl": sum(unicodedata.name(c, "").startswith("CYRILLIC") for c in head),
    }
    ends = len(re.findall("[.!?…\u037e][.!?…\u037e\"'»”’)]*(?:[ \n\t\r]|\\Z)", text))
    return {
        "characters": len(text),
        "words": len(words),
        "sentences": max(ends, min(len(words), 1)),
        "lines": text.count("\n") + 1,
        "mean_word_length": pytest.approx(sum(map(len, words)) / max(len(words), 1), abs=5.1e-4),
        "letter_share": pytest.approx(sum(c.isalpha() for c in head) / max(len(head), 1), abs=5.1e-4),
        "script": max(scripts, key=lambda name: scripts[name]) if any(scripts.values()) else "Zyyy",
    }


def plain_signals(text: str) -> dict[str, object]:
    """What `signals` must say, one line at a time."""
    words = re.findall(r"[^ \n\t\r]+", text)
    lines = [line.strip(" \t\r") for line in text.split("\n") if line.strip(" \t\r")]
    seen = [line for place, line in enumerate(lines) if line in lines[:place]]

    def share(part: float, whole: int) -> object:
        return pytest.approx(part / whole if whole else 0)

    return {
        "characters": len(text),
        "words": len(words),
        "sentences": len(re.findall("[.!?…\u037e][.!?…\u037e\"'»”’)]*(?:[ \n\t\r]|\\Z)", text)),
        "mean_word_length": share(sum(map(len, words)), len(words)),
        "hash_share": share(text.count("#"), len(words)),
        "ellipsis_share": share(text.count("...") + text.count("…"), len(words)),
        "alpha_share": share(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "bullet_lines": share(sum(line[0] in "-*•●▪" for line in lines), len(lines)),
        "ellipsis_lines": share(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "terminal_lines": share(sum(line[-1] in ".!?\"'…»”’" for line in lines), len(lines)),
        "short_lines": share(sum(len(line) < 30 for line in lines), len(lines)),
        "repeated_lines": share(len(seen), len(lines)),
        "repeated_line_text": share(sum(len(line.encode()) for line in seen), sum(len(line.encode()) for line in lines)),
        "unspaced_share": share(sum(c in "漢ก" for c in text), len(text)),
        "braces": float("{" in text),
        "placeholder": float("lorem ipsum" in text.lower()),
    }


@settings(deadline=None)
@given(st.lists(st.none() | st.text(ALPHABET, max_size=90), max_size=10), st.integers(1, 200))
def test_facts_follow_plain_python_for_any_block(texts, block):
    column = pl.Series(texts, dtype=pl.String)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "BLOCK", block)
        found, marks = statistics(column), signals(column)
    for row, text in enumerate(texts):
        if text is None:
            assert set(found.row(row)) == set(marks.row(row)) == {None}
        else:
            assert found.row(row, named=True) == plain_statistics(text)
            assert {**marks.row(row, named=True), "stop_words": None} == {**plain_signals(text), "stop_words": None}


def test_a_head_is_a_thousand_characters():
    texts = pl.Series(["1" * 999 + "é" + "a" * 50, "Ω" * 1001, "short"])
    assert statistics(texts)["letter_share"].to_list() == [0.001, 1.0, 1.0]
    assert statistics(texts)["script"].to_list() == ["Latn", "Grek", "Latn"]


def test_hostile_texts_have_facts():
    hostile = pl.Series(["x" * 3_000_000, "\n" * 10_000, "漢" * 5000, "\0\ufeff", "\U0010ffff", "e" + "\u0301" * 3000, "\r"])
    assert signals(hostile)["words"].to_list() == [1, 0, 1, 1, 1, 1, 0]
    assert statistics(hostile)["characters"].to_list() == hostile.str.len_chars().to_list()
    for empty in (pl.Series([], dtype=pl.String), pl.Series([None], dtype=pl.String)):
        assert signals(empty).columns == list(SIGNALS)
        assert statistics(empty).height == signals(empty).height == len(empty)


def test_stop_words_are_counted_once_each_and_in_their_language():
    texts = pl.Series(["The cat and THE dog, and that.", "The cat and the dog", "и на да", "и на да", None, ""])
    languages = pl.Series(["en", "de", "bg", None, "en", "tlh"])
    assert signals(texts, languages)["stop_words"].to_list() == [2.0, 0.0, 3.0, None, None, None]
    assert signals(texts)["stop_words"].null_count() == 6


def test_every_stop_word_is_one_number():
    for language, listed in STOP_WORDS.items():
        entries = listed.split()
        assert len(entries) == len(set(entries)) >= 8, language
        assert all(len(word.encode()) <= 8 for word in entries), language


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


def test_scripts_without_spaces_are_judged_by_their_characters():
    signal = signals(pl.Series(["漢字は言葉である。" * 20, "漢字は。"]))
    assert reasons(signal).to_list() == [None, "too-few-words"]


def test_texts_without_the_commonest_words_of_their_language_fall():
    texts = pl.Series(["Tags: alpha beta gamma delta " * 20] * 2 + [GOOD])
    languages = pl.Series(["en", None, "en"])
    assert reasons(signals(texts, languages), languages).to_list() == ["few-stop-words", None, None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("One sentence of many words which goes on and on " * 8, "few-sentences"),
        (
            "A menu. Home! Shop? " * 20 + "\n" + "\n".join(f"an entry of the long long menu {n}" for n in range(19)),
            "unfinished-lines",
        ),
        ("\n".join(f"The entry is number {n}." for n in range(50)), "short-lines"),
        (GOOD + "\n" + "Accept all of our cookies, please.\n" * 3, "repeated-lines"),
        (GOOD + "{.", "code"),
        (GOOD, None),
    ],
)
def test_fineweb_asks_for_more(text, reason):
    assert reasons(signals(pl.Series([text])), limits=FINEWEB).to_list() == [reason]


def test_code_is_dropped_only_on_request():
    signal = signals(pl.Series([GOOD + "{"]))
    assert reasons(signal).to_list() == [None]
    assert reasons(signal, limits=Limits(braces=False)).to_list() == ["code"]
    assert reasons(signal, limits=C4).to_list() == ["code"]


def test_plain_prose_of_24_languages_passes():
    data = os.environ.get("DATALAB_REFERENCE_DATA")
    if not data:
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the UDHR texts are needed")
    paths = sorted((Path(data) / "samples" / "udhr").glob("*.txt"))
    texts = pl.Series([path.read_text("utf-8") for path in paths])
    languages = pl.Series([path.stem for path in paths])
    assert reasons(signals(texts, languages), languages).null_count() == 24
    assert signals(texts, languages)["stop_words"].min() >= 4
    assert set(LONG_WORDS) <= set(languages)
