"""JSON pointers (RFC 6901), with one more word: ``*`` stands for every item of a list and every value of an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_MOST = 1000


def values(body: Any, pointer: str) -> Iterator[Any]:
    """Yield what ``pointer`` leads to: nothing where a step is missing, several with ``*`` (1000 at the most).

    >>> list(values({"a": [{"b": 1}, {"b": 2}]}, "/a/*/b"))
    [1, 2]
    """
    found = [body]
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = [inner for item in found for inner in _step(item, name)][:_MOST]
    yield from found


def first(body: Any, pointers: Iterable[str]) -> str:
    """Return the first text or number that one of the pointers leads to, "" for none."""
    return next(iter(texts(body, pointers)), "")


def texts(body: Any, pointers: Iterable[str]) -> list[str]:
    """Return the texts that the first pointer with any leads to, lists flattened, without repetition."""
    for pointer in pointers:
        if found := list(dict.fromkeys(_plain(values(body, pointer)))):
            return found
    return []


def _plain(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, list):
            yield from _plain(item)
        elif isinstance(item, str) and item.strip():
            yield item.strip()
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield str(item)


def _step(item: Any, name: str) -> list[Any]:
    if name == "*":
        return list(item.values()) if isinstance(item, dict) else list(item) if isinstance(item, list) else []
    if isinstance(item, dict):
        return [item[name]] if name in item else []
    if isinstance(item, list) and name.isascii() and name.isdigit() and int(name) < len(item):
        return [item[int(name)]]
    return []
