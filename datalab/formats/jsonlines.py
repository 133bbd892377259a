"""JSON Lines: one object per line, one schema for all lines.

A column is typed (Int64, Float64, Boolean) only where all sampled values agree; a column of mixed or nested values is text:
strings as they are, anything else as JSON. A line that does not fit is a fault and never changed to fit: ``broken-json``,
``not-an-object``, ``repeated-field``, ``unknown-field`` (a name the schema lacks), ``type-mismatch``, ``undecodable``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json as pj

from datalab.errors import ReadError, SchemaError
from datalab.formats.chunk import Fault, Piece, payload
from datalab.formats.opening import members, utf8_blocks
from datalab.formats.options import ReadOptions
from datalab.formats.records import Records, records
from datalab.model.step import IDENTITY

WORDS = {"integer": pl.Int64(), "float": pl.Float64(), "boolean": pl.Boolean(), "text": pl.String(), "json": pl.String()}
"""Types in words; ``json`` is text that holds JSON where the value is no string."""
_ARROW = {"integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "text": pa.large_string()}
_SAMPLE_BYTES = 64 << 20


class _Misfit(ValueError):
    """A line that does not fit, with its code."""


def sample_types(path: Path, options: ReadOptions, sample_rows: int) -> tuple[tuple[str, str], ...]:
    """Return the columns and their types in words, from the first ``sample_rows`` lines (64 MiB at most)."""
    kinds: dict[str, set[str]] = {}
    seen = read = 0
    for found in _all(path, options):
        for index in range(found.starts.size):
            if seen >= sample_rows:
                break
            try:
                row = _object(found.text(index))
            except _Misfit:
                continue
            seen += 1
            for name, value in row.items():
                kinds.setdefault(name, set()).add(_kind(value))
        read += len(found.data)
        if seen >= sample_rows or read > _SAMPLE_BYTES:
            break
    if not kinds:
        raise ReadError(
            "no line of the file holds a JSON object", where=path.name, next="name the right format in Source(read=…)"
        )
    if set(kinds) & set(IDENTITY):
        raise ReadError(f"columns must not be named {' or '.join(IDENTITY)}", where=path.name, next="rename them at the source")
    return tuple((name, _word(found)) for name, found in kinds.items())


def schema(types: Iterable[tuple[str, str]], options: ReadOptions, where: str) -> pl.Schema:
    """Return the schema of what `pieces` yields."""
    known = dict(types)
    for column in options.columns:
        if column not in known:
            raise SchemaError.column(column, known, where=where)
    return pl.Schema({name: WORDS[known[name]] for name in options.columns or known})


def pieces(path: Path, options: ReadOptions) -> Iterator[Piece]:
    """Yield the lines of all members; ``options.types`` must be there."""
    frame_schema = schema(options.types, options, path.name)
    first = 0
    for found in _all(path, options):
        good, broken = found.ordinals(first)
        bad: dict[int, str] = {}
        frame = _parse(found, options.types, bad).select(frame_schema.names())
        faults = [
            Fault(number, item.line, item.code, payload(item.data)) for number, item in zip(broken, found.broken, strict=True)
        ]
        if bad:
            faults += [
                Fault(int(good[index]), int(found.lines[index]), code, payload(found.text(index)))
                for index, code in bad.items()
            ]
            keep = np.ones(good.size, dtype=bool)
            keep[list(bad)] = False
            good = good[keep]
        count = int(found.starts.size) + len(broken)
        yield Piece(frame, good, tuple(sorted(faults, key=lambda fault: fault.row)), first, count)
        first += count


def _all(path: Path, options: ReadOptions) -> Iterator[Records]:
    for member in members(path, options):
        with member.open() as stream:
            for found in records(utf8_blocks(stream, options.encoding, member.where), options.limits):
                yield found.without_blanks()


def _parse(found: Records, types: tuple[tuple[str, str], ...], bad: dict[int, str]) -> pl.DataFrame:
    """Parse one block: by Arrow when all columns are plain and no line complains, line by line otherwise."""
    empty = pl.DataFrame(schema={name: WORDS[word] for name, word in types})
    if not found.starts.size:
        return empty
    if all(word in _ARROW for _, word in types):
        try:
            table = _fast(found, types)
        except pa.ArrowInvalid:
            table = None
        if table is not None and table.num_rows == found.starts.size:
            frame = pl.from_arrow(table)
            assert isinstance(frame, pl.DataFrame)
            return frame
    return _slow(found, types, bad, empty)


def _fast(found: Records, types: tuple[tuple[str, str], ...]) -> pa.Table:
    wanted = pa.schema([(name, _ARROW[word]) for name, word in types])
    data = found.joined()
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=wanted, newlines_in_values=False, unexpected_field_behavior="error"),
    )


def _slow(found: Records, types: tuple[tuple[str, str], ...], bad: dict[int, str], empty: pl.DataFrame) -> pl.DataFrame:
    words = dict(types)
    columns: dict[str, list[Any]] = {name: [] for name in words}
    for index in range(found.starts.size):
        try:
            row = _fitted(_object(found.text(index)), words)
        except _Misfit as misfit:
            bad[index] = str(misfit)
            continue
        for name, values in columns.items():
            values.append(row.get(name))
    return pl.DataFrame(columns, schema=empty.schema, strict=True)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except _Misfit:
        raise
    except (ValueError, RecursionError):
        raise _Misfit("broken-json") from None
    if not isinstance(value, dict):
        raise _Misfit("not-an-object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _Misfit("repeated-field")
    return row


def _refuse(_constant: str) -> Any:
    raise _Misfit("broken-json")  # NaN and Infinity are not JSON (RFC 8259, section 6)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(2**63) <= value < 2**63 else "json"
    return {float: "float", str: "text"}.get(type(value), "json")


def _word(kinds: set[str]) -> str:
    kinds = kinds - {"null"}
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds == {"integer", "float"}:
        return "float"
    return "json"


def _fitted(row: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    for name, value in row.items():
        word = words.get(name)
        if word is None:
            raise _Misfit("unknown-field")
        if value is None:
            continue
        kind = _kind(value)
        if word == "json":
            row[name] = value if kind == "text" else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        elif word == "float" and kind == "integer":
            row[name] = float(value)
        elif kind != word:
            raise _Misfit("type-mismatch")
        text = row[name]
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise _Misfit("undecodable") from None  # half of a surrogate pair, written as an escape
    return row
