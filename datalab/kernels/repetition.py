"""How much of a text repeats itself: paragraphs and runs of words, one row per text. Lines are counted in `textsignals`, verdicts in `textquality`.

Source: Rae et al. 2021, appendix A1.1 and table A1 (Gopher). A word is a run of characters other than ASCII white space, taken as it stands;
paragraphs are separated by lines without a word, and each is taken from its first word to its last. All shares are of the characters of
words: white space does not count. Where the paper leaves a choice, it is made so that every share lies between 0 and 1:

- What is repeated is what stood in the text before; its first occurrence is not. (So in datatrove; RedPajama-V2 counts the first, too.)
- A character that several runs cover counts once. (datatrove goes on behind a run that it found repeated and misses what begins within,
  and divides by the characters of the text with its white space: its shares are about a seventh smaller.)
- Of equally frequent runs the one is taken that covers most; without any run that stands twice the share is 0. (So in RedPajama-V2;
  datatrove then takes the first run of the text, and counts overlapping ones twice.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.hashing import Numbers, hash_words, mix, word_view
from datalab.kernels.spans import Ints
from datalab.kernels.words import Words, characters, per_row, seen_before, words

Array = np.ndarray[Any, np.dtype[Any]]

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
REPETITION = {
    "repeated_paragraphs": "share of paragraphs that stood in the text before",
    "repeated_paragraph_text": "share of the characters of words in paragraphs that stood in the text before",
    **{f"top_{n}_words": f"share of the characters of words in the most frequent run of {n} words" for n in TOP},
    **{f"repeated_{n}_words": f"share of the characters of words in runs of {n} words that stood in the text before" for n in REPEATED},
}  # fmt: skip
"""Every fact and what it is; all are Float64, null for a null text, 0 for one without a word."""

_MULTIPLIER = np.uint64(0xD1342543DE82EF95)
_COVERED = np.int64(0xFFFFFFFF)
_PADDING = max(REPEATED)


def repetition(texts: pl.Series) -> pl.DataFrame:
    """Return ``REPETITION``, exact but for runs or paragraphs whose 64-bit hashes meet by chance."""
    shares = {name: np.zeros(len(texts)) for name in REPETITION}
    for first, found in words(texts):
        rows = slice(first, first + len(found.first) - 1)
        sizes = np.concatenate([[0], np.cumsum(characters(found.data, found.starts, found.ends))])
        whole = np.maximum(np.diff(sizes[found.first]), 1)
        view = word_view(found.data)
        covered = {**_paragraphs(found, view, sizes), **_runs(found, view, sizes)}
        for name, part in covered.items():
            shares[name][rows] = part if name == "repeated_paragraphs" else part / whole
    present = pl.Series("present", texts.is_not_null())
    return pl.DataFrame(shares).select(pl.when(present).then(pl.col(name)).alias(name) for name in REPETITION)


def _paragraphs(found: Words, view: Numbers, sizes: Ints) -> dict[str, Array]:
    """Return the share of repeated paragraphs, and the characters of words in them."""
    feeds = np.searchsorted(np.flatnonzero(found.data == ord("\n")), found.starts)
    fresh = np.diff(feeds, prepend=-2) > 1
    fresh[found.first[:-1][np.diff(found.first) > 0]] = True
    begins = np.flatnonzero(fresh)
    behind = np.append(begins, len(found.starts))[1:]
    first = np.searchsorted(begins, found.first)
    starts = found.starts[begins]
    again = seen_before(view, starts, found.ends[behind - 1] - starts, first)
    return {
        "repeated_paragraphs": per_row(again, first) / np.maximum(np.diff(first), 1),
        "repeated_paragraph_text": per_row(again * (sizes[behind] - sizes[begins]), first),
    }


def _runs(found: Words, view: Numbers, sizes: Ints) -> dict[str, Array]:
    """Return the characters of words that the most frequent runs, and the repeated ones, cover.

    A run of n + 1 words can only stand twice where its first n words do: each length looks at what the one before left.
    """
    number = len(found.starts)
    hashed = np.zeros(number + _PADDING, dtype=np.uint64)
    hashed[:number] = hash_words(view, found.starts, found.ends - found.starts)
    rows = np.repeat(np.arange(len(found.first) - 1), np.diff(found.first))
    behind = found.first[1:][rows]
    places = np.arange(number)
    keys = hashed[:number] + mix(rows.astype(np.uint64))  # runs of different rows never meet
    covered = {}
    for n in range(2, max(REPEATED) + 1):
        inside = places + n <= behind[places]
        places = places[inside]
        keys, places, again = _repeats(keys[inside] * _MULTIPLIER + hashed[places + n - 1], places)
        if n in TOP:
            covered[f"top_{n}_words"] = _top(places, again, rows, sizes, n, len(found.first) - 1)
        if n in REPEATED:
            apart = np.sort(places[again])
            before = np.concatenate([[-n], apart[:-1]]) if len(apart) else apart
            more = sizes[apart + n] - sizes[np.maximum(apart, before + n)]
            covered[f"repeated_{n}_words"] = per_row(more, np.searchsorted(apart, found.first))
    return covered


def _repeats(keys: Numbers, places: Ints) -> tuple[Numbers, Ints, Array]:
    """Return keys and places of what stands at least twice, group by group and in order, and which of them are not the first."""
    order = np.argsort(keys)
    ordered = keys[order]
    same = np.concatenate([[False], ordered[1:] == ordered[:-1], [False]])
    twice = np.flatnonzero(same[1:] | same[:-1])
    again = same[twice]
    group = np.cumsum(~again)
    bits = max(int(places.max(initial=0)), 1).bit_length()
    packed = np.sort(group << bits | places[order[twice]])  # the sort above leaves equals in any order
    return ordered[twice], packed & ((1 << bits) - 1), again


def _top(places: Ints, again: Array, rows: Ints, sizes: Ints, n: int, number: int) -> Ints:
    """Return the characters of words that the most frequent of the runs of n words at ``places`` covers, by row."""
    best = np.zeros(number, dtype=np.int64)
    if len(places):
        reach = np.where(again, np.roll(places, 1) + n, 0)
        more = sizes[places + n] - sizes[np.maximum(places, reach)]
        begins = np.flatnonzero(~again)
        counts = np.diff(begins, append=len(places))
        np.maximum.at(best, rows[places[begins]], counts << 32 | np.add.reduceat(more, begins))
    return best & _COVERED
