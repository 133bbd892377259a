"""The one hash of datalab: column values to 64-bit numbers, the same on every machine, in every version, for every cut of the rows.

It keys exchanges, splits, samples and shingles. Not for secrets and not against an adversary: what must be exact is confirmed by
the values themselves or by two seeds (128 bits), what must be unguessable uses HMAC.

Definition, on 64-bit unsigned integers that wrap around::

    mix(x)   = the finaliser of SplitMix64 (Steele, Lea, Flood 2014)
    s(k)     = mix(seed + (k + 1) * 0x9E3779B97F4A7C15)
    text     = mix(s(-1) ^ length + sum over k of mix(word_k ^ s(k)))      length in bytes; words of 8 bytes, little-endian, zero-filled
    number   = mix(mix(value ^ s(0)) + TAG_NUMBER)                         two's complement, or the bits of the float64
    null     = mix(s(0) + TAG_NULL)
    row      = fold over columns: h = mix(h ^ column_j), h_0 = mix(seed)   column_j is hashed with seed + j

A sum over independent words needs no loop over the letters: columns are hashed by numpy at several hundred MB/s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

Numbers = np.ndarray[Any, np.dtype[np.uint64]]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TAG_NUMBER = np.uint64(0xD6E8FEB86659FD93)
_TAG_NULL = np.uint64(0xA0761D6478BD642F)
_TAILS = np.array([0xFFFFFFFFFFFFFFFF, *((1 << 8 * size) - 1 for size in range(1, 9))], dtype=np.uint64)
_STEPS = 4
"""Words of a text that are hashed place by place, all texts at once; what is longer goes on text by text."""
_BLOCK = 1 << 18
"""Bytes of text worked on at a time: what a core keeps in its own cache (larger blocks measured half as fast)."""


def mix(values: Numbers) -> Numbers:
    """Return the SplitMix64 finaliser of each number: a bijection in which every bit of the input moves every bit."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= _MIX_1
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return mixed


def hash_rows(frame: pl.DataFrame, columns: Iterable[str], seed: int = 0) -> pl.Series:
    """Return one UInt64 per row over ``columns`` in the order given; nulls count as a value of their own."""
    folded = np.full(frame.height, mix(np.array([seed], dtype=np.uint64))[0], dtype=np.uint64)
    for place, column in enumerate(columns):
        folded = mix(folded ^ hash_array(frame.get_column(column), seed + place))
    return pl.Series("hash", folded)


def hash_column(column: pl.Series, seed: int = 0) -> pl.Series:
    """Return one UInt64 per value of ``column``. Equal values of any integer width, or of any string layout, hash alike."""
    return pl.Series(column.name, hash_array(column, seed))


def hash_array(column: pl.Series, seed: int = 0) -> Numbers:
    """As `hash_column`, into numpy."""
    kind = column.dtype
    if kind.is_nested():
        column = (
            column.to_frame("value").select(pl.struct("value").struct.json_encode()).to_series().set(column.is_null(), None)
        )
    elif isinstance(kind, (pl.Categorical, pl.Enum, pl.Decimal)) or kind in {pl.Int128, pl.UInt128}:
        column = column.cast(pl.String)
    if column.dtype in {pl.String, pl.Binary}:
        hashed = _hash_texts(column, seed)
    elif kind == pl.Null:
        hashed = np.zeros(len(column), dtype=np.uint64)
    else:
        hashed = mix(mix(_bits(column) ^ _salts(1, seed)[0]) + _TAG_NUMBER)
    if column.null_count():
        hashed[column.is_null().to_numpy()] = mix(_salts(1, seed) + _TAG_NULL)[0]
    return hashed


def hash_words(values: Numbers, starts: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], seed: int = 0) -> Numbers:
    """Return the text hash of byte ranges of one buffer; ``values`` is the buffer as unaligned words (see `word_view`)."""
    sums = np.zeros(len(starts), dtype=np.uint64)
    left = np.flatnonzero(lengths)
    steps = _STEPS if lengths.sum() < 16 * _STEPS * len(lengths) else 0
    for place in range(steps):
        if not len(left):
            break
        rest = lengths[left] - 8 * place
        loaded = values[starts[left] + 8 * place] & _TAILS[np.minimum(rest, 8)]
        sums[left] += mix(loaded ^ _salts(1, seed, first=place)[0])
        left = left[rest > 8]
    if len(left):
        sums[left] += _sums(values, starts[left], lengths[left], seed, first=steps)
    return mix((_salts(0, seed, first=-1)[0] ^ lengths.astype(np.uint64)) + sums)


