from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.quality.patterns import rust_pattern

WORDS = [
    "",
    "a",
    "b",
    "ab",
    "ba",
    "a\n",
    "\n",
    "aa",
    "é",
    "1",
    "\u0661",
    "_",
    " ",
    "\x1c",
    "\u00a0",
    "K",
    "\u212a",
    "e\u0301",
    "\u200c",
    "日",
]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?i)k", r"\bword\b", r"\B", r"(?=a)", r"(?<!a)b", r"(a)\1", r"(?m)^a$", r"(?s).", r"(?x) a", r"a$b", r"(a$)+", "a{9999}",
        "(?P<x>a)(?P=x)", "(?a:\\w)", "(?>a)", "a*+", "[[a]", "(", "[b-a]", "\ud800", "((((a{100}){100}){100}){100})",
    ],
)  # fmt: skip
def test_what_has_no_sure_counterpart_is_left_alone(pattern):
    assert rust_pattern(pattern) is None


atoms = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\W", r"\d", r"\s", r"[\s_]", "é", r"\.", "[^\\d]", "\\n", "(?:ab)"]
)
pieces = st.builds("".join, st.tuples(atoms, st.sampled_from(["", "*", "+", "?", "{2}", "{1,2}", "*?", "{,3}"])))
bodies = st.lists(pieces, min_size=1, max_size=4).map("".join)
patterns = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "^", r"\A"]),
    bodies | st.builds("({}|{})".format, bodies, bodies),
    st.sampled_from(["", "$", r"\Z"]),
)


@settings(max_examples=300, deadline=None)
@given(patterns, st.lists(st.text(alphabet="ab1é_ \n.\x1c日", max_size=6), max_size=8))
def test_python_and_polars_find_the_same(pattern, texts):
    texts = [*texts, *WORDS]
    written = rust_pattern(pattern)
    assert written is not None
    found = pl.Series(texts).str.contains(written, literal=False).to_list()
    assert found == [re.search(pattern, text) is not None for text in texts]


def test_classes_hold_every_character_that_python_counts():
    every = [chr(point) for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    for name in (r"\w", r"\d", r"\s", r"\W"):
        found = pl.Series(every).str.contains(rust_pattern(name), literal=False).sum()
        assert found == len(re.findall(name, "".join(every))), name
