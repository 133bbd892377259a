from __future__ import annotations

import pytest

from benchmarks.engine.near_duplicates import planted, similarity

WORDS = [f"word{n}" for n in range(500)]


def test_similarity_is_the_jaccard_index_of_five_word_runs():
    text = WORDS[:9]
    assert similarity(text, text) == 1.0
    assert similarity(text, [*text[:8], "other"]) == pytest.approx(4 / 6)
    assert similarity(text, WORDS[20:29]) == 0.0


def test_planted_copies_are_as_similar_as_is_said_of_them():
    texts, near, far = planted(60)
    alike = {place: similarity(texts[place - 1].split(" "), texts[place].split(" ")) for place in near | far}
    assert near
    assert far
    assert all(0.8 <= alike[place] <= 0.86 for place in near)
    assert all(0.75 <= alike[place] < 0.8 for place in far)
