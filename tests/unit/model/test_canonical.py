from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.model.canonical import canonical_json, describe, digest

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_keys_are_sorted_by_utf16_code_units() -> None:
    # RFC 8785, section 3.2.3: the example of sorting
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical_json(dict.fromkeys(names)))) == ordered


@pytest.mark.parametrize(
    ("value", "form"),
    [
        # RFC 8785, section 3.2.2.2: only what must be escaped is, in the shortest way
        ("\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ("\b\t\n\f\r\x00\x7f", b'"\\b\\t\\n\\f\\r\\u0000\x7f"'),
        ([56, {"d": True, "10": None, "1": []}], b'[56,{"1":[],"10":null,"d":true}]'),
        ({}, b"{}"),
        (-(2**53) + 1, b"-9007199254740991"),
        (("a", 1), b'["a",1]'),
    ],
)
def test_vectors(value: object, form: bytes) -> None:
    assert canonical_json(value) == form


@given(VALUES)
def test_the_form_is_json_of_the_same_value_and_a_fixed_point(value: object) -> None:
    form = canonical_json(value)
    assert json.loads(form) == value
    assert canonical_json(json.loads(form)) == form


@given(st.dictionaries(TEXT, st.integers(0, 9), min_size=2, max_size=6))
def test_the_order_of_keys_does_not_show(value: dict[str, int]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [1.5, float("nan"), 2**53, {1: 2}, b"x", {1, 2}, object(), [[0.0]]])
def test_what_has_no_single_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_a_digest_is_pinned() -> None:
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@dataclass(frozen=True)
class Threshold:
    at: float
    columns: tuple[str, ...] = ()


def test_a_description_names_the_type_and_carries_floats_as_text() -> None:
    described = describe(Threshold(0.5, ("a",)))
    assert described.pop("type").endswith("Threshold")
    assert described == {"at": "0.5", "columns": ["a"]}
    assert describe({"p": Path("x"), "s": {"b", "a"}}) == [["p", "x"], ["s", ["a", "b"]]]


def test_the_order_of_a_mapping_is_part_of_a_definition() -> None:
    assert describe({"train": 0.5, "test": 0.5}) != describe({"test": 0.5, "train": 0.5})
    assert describe({1: "x"}) != describe({"1": "x"})


def above(limit: int) -> Callable[[int], bool]:
    return lambda value: value > limit


def test_a_function_is_identified_by_its_source_and_by_what_it_captures() -> None:
    assert describe(above(1)) == describe(above(1))
    assert describe(above(1)) != describe(above(2))
    assert describe(functools.partial(max, 1)) != describe(functools.partial(max, 2))
    assert describe(lambda value, limit=1: value) != describe(lambda value, limit=2: value)


def test_a_function_that_captures_itself_can_be_described() -> None:
    def countdown(number: int) -> int:
        return countdown(number - 1) if number else 0

    assert describe(countdown)["function"].endswith("countdown")


def test_what_only_an_address_identifies_is_refused() -> None:
    with pytest.raises(TypeError, match="make it a dataclass"):
        describe(object())
