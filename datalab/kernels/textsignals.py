"""What tells prose from noise: the facts behind the quality rules of Gopher, C4 and FineWeb, one row per text. Verdicts: `textquality`.

Sources: Rae et al. 2021, appendix A1.1 (Gopher); Raffel et al. 2020, section 2.2 (C4); Penedo et al. 2024, section 3.6 (FineWeb). A word is
a run of characters other than ASCII white space; a line counts where it has a word, and is taken from its first word to its last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.characters import LETTER, UNSPACED, ascii_letters, beyond_ascii, classes_at
from datalab.kernels.hashing import word_view
from datalab.kernels.spans import Bytes, Ints
from datalab.kernels.stopwords import stop_words
from datalab.kernels.textstats import blanks, mean_word_length, ratio, sentence_ends
from datalab.kernels.words import Words, per_row, reads, seen_before, words

Array = np.ndarray[Any, np.dtype[Any]]

SIGNALS = {
    "characters": "number of Unicode code points",
    "words": "number of words",
    "sentences": "number of sentence ends",
    "mean_word_length": "mean word length in characters",
    "hash_share": "number signs per word",
    "ellipsis_share": "ellipses per word",
    "alpha_share": "share of words with a letter",
    "bullet_lines": "share of lines that start with a bullet",
    "ellipsis_lines": "share of lines that end with an ellipsis",
    "terminal_lines": "share of lines that end as a sentence does",
    "short_lines": "share of lines of fewer than 30 characters",
    "repeated_lines": "share of lines that stood in the text before",
    "repeated_line_text": "share of the bytes of lines in lines that stood in the text before",
    "unspaced_share": "share of characters of scripts written without spaces",
    "stop_words": "different stop words of the language in the first 1,000 characters",
    "braces": "1 where there is a curly bracket",
    "placeholder": "1 where there is 'lorem ipsum'",
}
"""Every signal and what it is; all are Float64, null for a null text."""

SHORT_LINE = 30
_COUNTED = (
    "words", "blanks", "alpha", "lines", "bullets", "terminal", "short", "repeated", "repeated_bytes", "line_bytes", "unspaced",
)  # fmt: skip
_BULLETS = tuple(mark.encode() for mark in "-*•●▪")
_TERMINALS = tuple(mark.encode() for mark in ".!?\"'…»”’")  # noqa: RUF001  # C4: "a terminal punctuation mark or a quotation mark"


def signals(texts: pl.Series, languages: pl.Series | None = None) -> pl.DataFrame:
    """Return ``SIGNALS``; ``stop_words`` is null without the ISO 639-1 code in ``languages`` of a language with a list."""
    text = pl.col("t")
    counted = texts.to_frame("t").with_columns(
        text.str.len_chars().alias("characters"),
        sentence_ends(text).alias("sentences"),
        text.str.count_matches("#", literal=True).alias("hashes"),
        (text.str.count_matches("...", literal=True) + text.str.count_matches("…", literal=True)).alias("ellipses"),
        text.str.count_matches(r"(?m)(?:\.\.\.|…)[ \t\r]*$").alias("trailing"),
        text.str.contains("{", literal=True).alias("braces"),
        text.str.contains("(?i)lorem ipsum").alias("placeholder"),
        stop_words(texts, languages).alias("stop_words"),
        **_counted(texts),
    )
    facts = {
        "mean_word_length": mean_word_length(),
        "hash_share": ratio("hashes", "words"),
        "ellipsis_share": ratio("ellipses", "words"),
        "alpha_share": ratio("alpha", "words"),
        "bullet_lines": ratio("bullets", "lines"),
        "ellipsis_lines": ratio("trailing", "lines"),
        "terminal_lines": ratio("terminal", "lines"),
        "short_lines": ratio("short", "lines"),
        "repeated_lines": ratio("repeated", "lines"),
        "repeated_line_text": ratio("repeated_bytes", "line_bytes"),
        "unspaced_share": ratio("unspaced", "characters"),
    }
    present = text.is_not_null()
    return counted.select(pl.when(present).then(facts.get(name, pl.col(name)).cast(pl.Float64)).alias(name) for name in SIGNALS)


def _counted(texts: pl.Series) -> dict[str, pl.Series]:
    counts = {name: np.zeros(len(texts), dtype=np.uint32) for name in _COUNTED}
    for first, found in words(texts):
        rows = slice(first, first + len(found.first) - 1)
        counts["words"][rows] = np.diff(found.first)
        counts["blanks"][rows] = blanks(found)
        wide = beyond_ascii(found.data)
        _words(found, wide, rows, counts)
        _lines(found, wide, rows, counts)
    return {name: pl.Series(count) for name, count in counts.items()}


def _words(found: Words, wide: Ints, rows: slice, counts: dict[str, Array]) -> None:
    """Count the words with a letter, and the characters of scripts without spaces. ``wide`` are the characters outside ASCII."""
    kinds = classes_at(found.data, wide)
    letter = ascii_letters(found.data)
    letter[wide] = (kinds & LETTER) > 0
    others = np.flatnonzero(~letter[found.starts])  # few words begin with something else
    if len(others):
        reaches = np.stack([found.starts[others], found.ends[others]], axis=1).ravel()
        others = others[~np.logical_or.reduceat(letter, reaches)[::2]]
    counts["alpha"][rows] = np.diff(found.first - np.searchsorted(others, found.first))
    unspaced = (kinds & UNSPACED) > 0
    if unspaced.any():
        counts["unspaced"][rows] = per_row(unspaced, found.first_of(wide))


def _lines(found: Words, wide: Ints, rows: slice, counts: dict[str, Array]) -> None:
    """Count what begins, ends and repeats itself line by line."""
    stops = np.flatnonzero(found.data == ord("\n"))
    last = np.searchsorted(found.starts, stops) - 1
    begins = np.concatenate([[0], last[:-1] + 1])
    filled = np.flatnonzero(last >= begins)
    starts, ends = found.starts[begins[filled]], found.ends[last[filled]]
    first = found.first_of(stops[filled])
    counts["lines"][rows] = np.diff(first)
    counts["bullets"][rows] = per_row(reads(found.data, starts, _BULLETS), first)
    counts["terminal"][rows] = per_row(reads(found.data, ends, _TERMINALS, before=True), first)
    counts["short"][rows] = per_row(_short(found.data, wide, starts, ends), first)
    sizes = ends - starts
    counts["line_bytes"][rows] = per_row(sizes, first)
    again = seen_before(word_view(found.data), starts, sizes, first)
    counts["repeated"][rows] = per_row(again, first)
    counts["repeated_bytes"][rows] = per_row(again * sizes, first)


def _short(data: Bytes, wide: Ints, starts: Ints, ends: Ints) -> Array:
    sizes = ends - starts
    short = sizes < SHORT_LINE
    unsure = np.flatnonzero(~short & (sizes < 4 * SHORT_LINE))  # a character has up to four bytes
    if len(unsure) and len(wide):
        lead = data[wide]
        more = np.zeros(len(wide) + 1, dtype=np.int32)
        np.cumsum(np.uint8(1) + (lead >= 0xE0) + (lead >= 0xF0), out=more[1:])
        within = more[np.searchsorted(wide, ends[unsure])] - more[np.searchsorted(wide, starts[unsure])]
        short[unsure] = sizes[unsure] - within < SHORT_LINE
    return np.asarray(short)
