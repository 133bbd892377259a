"""Secrets of connectors: the settings hold a reference, the value is read when it is needed and shown nowhere."""

from __future__ import annotations

import os
from pathlib import Path

from datalab.errors import SettingsError

_NEXT = "write env:NAME or file:PATH; the value itself never stands in datalab.toml"


def secret(reference: str, where: str) -> str:
    """Return what ``reference`` (``env:NAME`` or ``file:PATH``) stands for; raise ``SettingsError`` without showing it.

    Asked again, it is read again: a short-lived token may have been replaced in the meantime.
    """
    scheme, _, place = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(place, "").strip()
    elif scheme == "file":
        try:
            value = Path(place).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            value = ""
    else:
        raise SettingsError("a secret must be a reference", where=where, next=_NEXT)
    if not value or not value.isprintable():
        raise SettingsError(f"the secret {scheme}:{place} is missing or not one line of text", where=where, next="set it")
    return value
