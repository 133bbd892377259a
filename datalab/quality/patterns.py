r"""Python regular expressions rewritten for the Rust engine of polars, where both surely mean the same.

Great Expectations searches with Python's ``re``. A pattern is read by ``re``'s own parser and written again from its tree, so that
nothing depends on two parsers reading one text alike: classes such as ``\d`` become the code points that this Python counts
among them, ``^`` and ``$`` become the absolute ends (Python's ``$`` also holds before a last line feed). What has no sure
counterpart (look-around, back references, ``\b``, flags, possessive repeats, ``$`` in the middle) is not rewritten.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

_TREE = importlib.import_module("re._parser")
_LARGEST_REPEAT = 1000
"""Beyond it, the Rust engine's automata grow past its limit."""


class _NoCounterpartError(Exception):
    """Raised while walking a tree that holds something without a sure counterpart."""


@functools.cache
def rust_pattern(pattern: str) -> str | None:
    """Return a pattern that finds in polars exactly where ``re.search(pattern)`` finds in Python; None where that is not sure."""
    import polars as pl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "possible nested set" and the like: the meaning may change with the version
            tree = _TREE.parse(pattern)
        if tree.state.flags & ~re.UNICODE:
            return None
        written = _sequence(tree, tail=True)
        pl.Series([""]).str.contains(written, literal=False)
    except (_NoCounterpartError, re.error, Warning, OverflowError, RecursionError, pl.exceptions.ComputeError):
        return None
    return written


def _sequence(items: Sequence[tuple[Any, Any]], *, tail: bool) -> str:
    last = len(items) - 1
    return "".join(_item(str(op), argument, tail=tail and place == last) for place, (op, argument) in enumerate(items))


def _item(op: str, argument: Any, *, tail: bool) -> str:
    if op == "LITERAL":
        return _character(argument)
    if op == "NOT_LITERAL":
        return f"[^{_character(argument)}]"
    if op == "ANY":
        return r"[^\n]"
    if op == "IN":
        return _class(argument)
    if op == "AT":
        return _anchor(str(argument), tail=tail)
    if op in {"MAX_REPEAT", "MIN_REPEAT"}:
        return _repeat(*argument)
    if op == "SUBPATTERN":
        _, added, removed, inner = argument
        if added or removed:
            raise _NoCounterpartError
        return f"(?:{_sequence(inner, tail=tail)})"
    if op == "BRANCH":
        return "(?:" + "|".join(_sequence(branch, tail=tail) for branch in argument[1]) + ")"
    raise _NoCounterpartError


def _repeat(low: int, high: Any, inner: Sequence[tuple[Any, Any]]) -> str:
    endless = str(high) == "MAXREPEAT"
    if low > _LARGEST_REPEAT or (not endless and high > _LARGEST_REPEAT):
        raise _NoCounterpartError
    return f"(?:{_sequence(inner, tail=False)}){{{low},{'' if endless else high}}}"


def _anchor(name: str, *, tail: bool) -> str:
    if name in {"AT_BEGINNING", "AT_BEGINNING_STRING"}:
        return r"\A"
    if name == "AT_END_STRING":
        return r"\z"
    if name == "AT_END" and tail:
        return r"(?:\n?\z)"
    raise _NoCounterpartError


def _class(members: Sequence[tuple[Any, Any]]) -> str:
    negated = str(members[0][0]) == "NEGATE"
    inside = "".join(_member(str(op), argument) for op, argument in members[negated:])
    return f"[{'^' * negated}{inside}]"


def _member(op: str, argument: Any) -> str:
    if op == "LITERAL":
        return _character(argument)
    if op == "RANGE":
        low, high = argument
        return f"{_character(low)}-{_character(high)}"
    if op == "CATEGORY" and str(argument) in _CATEGORIES:
        return _category(str(argument))
    raise _NoCounterpartError


_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda character: character.isalnum() or character == "_",
    "CATEGORY_NOT_DIGIT": lambda character: not character.isdecimal(),
    "CATEGORY_NOT_SPACE": lambda character: not character.isspace(),
    "CATEGORY_NOT_WORD": lambda character: not (character.isalnum() or character == "_"),
}


@functools.cache
def _category(name: str) -> str:
    """Write out a category of ``re`` as ranges; measured: 0.2 s for the first use in a process."""
    belongs = _CATEGORIES[name]
    ranges: list[list[int]] = []
    for point in range(sys.maxunicode + 1):
        if not 0xD800 <= point <= 0xDFFF and belongs(chr(point)):
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return "".join(f"{_character(low)}-{_character(high)}" for low, high in ranges)


def _character(point: int) -> str:
    if 0xD800 <= point <= 0xDFFF:
        raise _NoCounterpartError
    return f"\\x{{{point:X}}}"
