"""Keep the lines that are prose: the line rules of C4, with what was found wrong with each line that goes.

Source: Raffel et al. 2020, section 2.2, and its reference code (tensorflow_datasets, ``text/c4_utils.py``), which the numbers are from: 5 words a line
and 1,000 characters a word. A line is what stands between two line feeds, from its first word to its last; a word is a run of characters other than
ASCII white space. What differs from C4: ASCII white space only is stripped, and no other character breaks a line (`standardise.Text` makes line
feeds of them); all quotation marks end a line, for one language opens with what closes in another („…“, «…», »…«); so do the
full stops of scripts without spaces, whose lines count two characters a word; Greek asks with a semicolon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from datalab.kernels.characters import UNSPACED, classes_at
from datalab.kernels.notices import NOTICES
from datalab.kernels.spans import Bytes, Ints
from datalab.kernels.unicode import where_needed
from datalab.kernels.words import Words, characters, per_row, reads, words

Array = np.ndarray[Any, np.dtype[Any]]

FAULTS = {
    "long-word": "has a word of more characters than one may have",
    "unfinished": "does not end as a sentence does",
    "few-words": "has too few words",
    "script-notice": "speaks of Javascript",
    "policy-notice": "speaks of terms of use, privacy or cookies",
}
"""What can be wrong with a line. The first in this order counts."""

_TERMINALS = tuple(mark.encode() for mark in ".!?\"'”’“‘»«›‹\u037e。！？」』")  # noqa: RUF001
_LAST = np.isin(np.arange(256), [mark[-1] for mark in _TERMINALS])
_GREEK = (b";",)  # Unicode makes the Greek question mark a semicolon in every normal form
_ELLIPSES = (b"...", "…".encode())
_CITATIONS = r"\[[0-9]*\]|\[edit\]|\[citation needed\]"
_SCRIPT_NOTICE = "(?i)javascript"


@dataclass(frozen=True, slots=True)
class LineRules:
    """Which lines of a text stay; the defaults are those of C4. Words are counted per line, the length of a word in characters."""

    minimum_words: int = 5
    longest_word: int = 1000
    terminal: bool = True
    """Whether a line must end in a full stop, an exclamation or question mark, or a quotation mark."""
    ellipses: bool = False
    """Whether an ellipsis ends a line, too."""
    script_notices: bool = True
    """Whether lines with the word Javascript go."""
    policy_notices: bool = True
    """Whether lines about terms of use, privacy and cookies go: in English, and in the language of the text where it is known."""
    citations: bool = True
    """Whether the citation marks of Wikipedia (``[1]``, ``[edit]``, ``[citation needed]``) are cut out first."""


C4_LINES = LineRules()


def filter_lines(
    texts: pl.Series, languages: pl.Series | None = None, rules: LineRules = C4_LINES
) -> tuple[pl.Series, pl.DataFrame]:
    """Return the lines of each text that stay, joined by line feeds, and per text how many did (``kept``) and had each of ``FAULTS`` (UInt32).

    ``languages`` gives the ISO 639-1 code of each text, or null. Blank lines go without being counted. A null text stays null, its counts are 0.
    """
    if rules.citations:
        texts = _without_citations(texts)
    greek = np.zeros(len(texts), dtype=np.bool_) if languages is None else (languages == "el").fill_null(value=False).to_numpy()
    heights = texts.fill_null("").str.count_matches("\n", literal=True).to_numpy() + 1
    before = np.concatenate([[0], np.cumsum(heights, dtype=np.int64)])
    noticed = _noticed(texts, languages, before, rules)
    counts = {name: np.zeros(len(texts), dtype=np.uint32) for name in ("kept", *FAULTS)}
    pieces, sizes = [np.zeros(0, dtype=np.uint8)], [np.zeros(1, dtype=np.int64)]
    for first, found in words(texts):
        rows = slice(first, first + len(found.first) - 1)
        lines = _Lines.of(found)
        fault = np.zeros(len(lines.starts), dtype=np.uint8)
        notice = noticed[before[first] + lines.number]
        wrong = {**_faults(found, lines, greek[rows], rules), "script-notice": notice == 1, "policy-notice": notice == 2}
        for code, name in reversed(list(enumerate(FAULTS, start=1))):
            fault[wrong[name]] = code
        for code, name in enumerate(("kept", *FAULTS)):
            counts[name][rows] = per_row(fault == code, lines.first)
        piece, size = _joined(found, lines, np.flatnonzero(fault == 0))
        pieces.append(piece)
        sizes.append(size)
    offsets = np.cumsum(np.concatenate(sizes), dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(np.concatenate(pieces)))
    kept = pl.Series(texts.name, array, dtype=pl.String)
    present = pl.lit(texts.is_not_null())
    return pl.select(pl.when(present).then(pl.lit(kept))).to_series().alias(texts.name), pl.DataFrame(counts)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines with a word of some neighbouring rows: bytes ``starts`` to ``ends``, words ``begins`` to ``behind``, ``first`` by row.

    ``number`` counts all lines of these rows, blank ones too.
    """

    starts: Ints
    ends: Ints
    begins: Ints
    behind: Ints
    first: Ints
    number: Ints

    @classmethod
    def of(cls, found: Words) -> _Lines:
        stops = np.flatnonzero(found.data == ord("\n"))
        behind = np.searchsorted(found.starts, stops)
        begins = np.concatenate([[0], behind[:-1]])
        number = np.flatnonzero(behind > begins)
        begins, behind = begins[number], behind[number]
        return cls(found.starts[begins], found.ends[behind - 1], begins, behind, found.first_of(stops[number]), number)


