"""Look at the bytes once, say how they are to be read, and record what was found rather than told."""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from datalab.errors import ReadError
from datalab.formats import jsonlines
from datalab.formats.alphabets import european_encoding
from datalab.formats.opening import BLOCK, SUFFIXES, Member, members, safe_members, utf8_blocks
from datalab.formats.options import Limits, ReadOptions, given

SAMPLE = 1 << 20
_FIRST = 64 << 10
"""Bytes that tell a columnar file."""
_LOOK_FOR_TEXT = 64 << 20
"""How far to look for the first byte that is not ASCII: the encoding shows only there."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*%?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{1,3}(?:\.?[0-9]{3})*,[0-9]+")
_DECIMAL_POINT = re.compile(r"[+-]?[0-9]{1,3}(?:,?[0-9]{3})*\.[0-9]+")


def detect(path: Path, hints: Mapping[str, str] | None = None) -> ReadOptions:
    """Return how to read ``path``: ``hints`` (a steward's ``Source.read``) as they are, everything else from a bounded sample.

    Raises ``ReadError`` for an empty file, or one that is no known format, ``UsageError`` for hints that are not understood.
    """
    told = given(hints or {})
    ReadOptions(**{"format": "text", **told})  # refuses what makes no sense before anything is read
    values: dict[str, Any] = {"compression": _compression(_magic(path)), **told}
    if values["compression"] == "zip" and "format" not in told:
        values["format"] = _format_of_archive(path)
    first = _first_member(path, values)
    with first.open() as stream:
        sample = _sample(stream)
    if not sample:
        raise ReadError("the file is empty", where=first.where, next="fetch it again, or leave it out")
    if "format" not in values:
        values["format"] = _format(sample, path.name)
    if values["format"] in {"csv", "jsonl", "text", "documents", "fhir"} and "encoding" not in told:
        with first.open() as stream:
            values["encoding"] = _encoding(stream, sample)
    if values["format"] == "csv":
        _delimited(_decoded(sample, values["encoding"]), values)
    if values["format"] == "fhir":
        values.setdefault("table", "patients")
    options = ReadOptions(**values)
    if options.format == "jsonl":
        values["types"] = jsonlines.sample_types(path, options, 10_000)
    return dataclasses.replace(options, types=values.get("types", ()), detected=tuple(sorted(set(values) - set(told))))


def _magic(path: Path) -> bytes:
    if not path.is_file():
        raise ReadError("the file does not exist", where=path.name, next="fetch the source again")
    with path.open("rb") as stream:
        magic = stream.read(8)
    if not magic:
        raise ReadError("the file is empty", where=path.name, next="fetch it again, or leave it out")
    return magic


def _first_member(path: Path, values: Mapping[str, Any]) -> Member:
    chosen = {key: value for key, value in values.items() if key in {"format", "compression", "member"}}
    found = members(path, ReadOptions(**{"format": "text", **chosen}))
    if not found:
        raise ReadError("the archive is empty", where=path.name, next="fetch it again")
    return found[0]


def _compression(magic: bytes) -> str:
    if magic[:2] == b"\x1f\x8b":
        return "gzip"
    return "zip" if magic[:4] in {b"PK\x03\x04", b"PK\x05\x06"} else ""


def _format_of_archive(path: Path) -> str:
    """Choose by the suffix that most files of the archive have."""
    names = [info.filename.lower().removesuffix(".gz") for info in safe_members(path, Limits())]
    if "[content_types].xml" in names:
        raise ReadError("this is an office document", where=path.name, next="export the table as CSV")
    suffixes = Counter(Path(name).suffix for name in names if not Path(name).name.startswith("."))
    for kind, ends in (
        ("csv", (".csv", ".tsv", ".tab")),
        ("parquet", SUFFIXES["parquet"][0]),
        ("arrow", SUFFIXES["arrow"][0]),
        ("jsonl", (".jsonl", ".ndjson")),
        ("fhir", (".json",)),
    ):
        if any(suffixes[end] for end in ends):
            return kind if kind != "jsonl" or not _first_is_fhir(path) else "fhir"
    return "documents"


def _first_is_fhir(path: Path) -> bool:
    found = members(path, ReadOptions("jsonl", compression="zip"))
    with found[0].open() as stream:
        return _looks_fhir(stream.read(SAMPLE))


def _format(sample: bytes, name: str) -> str:
    if columnar := _columnar(sample):
        return columnar
    if _looks_fhir(sample):
        return "fhir"
    plain = sample.removeprefix(codecs.BOM_UTF8).lstrip()
    if plain[:1] == b"[" and plain[1:].lstrip()[:1] == b"{":
        raise ReadError("this is one JSON array, not JSON Lines", where=name, next="write one object per line (jq -c '.[]')")
    end = Path(name.lower().removesuffix(".gz").removesuffix(".zip")).suffix
    if plain[:1] == b"{" and end not in SUFFIXES["csv"][0]:
        return "jsonl"
    for kind in ("csv", "jsonl", "parquet", "arrow"):
        if end in SUFFIXES[kind][0]:
            return kind
    if any(mark for mark, _ in _MARKS if sample.startswith(mark)):
        return "csv" if _dialect(_decoded(sample, _wide(sample) or "utf-8"))[1] else "text"
    if b"\0" in sample[:4096] and not _wide(sample):
        raise ReadError("these bytes are no format that can be read", where=name, next="name it in Source(read={'format': …})")
    return "csv" if _dialect(_decoded(sample, _wide(sample) or "latin-1"))[1] else "text"


def _looks_fhir(sample: bytes) -> bool:
    start = sample.removeprefix(codecs.BOM_UTF8).lstrip()[:4096]
    return start[:1] == b"{" and re.search(rb'"resourceType"\s*:\s*"[A-Z]', start) is not None


def _sample(stream: IO[bytes]) -> bytes:
    """Return the beginning; of a columnar file only its first block, because it says itself how it is to be read."""
    collected = bytearray()
    while len(collected) < SAMPLE and (block := stream.read(min(_FIRST, SAMPLE - len(collected)))):
        collected += block
        if _columnar(collected):
            break
    return bytes(collected)


def _columnar(sample: bytes | bytearray) -> str:
    """Return the columnar format that the first bytes tell, "" for none."""
    if sample[:4] == b"PAR1":
        return "parquet"
    return "arrow" if sample[:6] == b"ARROW1" or sample[:4] == b"\xff\xff\xff\xff" else ""


def _wide(sample: bytes) -> str:
    """Recognise UTF-16 and UTF-32, with a mark or by where the zero bytes stand in mostly Latin text."""
    for mark, name in _MARKS[1:]:
        if sample.startswith(mark):
            return name
    even, odd = sample[0:4096:2], sample[1:4096:2]
    if odd.count(0) > len(odd) // 2 and _printable(even):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > len(even) // 2 and _printable(odd) else ""


def _printable(data: bytes) -> bool:
    """Whether nearly all bytes are printable ASCII or white space."""
    return sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in data) > 0.8 * len(data)


def _encoding(stream: IO[bytes], sample: bytes) -> str:
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if wide := _wide(sample):
        return wide
    looked, block = len(sample), sample
    stream.read(len(sample))
    while block.isascii() and looked < _LOOK_FOR_TEXT and (more := stream.read(BLOCK)):
        looked += len(more)
        block = more
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block if block is sample else _from_character(block))
    except UnicodeDecodeError as error:
        text = block[error.start : error.end + 3]
        lines = [line for line in block.split(b"\n") if not line.isascii()]
        decodable = sum(_is_utf8(line) for line in lines[:2000])
        if decodable > 0.9 * len(lines[:2000]) and len(text):
            return "utf-8"  # a few damaged lines in UTF-8: they become faults, the rest stays right
        return _legacy(b"\n".join(lines)[: 1 << 16])
    return "utf-8"


def _from_character(block: bytes) -> bytes:
    """Drop the tail of a character that the block boundary cut."""
    place = 0
    while place < min(3, len(block)) and 0x80 <= block[place] < 0xC0:
        place += 1
    return block[place:]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _legacy(lines: bytes) -> str:
    """Choose among the 8-bit encodings: by European alphabets, by charset-normalizer where these do not explain the text."""
    if found := european_encoding(lines):
        return found
    import charset_normalizer

    best = charset_normalizer.from_bytes(lines).best()
    return codecs.lookup(best.encoding).name if best is not None else "cp1252"


def _decoded(sample: bytes, encoding: str) -> str:
    import io

    text = b"".join(utf8_blocks(io.BytesIO(sample[: len(sample) // 4 * 4]), encoding, "")) if len(sample) >= 4 else sample
    return text.decode("utf-8", "replace")


def _delimited(text: str, values: dict[str, Any]) -> None:
    delimiter, _ = _dialect(text)
    values.setdefault("delimiter", delimiter or ",")
    rows = _rows(text, values["delimiter"], values.get("quote", '"'))
    if "header" not in values:
        first = [cell.strip() for cell in rows[0]] if rows else []
        values["header"] = not any(_NUMBER.fullmatch(cell) for cell in first)
    if "decimal" not in values:
        cells = [cell.strip() for row in rows[1:] for cell in row]
        commas = sum(1 for cell in cells if _DECIMAL_COMMA.fullmatch(cell) and not _DECIMAL_POINT.fullmatch(cell))
        points = sum(1 for cell in cells if _DECIMAL_POINT.fullmatch(cell) and not _DECIMAL_COMMA.fullmatch(cell))
        values["decimal"] = "," if commas > points else "."


def _dialect(text: str) -> tuple[str, int]:
    """Return the delimiter that gives most lines the same number of fields, and that number less one (0 where none does)."""
    if match := re.match(r"sep=(.)\r?\n", text):
        return match.group(1), 1
    best, width, score = "", 0, 0.0
    for candidate in _DELIMITERS:
        counts = Counter(len(row) - 1 for row in _rows(text, candidate, '"'))
        fields, lines = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        share = lines / max(sum(counts.values()), 1)
        value = share * (1 + min(fields, 20) / 100)
        if fields and share >= 0.6 and value > score:
            best, width, score = candidate, fields, value
    return best, width


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    """Return up to 300 records; the last of the sample may be cut and is left out."""
    import csv

    body = text if len(text) < SAMPLE // 4 else text[: SAMPLE // 4].rsplit("\n", 1)[0]
    rows: list[list[str]] = []
    try:
        for row in csv.reader(body.replace("\0", "").splitlines(keepends=True), delimiter=delimiter, quotechar=quote):
            if row:
                rows.append(row)
            if len(rows) >= 300:
                break
    except csv.Error:
        pass  # an over-long field: what was read so far must do
    return rows
