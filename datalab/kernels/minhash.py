"""MinHash: which texts share most of their shingles, without comparing all with all.

*Candidates* by banded MinHash (Broder 1997; Leskovec et al., Mining of Massive Datasets, ch. 3): permutation p of a shingle x is
``low32(x) * a_p + high32(x) * b_p`` modulo 2^32; a band key is the hash of the minima of ``rows`` permutations. *Confirmation* by a
one-permutation sketch (Li, Owen, Zhang 2012): shingles fall into ``BINS`` bins; of each bin it keeps whether it is occupied and the
lowest bit of its smallest hash. Sparse bins make the estimate nearly exact for short texts; for long ones its standard error
is √((1 - J²)/BINS), 0.019 at a similarity of 0.8.

All constants are pinned here: libraries change theirs between versions, and one plan must keep one result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.hashing import Numbers, mix
from datalab.kernels.shingles import shingles

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 1024
SKETCH_BYTES = BINS // 4
"""A bit for occupied and a bit for parity per bin."""

_ROWS = 1024
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_FULL = 64
"""Shingles per text from which on one cell for every bin is cheaper than sorting."""
_COLUMNS = 32
"""Texts of up to so many shingles are worked on together, shingle by shingle; longer ones each in one piece."""


def banding(threshold: float, *, recall: float = 0.99, most: int = 12) -> tuple[int, int]:
    """Return (bands, rows): the longest band for which at most ``most`` bands find a pair at ``threshold`` with ``recall``."""
    for rows in range(8, 0, -1):
        bands = math.ceil(math.log(1 - recall) / math.log1p(-(threshold**rows)))
        if bands <= most:
            return bands, rows
    return most, 1


def signatures(texts: pl.Series, bands: int, rows: int, width: int = 5) -> tuple[Numbers, Array, Array]:
    """Return (band keys, sketches, blank): arrays of shape (texts, bands), (texts, SKETCH_BYTES) of bytes, and (texts,).

    ``blank`` marks texts without a word: their keys and sketches are zero and mean nothing.
    """
    keys = np.zeros((len(texts), bands), dtype=np.uint64)
    sketches = np.zeros((len(texts), SKETCH_BYTES), dtype=np.uint8)
    blank = np.ones(len(texts), dtype=np.bool_)
    for first, hashes, offsets in shingles(texts, width):
        some = np.flatnonzero(np.diff(offsets))
        blank[first + some] = False
        for part in np.split(some, range(_ROWS, len(some), _ROWS)) if len(some) else ():
            starts, ends = offsets[part], offsets[part + 1]
            here = hashes[starts[0] : ends[-1]]
            keys[first + part] = band_keys(here, starts - starts[0], ends - starts, bands, rows)
            sketches[first + part] = _sketches(here, ends - starts)
    return keys, sketches, blank


def similarity(left: Array, right: Array) -> Array:
    """Return the estimated Jaccard similarity of sketches, row by row (float64, 0 to 1)."""
    half = SKETCH_BYTES // 2
    both = _ones(left[:, :half] & right[:, :half])
    either = _ones(left[:, :half] | right[:, :half])
    equal = _ones(left[:, :half] & right[:, :half] & ~(left[:, half:] ^ right[:, half:]))
    return np.asarray(np.clip((2 * equal - both) / np.maximum(either, 1), 0, 1))


def _ones(bits: Array) -> Array:
    return np.asarray(np.bitwise_count(np.ascontiguousarray(bits).view(np.uint64)).sum(axis=1, dtype=np.int64))


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


def _sketches(hashes: Numbers, sizes: Array) -> Array:
    """Return the sketches of up to ``_ROWS`` texts: long ones fill most of their bins, short ones few."""
    spread = mix(hashes)  # independent of the order that the bands see
    return _full_bins(spread, sizes) if len(spread) > _FULL * len(sizes) else _sparse_bins(spread, sizes)


def _full_bins(spread: Numbers, sizes: Array) -> Array:
    smallest = np.full((len(sizes), BINS), _NONE)
    places = np.repeat(np.arange(len(sizes)) * BINS, sizes) + (spread >> np.uint64(54)).astype(np.int64)
    np.minimum.at(smallest.reshape(-1), places, spread)
    occupied = smallest != _NONE
    odd = ((smallest & np.uint64(1)) == 1) & occupied
    return np.concatenate([np.packbits(occupied, axis=1), np.packbits(odd, axis=1)], axis=1)


def _sparse_bins(spread: Numbers, sizes: Array) -> Array:
    """Sorted by text and hash, the first shingle of each bin is its smallest; no memory for bins that stay empty."""
    keys = np.repeat(np.arange(len(sizes), dtype=np.uint64) << np.uint64(54), sizes)
    keys |= (spread >> np.uint64(11) << np.uint64(1)) | (spread & np.uint64(1))  # its bin, 43 bits of order, its lowest bit
    keys.sort()
    place = (keys >> np.uint64(44)).astype(np.int64)
    first = np.flatnonzero(np.diff(place, prepend=-1))
    place, odd = place[first], (keys[first] & np.uint64(1)).astype(np.uint8)
    bits = np.right_shift(np.uint8(128), (place & 7).astype(np.uint8))
    byte = place >> 3
    begin = np.flatnonzero(np.diff(byte, prepend=-1))
    half = SKETCH_BYTES // 2
    found = np.zeros((2, len(sizes) * half), dtype=np.uint8)
    found[0, byte[begin]] = np.add.reduceat(bits, begin, dtype=np.uint8)
    found[1, byte[begin]] = np.add.reduceat(bits * odd, begin, dtype=np.uint8)
    return np.concatenate(found.reshape(2, len(sizes), half), axis=1)
