"""How a source is read: chosen by the steward, or detected once and recorded in the plan."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datalab.errors import NotFound, UsageError

FORMATS = ("csv", "jsonl", "parquet", "arrow", "text", "documents", "fhir")
"""``text`` has one record per line, ``documents`` one record per file; ``fhir`` flattens bundles into two tables."""

_ALIASES = {
    "tsv": "csv",
    "tab": "csv",
    "ndjson": "jsonl",
    "json-lines": "jsonl",
    "jsonlines": "jsonl",
    "ipc": "arrow",
    "feather": "arrow",
    "txt": "text",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps for hostile input. Reading needs a few times ``record_bytes`` of memory, whatever the size of the file."""

    record_bytes: int = 16 << 20
    """The longest record (line, quoted record, document, bundle), in bytes after decoding to UTF-8."""
    expanded_bytes: int = 256 << 30
    """The most that compressed input may grow to, all members together."""
    ratio: int = 300
    """The most that compressed input may grow by, once ``ratio_after`` bytes came out (deflate can reach 1032)."""
    ratio_after: int = 64 << 20
    members: int = 100_000


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Everything that decides how bytes become rows: the same options on the same bytes give the same batches.

    ``decimal`` is recorded for the step that casts; numbers in text formats stay text. ``columns`` selects columns (all
    when empty). ``types`` are the JSON Lines columns in words, sampled by `detect`. ``member`` names one file of a zip
    archive; without it, all that have the format's suffix are read in the order of their names. ``detected`` names the
    fields that were found by looking at the bytes.
    """

    format: str
    compression: str = ""
    table: str = ""
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    decimal: str = "."
    header: bool = True
    member: str = ""
    columns: tuple[str, ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    detected: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        format_of(self.format)
        for name in ("delimiter", "quote"):
            value = getattr(self, name)
            if len(value) != 1 or not value.isascii() or value in "\r\n\0":
                raise UsageError(f"{name} must be one ASCII character, not {value!r}", where="options of the reader")
        if self.delimiter == self.quote:
            raise UsageError("delimiter and quote must differ", where="options of the reader")

    def as_json(self) -> dict[str, Any]:
        """Return the options as plain JSON; ``from_json`` reads them again."""
        body = dataclasses.asdict(self)
        body["columns"] = list(self.columns)
        body["types"] = [list(pair) for pair in self.types]
        body["detected"] = list(self.detected)
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ReadOptions:
        """Read what `as_json` wrote."""
        return cls(
            **{
                **body,
                "columns": tuple(body["columns"]),
                "types": tuple((name, kind) for name, kind in body["types"]),
                "detected": tuple(body["detected"]),
                "limits": Limits(**body["limits"]),
            }
        )


def format_of(word: str) -> str:
    """Return the format that ``word`` names (``tsv`` is ``csv``); raise ``NotFound`` with the known ones otherwise."""
    name = _ALIASES.get(word.lower(), word.lower())
    if name not in FORMATS:
        raise NotFound.among("format", word, (*FORMATS, *_ALIASES), where="options of the reader")
    return name


def given(hints: Mapping[str, str]) -> dict[str, Any]:
    """Turn a steward's words (``Source.read``) into fields of `ReadOptions`; raise ``UsageError`` for an unknown word."""
    known = {"format", "table", "delimiter", "quote", "encoding", "decimal", "header", "member", "columns"}
    values: dict[str, Any] = {}
    for key, value in hints.items():
        if key not in known:
            raise NotFound.among("option of the reader", key, known, where="Source(read=…)")
        values[key] = value
    if "format" in values:
        if values["format"].lower() in {"tsv", "tab"}:
            values.setdefault("delimiter", "\t")
        values["format"] = format_of(values["format"])
    if values.get("delimiter") in {"\\t", "tab"}:
        values["delimiter"] = "\t"
    if "header" in values:
        values["header"] = _yes(values["header"])
    if "columns" in values:
        values["columns"] = tuple(name.strip() for name in values["columns"].split(",") if name.strip())
    if "encoding" in values:
        values["encoding"] = _encoding(values["encoding"])
    return values


def _yes(word: str) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if word.lower() not in words:
        raise UsageError(f"header must be true or false, not {word!r}", where="Source(read=…)")
    return words[word.lower()]


def _encoding(word: str) -> str:
    try:
        return codecs.lookup(word).name
    except LookupError:
        raise UsageError(f"no encoding named {word!r}", where="Source(read=…)", next="for example utf-8 or cp1252") from None
