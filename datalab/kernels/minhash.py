"""MinHash: which texts share most of their shingles, without comparing all with all.

Candidates come from banded MinHash (Broder 1997; Leskovec et al., Mining of Massive Datasets, ch. 3): permutation p of a shingle x is
``low32(x) * a_p + high32(x) * b_p`` modulo 2^32; a band key is the hash of the minima of ``rows`` permutations. Whether a candidate is
one is for the sets themselves to say (`datalab.kernels.shinglesets`).

All constants are pinned here: libraries change theirs between versions, and one plan must keep one result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from datalab.kernels.hashing import Numbers, mix

Array = np.ndarray[Any, np.dtype[Any]]

_COLUMNS = 32
"""Texts of up to so many shingles are worked on together, shingle by shingle; longer ones each in one piece."""


def banding(threshold: float, *, recall: float = 0.99, most: int = 12) -> tuple[int, int]:
    """Return (bands, rows): the longest band for which at most ``most`` bands find a pair at ``threshold`` with ``recall``."""
    for rows in range(8, 0, -1):
        bands = math.ceil(math.log(1 - recall) / math.log1p(-(threshold**rows)))
        if bands <= most:
            return bands, rows
    return most, 1


def band_keys(hashes: Numbers, starts: Array, sizes: Array, bands: int, rows: int) -> Numbers:
    """Return the band keys, shape (texts, bands), of texts whose ``sizes`` shingle hashes begin at ``starts``; none may be empty."""
    factors = mix(np.arange(1, bands * rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    minima = _minima(hashes, starts, sizes, factors.astype(np.uint32) | 1, (factors >> np.uint64(32)).astype(np.uint32) | 1)
    keys = np.repeat(np.arange(1, bands + 1, dtype=np.uint64)[:, None], len(starts), axis=1)
    for row in range(rows):
        keys = mix(keys ^ minima[row::rows])
    return keys.T


def _minima(hashes: Numbers, starts: Array, sizes: Array, low_by: Array, high_by: Array) -> Array:
    """Return the smallest shingle of each text under each permutation, shape (permutations, texts), as 32 bits."""
    low, high = hashes.astype(np.uint32), (hashes >> np.uint64(32)).astype(np.uint32)
    minima = np.empty((len(low_by), len(starts)), dtype=np.uint32)
    long = np.flatnonzero(sizes > _COLUMNS)
    if len(long):
        inside = slice(None) if len(long) == len(starts) else np.repeat(sizes > _COLUMNS, sizes)
        own_low, own_high = low[inside], high[inside]
        own_starts = np.cumsum(sizes[long]) - sizes[long]
        permuted, other = np.empty_like(own_low), np.empty_like(own_low)  # fresh memory costs more than the arithmetic
        for place in range(len(low_by)):
            np.multiply(own_low, low_by[place], out=permuted)
            np.multiply(own_high, high_by[place], out=other)
            permuted += other
            minima[place, long] = np.minimum.reduceat(permuted, own_starts)
    short = np.flatnonzero(sizes <= _COLUMNS)
    if len(short):
        order = short[np.argsort(-sizes[short], kind="stable")]
        smallest = np.full((len(low_by), len(order)), 0xFFFFFFFF, dtype=np.uint32)
        reaching = np.searchsorted(-sizes[order], -np.arange(int(sizes[order[0]])), side="left")
        permuted, other = np.empty_like(smallest), np.empty_like(smallest)
        for column, count in enumerate(reaching.tolist()):
            places = starts[order[:count]] + column
            values = np.multiply(low[places], low_by[:, None], out=permuted[:, :count])
            values += np.multiply(high[places], high_by[:, None], out=other[:, :count])
            np.minimum(smallest[:, :count], values, out=smallest[:, :count])
        minima[:, order] = smallest
    return minima