def _faults(found: Words, lines: _Lines, greek: Array, rules: LineRules) -> dict[str, Array]:
    counted = lines.behind - lines.begins
    unspaced = _unspaced(found.data)
    if len(unspaced):
        dense = np.searchsorted(unspaced, lines.ends) - np.searchsorted(unspaced, lines.starts)
        letters = characters(found.data, lines.starts, lines.ends)
        counted = np.where(2 * dense > letters, letters // 2, counted)
    long = np.flatnonzero(found.ends - found.starts > rules.longest_word)
    long = long[characters(found.data, found.starts[long], found.ends[long]) > rules.longest_word]
    return {
        "long-word": np.searchsorted(long, lines.behind) > np.searchsorted(long, lines.begins),
        "unfinished": ~_finished(found.data, lines, greek, rules) if rules.terminal else np.zeros(len(counted), dtype=np.bool_),
        "few-words": counted < rules.minimum_words,
    }


def _finished(data: Bytes, lines: _Lines, greek: Array, rules: LineRules) -> Array:
    finished = _LAST[data[lines.ends - 1]]
    likely = np.flatnonzero(finished)
    finished[likely] = reads(data, lines.ends[likely], _TERMINALS, before=True)
    if greek.any():
        asked = np.flatnonzero(np.repeat(greek, np.diff(lines.first)))
        finished[asked] |= reads(data, lines.ends[asked], _GREEK, before=True)
    trailing = reads(data, lines.ends, _ELLIPSES, before=True)
    return np.asarray(finished | trailing if rules.ellipses else finished & ~trailing)


def _unspaced(data: Bytes) -> Ints:
    """Return where characters of scripts without spaces begin: in UTF-8 none does before E0, and in the whole of E2 only radicals do."""
    places = np.flatnonzero((data >= 0xE0) & (data != 0xE2))
    radicals = np.flatnonzero(data == 0xE2)
    radicals = radicals[data[radicals + 1] >= 0xBA]
    places = np.union1d(places, radicals) if len(radicals) else places
    return np.asarray(places[(classes_at(data, places) & UNSPACED) > 0])


def _joined(found: Words, lines: _Lines, kept: Ints) -> tuple[Bytes, Ints]:
    """Return the bytes of the lines ``kept``, a line feed between those of one row, and the size of each row. Writes into ``found.data``."""
    first = np.searchsorted(kept, lines.first)
    starts, ends = lines.starts[kept], lines.ends[kept]
    within = np.ones(len(kept), dtype=np.bool_)
    within[first[1:][np.diff(first) > 0] - 1] = False  # no line feed behind the last of a row
    change = np.zeros(len(found.data), dtype=np.int8)
    change[starts] = 1
    change[ends + within] -= 1
    found.data[ends[within]] = ord("\n")
    return found.data[np.cumsum(change, dtype=np.int8).view(np.bool_)], per_row(ends - starts + within, first)


def _without_citations(texts: pl.Series) -> pl.Series:
    return where_needed(texts, texts.str.contains("[", literal=True), lambda marked: marked.str.replace_all(_CITATIONS, ""))[0]


def _noticed(texts: pl.Series, languages: pl.Series | None, before: Ints, rules: LineRules) -> Array:
    """Return for every line of the column, blank ones too, 1 where it speaks of Javascript, 2 of policies, else 0."""
    noticed = np.zeros(before[-1], dtype=np.uint8)
    if rules.policy_notices:
        _mark(noticed, 2, texts, before, f"(?i){NOTICES['en']}", None)
        for code in () if languages is None else languages.unique().drop_nulls().sort().to_list():
            if code in NOTICES and code != "en":
                _mark(noticed, 2, texts, before, f"(?i){NOTICES[code]}", languages == code)
    if rules.script_notices:
        _mark(noticed, 1, texts, before, _SCRIPT_NOTICE, None)
    return noticed


def _mark(noticed: Array, code: int, texts: pl.Series, before: Ints, pattern: str, among: pl.Series | None) -> None:
    """Write ``code`` to the lines with ``pattern``; only texts that have it somewhere are taken apart."""
    rows = np.arange(len(texts)) if among is None else among.fill_null(value=False).arg_true().to_numpy()
    rows = rows[texts.gather(rows).str.contains(pattern).fill_null(value=False).to_numpy()]
    if len(rows):
        lines = texts.gather(rows).str.split("\n")
        sizes = before[rows + 1] - before[rows]
        places = np.arange(sizes.sum()) + np.repeat(before[rows] - (np.cumsum(sizes) - sizes), sizes)
        noticed[places[lines.explode().str.contains(pattern).to_numpy()]] = code
