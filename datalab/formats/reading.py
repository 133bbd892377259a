"""The door of the readers: one function to read, one to learn the schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datalab.errors import ReadError, UsageError
from datalab.formats import columnar, delimited, fhir, jsonlines, plaintext
from datalab.formats.chunk import Chunk, Piece, cut
from datalab.formats.opening import Member, members
from datalab.formats.options import ReadOptions

if TYPE_CHECKING:
    import polars as pl

SAMPLE_ROWS = 10_000


def read(path: Path, options: ReadOptions, *, batch_rows: int) -> Iterator[Chunk]:
    """Read ``path`` in bounded memory: every chunk covers exactly ``batch_rows`` records, the last one the rest.

    Records are numbered from 0, malformed ones included, so that the same options cut the same file the same way every time.
    Raises ``ReadError`` where the file as a whole cannot be read: damaged, truncated, a bomb, not what ``options`` say.
    """
    if batch_rows < 1:
        raise UsageError("batch_rows must be at least 1", where="read")
    return cut(_pieces(path, _with_types(path, options, SAMPLE_ROWS)), batch_rows)


def schema_of(path: Path, options: ReadOptions, sample_rows: int = SAMPLE_ROWS) -> pl.Schema:
    """Return the schema of what `read` yields. JSON Lines are sampled over ``sample_rows`` lines unless ``options`` have types."""
    _refuse_missing(path)
    if options.format == "csv":
        return delimited.schema(_some(path, options), options)
    if options.format in {"parquet", "arrow"}:
        return columnar.schema(path, options)
    if options.format == "jsonl":
        typed = _with_types(path, options, sample_rows)
        return jsonlines.schema(typed.types, typed, path.name)
    full = {"text": plaintext.LINES, "documents": plaintext.DOCUMENTS}.get(options.format) or fhir.schema(options)
    return _selected(full, options, path)


def _pieces(path: Path, options: ReadOptions) -> Iterator[Piece]:
    _refuse_missing(path)
    _some(path, options)
    if options.format == "csv":
        yield from delimited.pieces(path, options)
    elif options.format == "jsonl":
        yield from jsonlines.pieces(path, options)
    elif options.format in {"parquet", "arrow"}:
        yield from columnar.pieces(path, options)
    else:
        readers = {"text": plaintext.lines, "documents": plaintext.documents, "fhir": fhir.pieces}
        names = schema_of(path, options).names()
        for piece in readers[options.format](path, options):
            yield dataclasses.replace(piece, frame=piece.frame.select(names)) if options.columns else piece


def _with_types(path: Path, options: ReadOptions, sample_rows: int) -> ReadOptions:
    if options.format != "jsonl" or options.types:
        return options
    _refuse_missing(path)
    return dataclasses.replace(options, types=jsonlines.sample_types(path, options, sample_rows))


def _selected(full: pl.Schema, options: ReadOptions, path: Path) -> pl.Schema:
    import polars as pl

    from datalab.errors import SchemaError

    for column in options.columns:
        if column not in full:
            raise SchemaError.column(column, full.names(), where=path.name)
    return pl.Schema({name: full[name] for name in options.columns or full.names()})


def _some(path: Path, options: ReadOptions) -> list[Member]:
    found = members(path, options)
    if not found:
        raise ReadError("the archive is empty", where=path.name, next="fetch it again")
    return found


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise ReadError("the file does not exist", where=str(path.name), next="fetch the source again")