def _sums(values: Numbers, starts: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], seed: int, first: int) -> Numbers:
    """Return the sums over the words of each range from its word ``first`` on, which all have."""
    words = ((lengths + 7) >> 3) - first
    ends = np.cumsum(words)
    within = np.arange(ends[-1]) - np.repeat(ends - words, words)
    loaded = values[np.repeat(starts + 8 * first, words) + 8 * within]
    loaded[ends - 1] &= _TAILS[(lengths - 1) % 8 + 1]
    return np.asarray(np.add.reduceat(mix(loaded ^ _salts(int(words.max()), seed, first=first)[within]), ends - words))


def text_buffers(column: pl.Series) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return (bytes, offsets): text i of a String or Binary series is ``bytes[offsets[i]:offsets[i + 1]]``; nulls are empty."""
    array = column.rechunk().to_arrow()
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    array = array.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = array.buffers()[2]
    return np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(0, dtype=np.uint8), offsets


def word_view(data: np.ndarray[Any, Any]) -> Numbers:
    """Return a copy of ``data`` (bytes) seen as one little-endian word per byte position, zeros after the end."""
    padded = np.zeros(len(data) + 8, dtype=np.uint8)
    padded[: len(data)] = data
    return np.ndarray(shape=(len(data) + 1,), dtype="<u8", buffer=padded, strides=(1,))


def _hash_texts(column: pl.Series, seed: int) -> Numbers:
    data, offsets = text_buffers(column)
    hashed = np.zeros(len(column), dtype=np.uint64)
    if not len(column):
        return hashed
    lengths = np.diff(offsets)
    huge = np.flatnonzero(lengths > _BLOCK)
    blocks = np.searchsorted(offsets, np.arange(offsets[0] + _BLOCK, offsets[-1], _BLOCK))
    cuts = np.unique(np.concatenate([[0, len(lengths)], blocks, huge, huge + 1]))
    for first, last in itertools.pairwise(cuts.tolist()):
        block = data[offsets[first] : offsets[last]]
        if last == first + 1 and len(block) > _BLOCK:
            hashed[first] = _hash_huge(block, seed)
        else:
            starts = offsets[first:last] - offsets[first]
            hashed[first:last] = hash_words(word_view(block), starts, lengths[first:last], seed)
    return hashed


def _hash_huge(text: np.ndarray[Any, Any], seed: int) -> np.uint64:
    """Hash one text block by block: the sum over its words can be added up in pieces."""
    total = np.zeros(1, dtype=np.uint64)
    for start in range(0, len(text), _BLOCK):
        piece = text[start : start + _BLOCK]
        words = np.zeros((len(piece) + 7) // 8 * 8, dtype=np.uint8)
        words[: len(piece)] = piece
        total += mix(words.view("<u8") ^ _salts(len(words) // 8, seed, first=start // 8)).sum(dtype=np.uint64)
    return np.uint64(mix((_salts(0, seed, first=-1) ^ np.uint64(len(text))) + total)[0])


def _salts(count: int, seed: int, first: int = 0) -> Numbers:
    """Return s(first), s(first + 1) …, at least one."""
    places = np.arange(first + 1, first + 1 + max(count, 1), dtype=np.int64).astype(np.uint64)
    return mix(places * _GOLDEN + np.uint64(seed & 0xFFFFFFFFFFFFFFFF))


def _bits(column: pl.Series) -> Numbers:
    """Return the values as 64 bits, nulls as 0; the zeros of a float are one value, and so are its NaNs."""
    if column.dtype.is_float():
        floats = column.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0
        return np.where(np.isnan(floats), np.nan, floats).view(np.uint64)
    physical = column.to_physical()
    if physical.dtype == pl.UInt64:
        return physical.fill_null(0).to_numpy().copy()
    return physical.cast(pl.Int64).fill_null(0).to_numpy().copy().view(np.uint64)
