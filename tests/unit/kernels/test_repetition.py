"""Repetition in texts against table A1 of Gopher, written down naively."""

from __future__ import annotations

import re
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.kernels import words
from datalab.kernels.repetition import REPEATED, REPETITION, TOP, repetition

WORDS = st.sampled_from(["a", "bb", "é", "the", "漢字", "e\u0301", "\0", "\u2028x", "cat."])
GAPS = st.sampled_from([" ", " ", " ", " ", "\n", "\r\n", "\n\n", "\n \t\n", "  "])
TEXTS = st.lists(st.tuples(WORDS, GAPS), max_size=40).map(lambda pairs: "".join(map("".join, pairs)))


def plain_repetition(text: str) -> dict[str, object]:
    """What `repetition` must say, one run of words at a time."""
    found = re.findall(r"[^ \t\n\v\f\r]+", text)
    whole = max(sum(map(len, found)), 1)

    def covered(runs: list[int], n: int) -> object:
        inside = {place for run in runs for place in range(run, run + n)}
        return pytest.approx(sum(len(found[place]) for place in inside) / whole)

    facts: dict[str, object] = {}
    for n in (*TOP, *REPEATED):
        runs = [tuple(found[place : place + n]) for place in range(len(found) - n + 1)]
        if n in REPEATED:
            facts[f"repeated_{n}_words"] = covered([place for place, run in enumerate(runs) if run in runs[:place]], n)
            continue
        counts = Counter(runs)
        most = max(counts.values(), default=0)
        top = [covered([at for at, other in enumerate(runs) if other == run], n) for run in counts if counts[run] == most > 1]
        facts[f"top_{n}_words"] = max(top, key=lambda share: share.expected, default=pytest.approx(0))
    paragraphs = [part.strip(" \t\n\v\f\r") for part in re.split(r"\n(?:[ \t\v\f\r]*\n)+", text)]
    paragraphs = [part for part in paragraphs if part]
    again = [part for place, part in enumerate(paragraphs) if part in paragraphs[:place]]
    facts["repeated_paragraphs"] = pytest.approx(len(again) / max(len(paragraphs), 1))
    facts["repeated_paragraph_text"] = pytest.approx(sum(len(re.sub(r"[ \t\n\v\f\r]+", "", part)) for part in again) / whole)
    return facts


@settings(deadline=None, max_examples=300)
@given(st.lists(st.none() | TEXTS, max_size=8), st.integers(1, 200))
def test_repetition_follows_plain_python_for_any_block(texts, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "BLOCK", block)
        found = repetition(pl.Series(texts, dtype=pl.String))
    for row, text in enumerate(texts):
        facts = found.row(row, named=True)
        assert facts == (dict.fromkeys(REPETITION) if text is None else plain_repetition(text)), text
        assert all(0 <= fact <= 1 for fact in facts.values() if fact is not None)


def test_a_refrain_by_hand():
    text = "row row row your boat\n\ngently down the stream\n\nrow row row your boat"
    facts = repetition(pl.Series([text])).row(0, named=True)
    letters = len(text.replace("\n", "").replace(" ", ""))
    assert facts["repeated_paragraphs"] == pytest.approx(1 / 3)
    assert facts["repeated_paragraph_text"] == pytest.approx(17 / letters)
    assert facts["top_2_words"] == pytest.approx(18 / letters)  # "row row" four times, overlapping: six words
    assert facts["top_3_words"] == pytest.approx(22 / letters)  # of three that stand twice the longest, "row your boat"
    assert facts["repeated_5_words"] == pytest.approx(17 / letters)
    assert facts["repeated_6_words"] == 0


def test_hostile_texts_repeat_as_they_should():
    odd = ["\0 " * 50, "\u0301 " * 50, "\u2028" * 50, "p\r\n\r\np\r\n", None]
    hostile = pl.Series(["", "   \r\n", "one", "x" * 1_000_000, "a " * 200_000, *odd])
    found = repetition(hostile)
    assert found["top_2_words"].to_list() == [0, 0, 0, 0, 1, 1, 1, 0, 0, None]
    assert found["repeated_10_words"].round(4).to_list() == [0, 0, 0, 0, 1, 0.98, 0.98, 0, 0, None]
    assert found["repeated_paragraphs"].to_list() == [0, 0, 0, 0, 0, 0, 0, 0, 0.5, None]
    for empty in (pl.Series([], dtype=pl.String), pl.Series([None], dtype=pl.String)):
        assert repetition(empty).columns == list(REPETITION)
        assert repetition(empty).height == len(empty)


def test_no_run_crosses_from_one_text_to_the_next():
    texts = pl.Series(["the same five words here", "the same five words here", "and here"])
    assert repetition(texts).select(pl.max_horizontal(pl.all())).to_series().to_list() == [0, 0, 0]
