"""A profile: one REST catalogue described in a short TOML file. How to write one: docs/how-to/connect-rest.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from datalab.errors import NotFound, SettingsError

_SECTIONS: Mapping[str, Mapping[str, type]] = {
    "": {"title": str, "documentation": str, "url": str, "holder": str},
    "auth": {"style": str, "name": str},
    "search": {"path": str, "text": str, "any": str, "size": str, "most": int, "items": str, "whole": bool, "parameters": dict},
    "page": {"style": str, "parameter": str, "start": str, "next": str, "links": str},
    "record": {"path": str, "item": str, "id": list},
    "fields": {
        "title": list, "description": list, "holder": list, "licence": list, "keywords": list, "languages": list, "issued": list,
    },
    "inherit": {"path": str, "licence": list, "holder": list},
    "assets": {
        "items": str, "id": list, "href": list, "media_type": list, "bytes": list, "sha256": list, "title": list, "files_only": bool,
    },
}  # fmt: skip
_STYLES = {"page": ("cursor", "offset", "number", "link"), "auth": ("", "query", "bearer")}
_NEEDED = (
    ("search", "path"),
    ("search", "items"),
    ("page", "style"),
    ("record", "path"),
    ("record", "id"),
    ("fields", "title"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as read: sections with their keys, whole (absent keys have the empty value of their type)."""

    name: str
    sections: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, section: str) -> Mapping[str, Any]:
        return self.sections[section]


def load_profile(name: str, *, where: str) -> Profile:
    """Return the profile that comes along under ``name``, or the one in the file of that path (``….toml``)."""
    shelf = files("datalab_connectors.rest") / "profiles"
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise SettingsError(
                "the profile cannot be read", where=name, next="check profile in the connector's table"
            ) from None
    else:
        known = sorted(item.name.removesuffix(".toml") for item in shelf.iterdir() if item.name.endswith(".toml"))
        if name not in known:
            raise NotFound.among("profile", name, known, where=where)
        text = (shelf / f"{name}.toml").read_text(encoding="utf-8")
    return read_profile(name, text)


def read_profile(name: str, text: str) -> Profile:
    """Read the text of a profile, strictly: what it does not say right is an error that names the place."""
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the profile is not valid TOML: {error}", where=name) from None
    plain = {key: value for key, value in body.items() if not isinstance(value, dict)}
    given = {"": plain} | {key: value for key, value in body.items() if isinstance(value, dict)}
    sections: dict[str, dict[str, Any]] = {}
    for section, table in given.items():
        if section not in _SECTIONS:
            raise NotFound.among("section", section, filter(None, _SECTIONS), where=f"profile {name}")
        for key, value in table.items():
            _check(section, key, value, f"profile {name}, [{section}]" if section else f"profile {name}")
    for section, keys in _SECTIONS.items():
        sections[section] = {key: given.get(section, {}).get(key, kind()) for key, kind in keys.items()}
    for section, key in _NEEDED:
        if key not in given.get(section, {}):
            raise SettingsError(f"the profile does not say {key!r}", where=f"profile {name}, [{section}]")
    return Profile(name, sections)


def _check(section: str, key: str, value: Any, where: str) -> None:
    known = _SECTIONS[section]
    if key not in known:
        raise NotFound.among("key", key, known, where=where)
    if type(value) is not known[key]:
        words = {str: "text", bool: "true or false", int: "a whole number", list: "a list of pointers", dict: "a table"}
        raise SettingsError(f"{key!r} must be {words[known[key]]}", where=where)
    pointers = value if isinstance(value, list) else [value] if key in {"items", "item", "next", "links"} else []
    for pointer in pointers:
        if not isinstance(pointer, str) or not (pointer.startswith("/") or (pointer == "" and key in {"items", "item"})):
            raise SettingsError(f"{key!r} must be a JSON pointer: it begins with /", where=where)
    if key == "style" and value not in _STYLES[section]:
        raise NotFound.among("style", str(value), _STYLES[section], where=where)
