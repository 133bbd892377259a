"""What the sandbox offers: folders with a ``holding.toml``, read once at the start."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from datalab.errors import DatalabError, SettingsError
from datalab.policy import parse
from datalab_connectors.dsp.holdings import File, Holding

__all__ = ["OWN", "File", "Holding", "read_shelf"]

OWN = Path(__file__).parent / "holdings"
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_KEYS = {
    "id", "title", "description", "holder", "licence", "keywords", "languages", "personal_data", "issued", "policy",
    "distribution", "columns",
}  # fmt: skip


def read_shelf(folders: list[Path]) -> dict[str, Holding]:
    """Read all holdings below ``folders``, by id; raise ``SettingsError`` naming the file that is wrong."""
    found: dict[str, Holding] = {}
    for folder in folders:
        for path in sorted(folder.glob("*/holding.toml")):
            holding = _read(path)
            if holding.id in found:
                raise SettingsError(f"two holdings have the id {holding.id!r}", where=str(path), next="rename one of them")
            found[holding.id] = holding
    return found


def _read(path: Path) -> Holding:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for key in table:
            if key not in _KEYS:
                raise SettingsError(f"unknown key {key!r}", where=str(path), next=f"known are {', '.join(sorted(_KEYS))}")
        if not _ID.fullmatch(table["id"]):
            raise SettingsError(
                f"{table['id']!r} is not an id", where=str(path), next="use lower-case letters, digits, - and ."
            )
        text = (path.parent / table.get("policy", "policy.json")).read_text(encoding="utf-8")
        parse(text)
        return Holding(
            id=table["id"],
            offer_id=f"offer:{table['id']}:{hashlib.sha256(text.encode()).hexdigest()[:16]}",
            title=table["title"],
            description=table["description"],
            holder=table["holder"],
            policy=_terms(json.loads(text)),
            files=tuple(_file(path.parent, entry) for entry in table["distribution"]),
            licence=table.get("licence", ""),
            keywords=tuple(table.get("keywords", ())),
            languages=tuple(table.get("languages", ())),
            personal_data=bool(table["personal_data"]),
            issued=str(table.get("issued", "")),
            columns=tuple((name, str(words)) for name, words in table.get("columns", {}).items()),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"the holding cannot be read: {type(error).__name__}: {error}", where=str(path)) from None
    except DatalabError as error:
        error.where = error.where or str(path)
        raise


def _terms(policy: dict[str, Any]) -> dict[str, Any]:
    """Return the rules of a policy file: who offers and under which id is said by the offer made from it."""
    return {key: value for key, value in policy.items() if key not in {"@context", "@id", "@type", "uid", "target", "assigner"}}


def _file(folder: Path, entry: dict[str, Any]) -> File:
    path = (folder / entry["file"]).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise SettingsError(f"{entry['file']!r} lies outside its holding", where=str(folder))
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return File(
        id=str(entry["id"]),
        path=path,
        format=entry["format"],
        media_type=entry["media_type"],
        title=entry.get("title", ""),
        bytes=path.stat().st_size,
        sha256=sha256,
    )
