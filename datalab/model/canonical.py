"""Canonical JSON and the digests made from it: one byte form for one value.

The form is that of RFC 8785 restricted to null, booleans, integers, strings, lists and objects with string keys:
keys sorted by UTF-16 code units, no white space, UTF-8. Floats are refused, because their text differs between
languages: carry them as decimal strings.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from types import CellType
from typing import Any

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]

_LARGEST_EXACT = 2**53 - 1  # RFC 8785 numbers are IEEE doubles: beyond this an integer is not exact


def canonical_json(value: Any) -> bytes:
    """Return the canonical bytes of ``value``; raise ``TypeError`` for floats and other values without one form."""
    return json.dumps(_checked(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def describe(value: Any) -> Any:
    """Turn a definition (dataclasses, enums, paths, functions, floats, sets) into plain JSON that identifies it.

    A function is named by module and qualified name, and by the digest of its source, so that editing it changes
    the fingerprint of whatever contains it; what it closes over and its default values count too. A mapping becomes a list of
    pairs: the order of a definition can decide its result. Raise ``TypeError`` for an object that nothing identifies.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        body = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        version = getattr(type(value), "version", None)
        return {
            "type": f"{type(value).__module__}.{type(value).__qualname__}",
            **({"version": version} if isinstance(version, int) else {}),
            **body,
        }
    if isinstance(value, enum.Enum):
        return describe(value.value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return [[describe(key), describe(item)] for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted((describe(item) for item in value), key=canonical_json)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return _describe_other(value)


def _describe_other(value: Any) -> Any:
    if isinstance(value, functools.partial):
        return {"partial": describe(value.func), "arguments": describe(value.args), "keywords": describe(value.keywords)}
    if callable(value) and hasattr(value, "__qualname__"):
        return _describe_function(value)
    text = str(value)
    if f" at {id(value):#x}" in text:  # the default form names an address: another one in the next process
        msg = f"{type(value).__name__} has no description that stays the same: make it a dataclass"
        raise TypeError(msg)
    return text


def _describe_function(function: Callable[..., Any]) -> dict[str, Any]:
    name = f"{function.__module__}:{function.__qualname__}"
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = name
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _is_filled(cell)]
    captured = [item for item in (*cells, *(getattr(function, "__defaults__", None) or ())) if item is not function]
    described = {"function": name, "source_sha256": hashlib.sha256(source.encode()).hexdigest()}
    return {**described, "captured": [describe(item) for item in captured]} if captured else described


def _is_filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _checked(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if abs(value) > _LARGEST_EXACT:
            msg = f"integer {value} is too large for canonical JSON: carry it as a string"
            raise TypeError(msg)
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            msg = "canonical JSON has string keys only"
            raise TypeError(msg)
        return {key: _checked(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, (list, tuple)):
        return [_checked(item) for item in value]
    msg = f"{type(value).__name__} has no canonical JSON form"
    raise TypeError(msg)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")
