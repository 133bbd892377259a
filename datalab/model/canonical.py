"""Canonical JSON and the digests made from it: one byte form for one value.

The form is that of RFC 8785 restricted to null, booleans, integers, strings, lists and objects with string keys:
keys sorted by UTF-16 code units, no white space, UTF-8. Floats are refused, because their text differs between
languages: carry them as decimal strings.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
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
    the fingerprint of whatever contains it.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        body = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        version = getattr(type(value), "version", None)
        return {"type": f"{type(value).__module__}.{type(value).__qualname__}", **({"version": version} if isinstance(version, int) else {}), **body}
    if isinstance(value, enum.Enum):
        return describe(value.value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((describe(item) for item in value), key=canonical_json)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if callable(value):
        return _describe_function(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _describe_function(function: Callable[..., Any]) -> dict[str, str]:
    name = f"{function.__module__}:{function.__qualname__}"
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = name
    return {"function": name, "source_sha256": hashlib.sha256(source.encode()).hexdigest()}


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
