from __future__ import annotations

from random import Random

import pytest

from benchmarks.engine.near_duplicates import plant, similarity

WORDS = [f"word{n}" for n in range(500)]


def test_similarity_is_the_jaccard_index_of_five_word_runs():
    text = WORDS[:9]
    assert similarity(text, text) == 1.0
    assert similarity(text, [*text[:8], "other"]) == pytest.approx(4 / 6)
    assert similarity(text, WORDS[20:29]) == 0.0


@pytest.mark.parametrize(("least", "most"), [(0.80, 0.82), (0.60, 0.78)])
def test_planted_copies_are_as_similar_as_is_said_of_them(least, most):
    pairs = [plant(Random(seed), WORDS, least, most) for seed in range(20)]
    exact = [similarity(pair.text.split(" "), pair.copy.split(" ")) for pair in pairs]
    assert exact == [pair.similarity for pair in pairs]
    assert all(least <= one <= most for one in exact)
