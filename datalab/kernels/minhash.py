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

_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)


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
        if len(some):
            blank[first + some] = False
            keys[first + some] = band_keys(hashes, offsets[some], bands, rows)
            sketches[first + some] = _sketches(hashes, np.diff(offsets)[some])
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


def band_keys(hashes: Numbers, starts: Array, bands: int, rows: int) -> Numbers:
    """Return the band keys, shape (texts, bands), of texts whose shingle hashes begin at ``starts``; none may be empty."""
    low = hashes.astype(np.uint32)
    high = (hashes >> np.uint64(32)).astype(np.uint32)
    factors = mix(np.arange(1, bands * rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    keys = np.empty((len(starts), bands), dtype=np.uint64)
    for band in range(bands):
        key = np.full(len(starts), band + 1, dtype=np.uint64)
        for factor in factors[band * rows : (band + 1) * rows]:
            permuted = low * np.uint32(factor & np.uint64(0xFFFFFFFF) | np.uint64(1))
            permuted += high * np.uint32(factor >> np.uint64(32) | np.uint64(1))
            key = mix(key ^ np.minimum.reduceat(permuted, starts).astype(np.uint64))
        keys[:, band] = key
    return keys


def _sketches(hashes: Numbers, sizes: Array) -> Array:
    smallest = np.full((len(sizes), BINS), _NONE)
    spread = mix(hashes)  # independent of the order that the bands see
    places = np.repeat(np.arange(len(sizes)) * BINS, sizes) + (spread >> np.uint64(54)).astype(np.int64)
    np.minimum.at(smallest.reshape(-1), places, spread)
    occupied = smallest != _NONE
    odd = ((smallest & np.uint64(1)) == 1) & occupied
    return np.concatenate([np.packbits(occupied, axis=1), np.packbits(odd, axis=1)], axis=1)
