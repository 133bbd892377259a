"""Word shingles of whole columns: overlapping runs of words as 64-bit hashes, the set by which texts are compared.

A word is a run of bytes other than ASCII white space, in lower case. A text of fewer words than a shingle has is one shingle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.hashing import Numbers, hash_words, mix, word_view
from datalab.kernels.words import words

Array = np.ndarray[Any, np.dtype[Any]]

_MULTIPLIER = np.uint64(0xD1342543DE82EF95)


def shingles(texts: pl.Series, width: int = 5, *, block: int | None = None) -> Iterator[tuple[int, Numbers, Array]]:
    """Yield (first row, hashes, offsets) for blocks of about ``block`` bytes.

    The shingles of row ``first + i`` are ``hashes[offsets[i]:offsets[i + 1]]``, repeats included; a null or blank text has none.
    The hash of words w_1 … w_n is mix(Σ w_j · M^(n-j)), each word hashed as text with seed 0.
    """
    for first, found in words(texts.str.to_lowercase(), block):
        hashed = hash_words(word_view(found.data), found.starts, found.ends - found.starts)
        yield first, *_combine(hashed, found.first, width)


def _combine(words: Numbers, bounds: Array, width: int) -> tuple[Numbers, Array]:
    """Combine ``width`` neighbouring words of a row; shorter rows become one shingle of all their words."""
    counts = np.diff(bounds)
    sizes = np.where(counts >= width, counts - width + 1, np.minimum(counts, 1))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    padded = np.concatenate([words, np.zeros(width, dtype=np.uint64)])
    rolled = padded[: len(words)].copy()
    for step in range(1, width):
        rolled *= _MULTIPLIER
        rolled += padded[step : step + len(words)]
    places = np.arange(offsets[-1]) + np.repeat(bounds[:-1] - offsets[:-1], sizes)
    hashes = rolled[places]
    short = np.flatnonzero((counts > 0) & (counts < width))
    if len(short):
        combined = padded[bounds[short]].copy()
        for step in range(1, width - 1):
            more = counts[short] > step
            combined[more] = combined[more] * _MULTIPLIER + padded[bounds[short][more] + step]
        hashes[offsets[short]] = combined
    return mix(hashes), offsets
