"""Small checks for JSON messages: each takes a value and its place, and raises ``Misshapen`` where the value does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any, str], None]


class Misshapen(ValueError):
    """A value that is not what its place in a message asks for."""


def text(value: Any, where: str) -> None:
    """Any string."""
    if not isinstance(value, str):
        raise Misshapen(f"{where} is not a string")


def anything(value: Any, where: str) -> None:
    """Any value."""


def matching(pattern: str) -> Check:
    """A string that contains ``pattern``."""
    compiled = re.compile(pattern)

    def check(value: Any, where: str) -> None:
        text(value, where)
        if not compiled.search(value):
            raise Misshapen(f"{where} is not of the form asked for")

    return check


def one_of(*values: str) -> Check:
    """One of the given strings."""

    def check(value: Any, where: str) -> None:
        if value not in values or not isinstance(value, str):
            raise Misshapen(f"{where} is not one of {', '.join(values)}")

    return check


def list_of(item: Check, *, at_least: int = 0) -> Check:
    """A list of at least so many items."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) < at_least:
            raise Misshapen(f"{where} is not a list of {at_least} or more")
        for place, entry in enumerate(value):
            item(entry, f"{where}[{place}]")

    return check


def containing(item: str) -> Check:
    """A list of strings with ``item`` among them."""

    def check(value: Any, where: str) -> None:
        list_of(text, at_least=1)(value, where)
        if item not in value:
            raise Misshapen(f"{where} does not contain {item}")

    return check


def either(*checks: Check) -> Check:
    """What passes one of the checks."""

    def check(value: Any, where: str) -> None:
        for candidate in checks:
            try:
                candidate(value, where)
            except Misshapen:
                continue
            return
        raise Misshapen(f"{where} has none of the forms allowed")

    return check


def record(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    *,
    exactly_one: Sequence[str] = (),
    any_of: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Check:
    """An object with these keys; other keys are left alone."""
    known = {**(optional or {}), **required}

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Misshapen(f"{where or 'the message'} is not an object")
        missing = [key for key in required if key not in value]
        present = [key for key in without if key in value]
        if missing:
            raise Misshapen(f"{_at(where, missing[0])} is missing")
        if present:
            raise Misshapen(f"{_at(where, present[0])} must not be there")
        if exactly_one and sum(key in value for key in exactly_one) != 1:
            raise Misshapen(f"{where or 'the message'} needs exactly one of {' and '.join(exactly_one)}")
        if any_of and not any(key in value for key in any_of):
            raise Misshapen(f"{where or 'the message'} needs {' or '.join(any_of)}")
        for key in known.keys() & value.keys():
            known[key](value[key], _at(where, key))

    return check


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
