"""Sets of shingles against Python's own sets of word runs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.kernels.shinglesets import jaccard, shingle_sets

TEXT = st.lists(st.sampled_from(["a", "B", "b", "cé", "Dd"]), max_size=9).map(" ".join)


def plain(text: str, width: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[at : at + width]) for at in range(max(len(words) - width, 0) + 1)} if words else set()


def as_lists(texts: list[str | None], width: int) -> tuple[pl.Series, np.ndarray]:
    sets = shingle_sets(pl.Series(texts, dtype=pl.String), 3, 2, width)
    pieces = [sets.values[start:stop].tolist() for start, stop in zip(sets.offsets[:-1], sets.offsets[1:], strict=True)]
    return pl.Series(pieces, dtype=pl.List(pl.UInt32)), sets.seals


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12), st.integers(1, 4))
def test_the_index_is_that_of_the_sets(pairs, width):
    left, left_seals = as_lists([one for one, _ in pairs], width)
    right, right_seals = as_lists([other for _, other in pairs], width)
    sets = [(plain(one, width), plain(other, width)) for one, other in pairs]
    some = [place for place, (one, other) in enumerate(sets) if one and other]

    assert left.list.len().to_list() == [len(one) for one, _ in sets]
    assert jaccard(left[some], right[some]).tolist() == [
        len(sets[n][0] & sets[n][1]) / len(sets[n][0] | sets[n][1]) for n in some
    ]
    assert [left_seals[n] == right_seals[n] for n in some] == [sets[n][0] == sets[n][1] for n in some]


@given(st.lists(st.one_of(st.none(), TEXT), max_size=12), st.integers(0, 12))
def test_sets_do_not_depend_on_the_batch(texts, cut):
    whole, seals = as_lists(texts, 2)
    parts = [as_lists(piece, 2) for piece in (texts[:cut], texts[cut:])]

    assert whole.to_list() == parts[0][0].to_list() + parts[1][0].to_list()
    assert seals.tolist() == parts[0][1].tolist() + parts[1][1].tolist()
    keys = [
        shingle_sets(pl.Series(piece, dtype=pl.String), 3, 2, 2).keys.tolist() for piece in (texts, texts[:cut], texts[cut:])
    ]
    assert keys[0] == keys[1] + keys[2]


@pytest.mark.parametrize("nothing", [None, "", " \n\t "])
def test_a_text_without_words_has_an_empty_set(nothing):
    sets = shingle_sets(pl.Series(["one", nothing], dtype=pl.String), 2, 2)
    assert np.diff(sets.offsets).tolist() == [1, 0]
    assert not sets.keys[1].any()


def test_a_text_of_a_million_words_and_more_texts_than_a_block():
    words = [f"w{n}" for n in range(1_000_000)]
    sets, _ = as_lists([" ".join(words), " ".join(words[:800_000])], 5)
    assert abs(jaccard(sets[:1], sets[1:])[0] - 799_996 / 999_996) < 0.0003
    many, seals = as_lists([f"text number {n}" for n in range(9_000)], 1)
    assert many.list.len().to_list() == [3] * 9_000
    assert len(set(seals.tolist())) == 9_000
