"""Facts about texts: counts and shares, one row per text, made in a few passes over the bytes and free of any judgement.

A word is a run of characters other than ASCII white space; a sentence end is ``.``, ``!``, ``?`` or ``…`` before white space or the end (also the
Greek question mark). Counts of a null text are null.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.characters import CYRILLIC, GREEK, LATIN, LETTER, ascii_letters, beyond_ascii, classes_at
from datalab.kernels.words import Words, per_row, words

Array = np.ndarray[Any, np.dtype[Any]]

SCRIPTS = {"Latn": LATIN, "Grek": GREEK, "Cyrl": CYRILLIC}
"""Scripts of the official EU languages, by ISO 15924 code."""

_SENTENCE_END = "[.!?…\u037e][.!?…\u037e\"'»\u201d\u2019)]*(?:[ \n\t\r]|$)"
_HEAD = 1000


def statistics(texts: pl.Series) -> pl.DataFrame:
    """Return characters, words, sentences, lines (UInt32), mean_word_length, letter_share (Float64, three decimals) and script.

    ``script`` is the ISO 15924 code of most letters in the first 1,000 characters, ``Zyyy`` without letters of an EU script.
    ``sentences`` is at least 1 for a text with a word.
    """
    text = pl.col("t")
    counted = texts.to_frame("t").with_columns(
        text.str.len_chars().alias("characters"), sentence_ends(text).alias("ends"), **_counted(texts)
    )
    most = pl.max_horizontal(*SCRIPTS)
    script = pl.coalesce(
        pl.when(most == 0).then(pl.lit("Zyyy")), *(pl.when(pl.col(name) == most).then(pl.lit(name)) for name in SCRIPTS)
    )
    facts = {
        "characters": pl.col("characters"),
        "words": pl.col("words"),
        "sentences": pl.max_horizontal("ends", (pl.col("words") > 0).cast(pl.UInt32)),
        "lines": pl.col("lines"),
        "mean_word_length": mean_word_length().round(3),
        "letter_share": ratio("letters", "head").round(3),
        "script": script,
    }
    present = text.is_not_null()
    return counted.select(pl.when(present).then(fact).alias(name) for name, fact in facts.items())


def sentence_ends(text: pl.Expr) -> pl.Expr:
    """Return how many sentence ends are in each text."""
    return text.str.count_matches(_SENTENCE_END)


def mean_word_length() -> pl.Expr:
    """Return the mean word length in characters from the columns characters, words and blanks (bytes of white space)."""
    return pl.when(pl.col("words") == 0).then(0.0).otherwise((pl.col("characters") - pl.col("blanks")) / pl.col("words"))


def ratio(part: str, whole: str) -> pl.Expr:
    """Return ``part`` / ``whole``, 0 where ``whole`` is."""
    return pl.when(pl.col(whole) == 0).then(0.0).otherwise(pl.col(part) / pl.col(whole))


def blanks(found: Words) -> Array:
    """Return the bytes of white space in each row."""
    return np.diff(found.bounds) - 1 - per_row(found.ends - found.starts, found.first)


def _counted(texts: pl.Series) -> dict[str, pl.Series]:
    heads = texts.str.slice(0, _HEAD)
    size = heads.str.len_chars()
    whole = not (size == _HEAD).any()
    counts = {name: np.zeros(len(texts), dtype=np.uint32) for name in ("words", "blanks", "lines", "letters", *SCRIPTS)}
    for first, found in words(texts):
        rows = slice(first, first + len(found.first) - 1)
        counts["words"][rows] = np.diff(found.first)
        counts["blanks"][rows] = blanks(found)
        counts["lines"][rows] = np.diff(found.first_of(np.flatnonzero(found.data == ord("\n"))))
        if whole:
            _letters(found, rows, counts)
    for first, found in words(heads) if not whole else ():
        _letters(found, slice(first, first + len(found.first) - 1), counts)
    return {"head": size, **{name: pl.Series(count) for name, count in counts.items()}}


def _letters(found: Words, rows: slice, counts: dict[str, Array]) -> None:
    """Write the letters of ``rows``, and how many of them belong to each script."""
    totals = np.zeros(len(found.data) + 1, dtype=np.int32)
    np.cumsum(ascii_letters(found.data), out=totals[1:])
    plain = np.diff(totals[found.bounds])
    places = beyond_ascii(found.data)
    kinds, first = classes_at(found.data, places), found.first_of(places)
    counts["letters"][rows] = plain + per_row(kinds & LETTER, first)
    for name, script in SCRIPTS.items():
        counts[name][rows] = per_row((kinds & script) > 0, first) + (plain if script == LATIN else 0)
