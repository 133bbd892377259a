"""The pinned hash: test vectors, a plain reference, and independence of the cut."""

from __future__ import annotations

import datetime as dt
import struct

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels import hashing

WORD = (1 << 64) - 1


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & WORD
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & WORD
    return x ^ x >> 31


def salt(place: int, seed: int) -> int:
    return mix(seed + (place + 1) * 0x9E3779B97F4A7C15 & WORD)


def reference(value: object, seed: int = 0) -> int:
    if value is None:
        return mix(salt(0, seed) + 0xA0761D6478BD642F & WORD)
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
        return mix((salt(-1, seed) ^ len(data)) + sum(mix(w ^ salt(k, seed)) for k, w in enumerate(words)) & WORD)
    bits = struct.unpack("<Q", struct.pack("<d", value))[0] if isinstance(value, float) else int(value) & WORD
    return mix(mix(bits ^ salt(0, seed)) + 0xD6E8FEB86659FD93 & WORD)


def test_vectors_never_change():
    texts = pl.Series(["", "a", "datalab", "12345678", "123456789", "Ωδή", None])
    assert hashing.hash_column(texts).to_list() == VECTORS
    assert hashing.hash_column(pl.Series([0, 1, -1])).to_list() == NUMBERS
    assert hashing.hash_rows(pl.DataFrame({"a": ["x"], "b": [7]}), ["a", "b"], seed=42).to_list() == [ROW]


VECTORS = [
    0,
    13241633793171066038,
    12026220073373811011,
    16885345757471794040,
    7157142637945095725,
    722730890222507331,
    15907059998082330786,
]
NUMBERS = [10279317676686426604, 12026372620087817106, 7162855490191664826]
ROW = 10507503783697545548


@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=20), st.integers(0, WORD))
def test_texts_follow_the_definition(texts, seed):
    assert hashing.hash_column(pl.Series(texts, dtype=pl.String), seed).to_list() == [reference(t, seed) for t in texts]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20), st.integers(0, 1000))
def test_integers_follow_the_definition(numbers, seed):
    assert hashing.hash_column(pl.Series(numbers, dtype=pl.Int64), seed).to_list() == [reference(n, seed) for n in numbers]


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=20), st.integers(0, 20))
def test_a_slice_hashes_as_in_the_whole(texts, cut):
    column = pl.Series(texts, dtype=pl.String)
    whole = hashing.hash_column(column).to_list()
    assert hashing.hash_column(column[:cut]).to_list() + hashing.hash_column(column[cut:]).to_list() == whole


def test_huge_texts_among_small_ones():
    texts = ["a" * (hashing._BLOCK + 3), "b", "", None, "c" * 2 * hashing._BLOCK, "d" * 9, "e" * (hashing._BLOCK - 1)]
    assert hashing.hash_column(pl.Series(texts)).to_list() == [reference(t) for t in texts]


def test_widths_and_layouts_do_not_matter():
    assert hashing.hash_column(pl.Series([5], dtype=pl.UInt8)).to_list() == hashing.hash_column(pl.Series([5])).to_list()
    text = pl.Series(["x", "y", "x"])
    assert hashing.hash_column(text.cast(pl.Categorical)).to_list() == hashing.hash_column(text).to_list()
    assert hashing.hash_column(pl.Series([0.0])).to_list() == hashing.hash_column(pl.Series([-0.0])).to_list()


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([1.5, float("nan"), None, 2.5]),
        pl.Series([True, False, None]),
        pl.Series([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)]),
        pl.Series([[1, 2], None, [2, 1], []]),
        pl.Series([{"a": 1}, {"a": 2}, None]),
        pl.Series([b"\xff", b"", None]),
        pl.Series([2**63, 1, None], dtype=pl.UInt64),
        pl.Series(["1.10", "2.20", None]).cast(pl.Decimal(10, 2)),
    ],
    ids=lambda column: str(column.dtype),
)
def test_every_type_keeps_its_values_apart(column):
    hashed = hashing.hash_column(column)
    assert hashed.n_unique() == column.len()
    assert hashing.hash_column(column[1:]).to_list() == hashed.to_list()[1:]


def test_columns_and_order_count():
    frame = pl.DataFrame({"a": ["x", None], "b": [None, "x"]}, schema={"a": pl.String, "b": pl.String})
    assert hashing.hash_rows(frame, ["a", "b"]).n_unique() == 2
    assert hashing.hash_rows(frame.head(0), ["a"]).to_list() == []
    assert hashing.hash_column(pl.Series("n", [None, None])).n_unique() == 1


def test_spread_is_even():
    hashed = hashing.hash_array(pl.Series([f"row {i}" for i in range(20_000)]))
    for shift in (0, 20, 40, 58):
        counts = np.bincount(((hashed >> np.uint64(shift)) & np.uint64(63)).astype(int), minlength=64)
        assert ((counts - 312.5) ** 2 / 312.5).sum() < 130  # chi-square, 63 degrees of freedom, p < 1e-6
