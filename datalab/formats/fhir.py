"""FHIR R4 bundles, flattened to two related tables: ``patients`` and ``events``. Every column is text.

Input is NDJSON (a bundle or a bare resource per line) or one JSON document per file. Records are the rows of the chosen table
in the order of the bundles; a line or file that is no FHIR JSON is one fault. Fields follow https://hl7.org/fhir/R4/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from datalab.errors import NotFound
from datalab.formats.chunk import Fault, Piece, payload
from datalab.formats.fhir_resources import EVENT_COLUMNS, PATIENT_COLUMNS, Row, event_rows, patient_rows
from datalab.formats.opening import Member, members, utf8_blocks
from datalab.formats.options import ReadOptions
from datalab.formats.records import records

TABLES = {"patients": PATIENT_COLUMNS, "events": EVENT_COLUMNS}
_FLUSH = 8192


def schema(options: ReadOptions) -> pl.Schema:
    """Return the schema of the chosen table; raise ``NotFound`` for a table that is not there."""
    if options.table not in TABLES:
        raise NotFound.among("table", options.table, TABLES, where="options of the reader, format fhir")
    return pl.Schema(dict.fromkeys(TABLES[options.table], pl.String()))


def pieces(path: Path, options: ReadOptions) -> Iterator[Piece]:
    """Yield the rows of the chosen table, all members one after the other."""
    full = schema(options)
    flatten = patient_rows if options.table == "patients" else event_rows
    number = first = 0
    rows: list[Row] = []
    good: list[int] = []
    faults: list[Fault] = []

    def flush() -> Piece:
        frame = pl.DataFrame(rows, schema=full, orient="row")
        return Piece(frame, np.array(good, dtype=np.uint64), tuple(faults), first, number - first)

    for line, data, problem in _documents(path, options):
        found, code = ([], problem) if problem else _flattened(data, flatten)
        if code:
            faults.append(Fault(number, line, code, payload(data)))
            number += 1
        elif found:
            good.extend(range(number, number + len(found)))
            rows.extend(found)
            number += len(found)
        if number - first >= _FLUSH:
            yield flush()
            first = number
            rows, good, faults = [], [], []
    if number > first:
        yield flush()


def _flattened(data: bytes, flatten: Callable[[dict[str, Any]], Iterator[Row]]) -> tuple[list[Row], str]:
    """Return the rows of one document and "", or no rows and the code of what is wrong."""
    try:
        body = json.loads(data)
        if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
            return [], "not-fhir"
        return list(flatten(body)), ""
    except (ValueError, RecursionError):
        return [], "broken-json"
    except (TypeError, AttributeError, KeyError, IndexError):
        return [], "not-fhir"


def _documents(path: Path, options: ReadOptions) -> Iterator[tuple[int | None, bytes, str]]:
    """Yield (line, bytes, code of what is wrong) of every JSON document."""
    for member in members(path, options):
        with member.open() as stream:
            yield from _of_member(member, stream, options)


def _of_member(member: Member, stream: IO[bytes], options: ReadOptions) -> Iterator[tuple[int | None, bytes, str]]:
    """A file whose first line is not a whole JSON document is one document (pretty-printed), if it is not too long."""
    blocks = utf8_blocks(stream, options.encoding, member.where)
    start = bytearray()
    for block in blocks:
        start += block
        if b"\n" in start.lstrip() or len(start) > options.limits.record_bytes:
            break
    head = bytes(start).lstrip()
    if not head:
        return
    if not _is_json(head.split(b"\n", 1)[0]) and _is_open(head):
        for block in blocks:
            start += block
            if len(start) > options.limits.record_bytes:
                yield None, bytes(start[: 1 << 14]), "record-too-long"
                return
        yield None, bytes(start), ""
        return
    for found in records(_again(bytes(start), blocks), options.limits):
        kept = found.without_blanks()
        numbers, broken = kept.ordinals(0)
        entries = [(int(number), int(kept.lines[i]), kept.text(i), "") for i, number in enumerate(numbers)]
        entries += [(number, item.line, item.data, item.code) for number, item in zip(broken, kept.broken, strict=True)]
        for _, line, data, code in sorted(entries, key=lambda entry: entry[0]):
            yield line, data, code


def _again(start: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from blocks


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _is_open(head: bytes) -> bool:
    """Whether a text looks like a JSON document printed over several lines: its first line ends inside an object."""
    return head.split(b"\n", 1)[0].rstrip()[-1:] in {b"{", b"["}
