"""The line rules of C4 against the same written down naively, and what they say of lines in 24 languages."""

# ruff: noqa: RUF001 - texts in other scripts than Latin are the point

from __future__ import annotations

import os
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.kernels import words
from datalab.kernels.notices import NOTICES
from datalab.kernels.repetition import repetition
from datalab.kernels.textlines import FAULTS, LineRules, filter_lines
from datalab.kernels.textquality import repetition_reasons

PROSE = "The committee agreed on Tuesday that it should be published."
PIECES = st.sampled_from(
    [
        "a",
        "the word",
        "é",
        "longest",
        "end.",
        "what;",
        "…",
        "...",
        "“so”",
        "»",
        "JavaScript",
        "Use of Cookies",
        "[1]",
        "[edit]",
        "[ab]",
    ]
    + [
        "πολιτική ΑΠΟΡΡΉΤΟΥ",
        "漢字漢字。",
        "漢",
        "\0",
        "\u0301",
        "\u2028",
        ".",
        "!",
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "  ",
    ]
)
TEXTS = st.lists(PIECES, max_size=25).map(" ".join) | st.lists(PIECES, max_size=12).map("".join)
RULES = st.builds(
    LineRules, st.integers(0, 6), st.integers(3, 12), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans()
)
WHITE = " \t\n\v\f\r"


def plain_lines(text: str | None, language: str | None, rules: LineRules) -> tuple[str | None, dict[str, int]]:
    """What `filter_lines` must say, one line at a time."""
    counts = dict.fromkeys(("kept", *FAULTS), 0)
    if text is None:
        return None, counts
    text = re.sub(r"\[[0-9]*\]|\[edit\]|\[citation needed\]", "", text) if rules.citations else text
    policy = "|".join({"en": NOTICES["en"], language or "en": NOTICES.get(language or "en", NOTICES["en"])}.values())
    kept = []
    for line in (line.strip(WHITE) for line in text.split("\n")):
        found = re.findall(r"[^ \t\n\v\f\r]+", line)
        if not found:
            continue
        dense = 2 * sum(letter in "漢字" for letter in line) > len(line)
        dots = line.endswith(("...", "…"))
        ends = line[-1] in ".!?\"'”’“‘»«›‹\u037e。！？」』" or (language == "el" and line[-1] == ";")
        broken = {
            "long-word": max(map(len, found)) > rules.longest_word,
            "unfinished": rules.terminal and not ((ends and not dots) or (dots and rules.ellipses)),
            "few-words": (len(line) // 2 if dense else len(found)) < rules.minimum_words,
            "script-notice": rules.script_notices and re.search("javascript", line, re.IGNORECASE),
            "policy-notice": rules.policy_notices and re.search(policy, line, re.IGNORECASE),
        }
        verdict = next((fault for fault in FAULTS if broken[fault]), "kept")
        counts[verdict] += 1
        kept += [line] if verdict == "kept" else []
    return "\n".join(kept), counts


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.tuples(st.none() | TEXTS, st.sampled_from([None, "el", "en", "tlh"])), max_size=8), RULES, st.integers(1, 200)
)
def test_lines_follow_plain_python_for_any_block(rows, rules, block):
    texts, languages = (
        pl.Series([text for text, _ in rows], dtype=pl.String),
        pl.Series([code for _, code in rows], dtype=pl.String),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "BLOCK", block)
        kept, counts = filter_lines(texts, languages, rules)
    for row, (text, language) in enumerate(rows):
        assert (kept[row], counts.row(row, named=True)) == plain_lines(text, language, rules)


def test_a_page_keeps_its_prose():
    page = f"Home | About\n\n{PROSE}[2]\r\nRead more...\n  {PROSE} \nPlease enable JavaScript to see this page.\nToo short.\nThis site uses cookies, as all do."
    kept, counts = filter_lines(pl.Series([page]))
    assert kept.to_list() == [f"{PROSE}\n{PROSE}"]
    assert counts.row(0, named=True) == {
        "kept": 2, "long-word": 0, "unfinished": 2, "few-words": 1, "script-notice": 1, "policy-notice": 1
    }  # fmt: skip


def test_hostile_texts_have_lines():
    hostile = pl.Series(
        ["", "\n" * 10_000, "x" * 1_000_000, "\0", "\u0301.", "one\u2028two.", f"{PROSE}\r\n" * 5000, "." * 9, None]
    )
    kept, counts = filter_lines(hostile, rules=LineRules(minimum_words=1))
    assert kept.to_list() == ["", "", "", "", "\u0301.", "one\u2028two.", "\n".join([PROSE] * 5000), "", None]
    assert counts["long-word"].to_list() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    for empty in (pl.Series([], dtype=pl.String), pl.Series([None], dtype=pl.String)):
        assert filter_lines(empty)[0].to_list() == empty.to_list()
        assert filter_lines(empty)[1].height == len(empty)


@pytest.mark.parametrize(
    "line",
    ["Er sagte: „Das ist alles, was wir wissen.“", "»Das ist alles, was wir heute wissen«", "Il a dit : « C’est tout ce que nous savons »"]
    + ["Hij zei: ‘Dat is alles wat we weten’", 'He said: "That is all that we know"', "これは私たちが知っているすべてです。"],
)  # fmt: skip
def test_every_language_closes_its_quotations(line):
    assert filter_lines(pl.Series([line]))[0].to_list() == [line]


def test_greek_asks_with_a_semicolon_and_nobody_else():
    line = "Ποιος μπορεί να το πει αυτό σήμερα;"
    kept, _ = filter_lines(pl.Series([line, line, line[:-1] + "\u037e"]), pl.Series(["el", "en", None]))
    assert kept.to_list() == [line, "", line[:-1] + "\u037e"]


def test_notices_are_known_in_24_languages_and_fall_in_theirs():
    assert len(NOTICES) == 24
    lines = pl.Series(
        [
            f"Wir alle lesen hier {phrase.upper()} und noch mehr."
            for phrases in NOTICES.values()
            for phrase in phrases.split("|")
        ]
    )
    languages = pl.Series([code for code, phrases in NOTICES.items() for _ in phrases.split("|")])
    _, counts = filter_lines(lines, languages)
    assert counts["policy-notice"].to_list() == [1] * len(lines)
    assert filter_lines(lines)[1]["policy-notice"].sum() < len(lines) / 4
    assert all(
        phrase == phrase.lower() == re.escape(phrase).replace("\\", "") for phrase in "|".join(NOTICES.values()).split("|")
    )


def test_prose_of_24_languages_keeps_its_sentences():
    data = os.environ.get("DATALAB_REFERENCE_DATA")
    if not data:
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the UDHR texts are needed")
    paths = sorted((Path(data) / "samples" / "udhr").glob("*.txt"))
    texts, languages = pl.Series([path.read_text("utf-8") for path in paths]), pl.Series([path.stem for path in paths])
    counts = filter_lines(texts, languages)[1]
    assert len(paths) == 24
    assert counts["kept"].min() >= 45  # thirty articles, of one to four sentences each
    assert counts["policy-notice"].sum() == 0
    assert repetition_reasons(repetition(texts)).null_count() == 24
