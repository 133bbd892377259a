"""Shingles against a plain reference; minima against their definition; components."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels import components, hashing, minhash
from datalab.kernels.shingles import shingles
from datalab.kernels.shinglesets import shingle_sets

TEXTS = st.lists(st.one_of(st.none(), st.text("ab \n\tÄß", max_size=30)), max_size=12)


def reference(text: str | None, width: int) -> list[int]:
    words = (text or "").lower().encode().split()
    hashes = [int(h) for h in hashing.hash_column(pl.Series([w.decode() for w in words], dtype=pl.String)).to_list()]
    found = []
    for start in range(max(len(words) - width + 1, min(len(words), 1))):
        acc = 0
        for word in hashes[start : start + width]:
            acc = (acc * 0xD1342543DE82EF95 + word) % 2**64
        found.append(int(hashing.mix(np.array([acc], dtype=np.uint64))[0]))
    return found


def sets(texts: list[str | None], width: int, **options: int) -> list[list[int]]:
    rows: list[list[int]] = []
    for first, hashes, offsets in shingles(pl.Series(texts, dtype=pl.String), width, **options):
        assert first == len(rows)
        rows += [hashes[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    return rows


@given(TEXTS, st.integers(1, 6), st.integers(1, 40))
def test_shingles_follow_the_definition_for_any_block(texts, width, block):
    assert sets(texts, width, block=block) == [reference(text, width) for text in texts]


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), min_size=1, max_size=8), st.integers(1, 60))
def test_minima_follow_the_definition_for_short_and_long_texts(texts, columns):
    hashes = np.array([value for text in texts for value in text], dtype=np.uint64)
    sizes = np.array([len(text) for text in texts])
    low_by, high_by = np.array([3, 0x9E3779B1], dtype=np.uint32), np.array([5, 0x85EBCA77], dtype=np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minhash, "_COLUMNS", columns)
        found = minhash._minima(hashes, np.cumsum(sizes) - sizes, sizes, low_by, high_by)
    for place, (a, b) in enumerate([(3, 5), (0x9E3779B1, 0x85EBCA77)]):
        for row, text in enumerate(texts):
            assert found[place, row] == min(((x & 0xFFFFFFFF) * a + (x >> 32) * b) % 2**32 for x in text)


def test_bands_find_pairs_at_the_threshold():
    for threshold in (0.6, 0.7, 0.8, 0.9):
        bands, rows = minhash.banding(threshold)
        assert 1 - (1 - threshold**rows) ** bands >= 0.99
        assert bands <= 12


def test_constants_never_change():
    sets = shingle_sets(pl.Series(["one two three four five six seven"]), 2, 3)
    assert sets.keys.tolist() == [[17819289074989035829, 11955659707266018699]]


@given(st.integers(1, 15), st.data())
def test_components_name_their_smallest(nodes, data):
    edges = data.draw(st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=20))
    smallest = list(range(nodes))
    for _ in range(nodes):
        for left, right in edges:
            smallest[left] = smallest[right] = min(smallest[left], smallest[right])
    left, right = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    forest = components.Forest(np.arange(nodes))
    forest.join(left, right)
    assert forest.roots(np.arange(nodes)).tolist() == smallest
