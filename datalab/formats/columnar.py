"""Parquet and Arrow IPC: typed columns, read row group by row group, nested types kept. These have no malformed rows.

A plain file can also be read out of order: `borders` tells its row groups (record batches) from the metadata, `read_range` reads
any range of records, and of the columns only those that are wanted.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.selectors import by_name

from datalab.errors import ReadError, SchemaError
from datalab.formats.chunk import Piece
from datalab.formats.opening import Member, members, seekable
from datalab.formats.options import ReadOptions
from datalab.model.step import IDENTITY

_ROWS = 16_384
_ASKED = re.compile("of size ([0-9]+)")
_ABSURD = 1 << 31
"""Bytes that only a damaged file asks for at once."""
_MAGIC = b"ARROW1"
_BATCH_BYTES = 1 << 30
"""A batch of more is taken in smaller steps, so that wide rows do not fill the memory."""


def schema(path: Path, options: ReadOptions) -> pl.Schema:
    """Return the schema that the file declares (of the first member of an archive)."""
    member = members(path, options)[0]
    with _readable(member), seekable(member) as stream:
        declared = pq.ParquetFile(stream).schema_arrow if options.format == "parquet" else _ipc(stream)[0]
        frame = _frame(pa.Table.from_batches([], declared), options, member.where)  # empty_table() would import pandas
    return frame.schema


def pieces(path: Path, options: ReadOptions) -> Iterator[Piece]:
    """Yield the rows of all members in order; their schemas must agree."""
    first = 0
    expected: pl.Schema | None = None
    for member in members(path, options):
        with _readable(member), seekable(member) as stream:
            for batch in _parquet(stream, options) if options.format == "parquet" else _ipc(stream)[1]:
                whole = _frame(pa.Table.from_batches([batch]), options, member.where)
                if expected is not None and whole.schema != expected:
                    raise ReadError("the files of the archive have different columns", where=member.where)
                expected = whole.schema
                for start in range(
                    0, whole.height, _ROWS
                ):  # not sliced in Arrow: polars does not take slices of fixed-size lists
                    frame = whole[start : start + _ROWS]
                    yield Piece.whole(frame, first)
                    first += frame.height


def borders(path: Path, options: ReadOptions, wanted: pl.Schema) -> tuple[int, ...] | None:
    """Return the rows of each row group (record batch) of ``path``, told from its metadata.

    None where the file can only be read from its beginning (archives, streams), and where `read_range` would not give ``wanted``.
    """
    if options.compression or options.format not in {"parquet", "arrow"}:
        return None
    where = path.name
    with _readable(Member(where, where, lambda: path.open("rb"))), pa.memory_map(str(path)) as source:
        if options.format == "parquet":
            about = pq.ParquetFile(source, pre_buffer=False).metadata
            rows = tuple(about.row_group(place).num_rows for place in range(about.num_row_groups))
            if not _reads_alike(path, wanted):
                return None
        elif source.read(len(_MAGIC)) == _MAGIC:
            rows = tuple(batch.num_rows for batch in _batches(source, [0]))
        else:
            return None
    if any(count < 0 for count in rows):
        raise ReadError("the file states a negative number of rows", where=where, next="it is damaged: fetch it again")
    return rows


def read_range(path: Path, options: ReadOptions, first: int, rows: int, wanted: pl.Schema) -> pl.DataFrame:
    """Read records ``first`` (from 0) to ``first + rows - 1`` of a file that `borders` knows: the columns of ``wanted``, in its types.

    Pages of a Parquet file that hold no such record are passed over: a part of a huge row group costs what a part costs.
    """
    where = path.name
    with _readable(Member(where, where, lambda: path.open("rb"))):
        if options.format == "parquet":
            frame = _scan(path).select(by_name(*wanted)).slice(first, rows).collect().rechunk()
        else:
            with pa.memory_map(str(path)) as source:
                names = pa.ipc.open_file(source).schema.names
                batches = _batches(source, sorted(names.index(name) for name in wanted if name in names))
                start, table = _overlapping(batches, first, rows)
            frame = _frame(table, dataclasses.replace(options, columns=tuple(wanted)), where)[first - start :][:rows].rechunk()
    if frame.height != rows or frame.schema != wanted:
        raise ReadError(
            f"records {first} to {first + rows - 1} are not what the file states",
            where=where,
            next="it is damaged: fetch it again",
        )
    return frame


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(
        path, glob=False, hive_partitioning=False, parallel="none", use_statistics=False, cache=False, low_memory=True
    )


def _reads_alike(path: Path, wanted: pl.Schema) -> bool:
    """Whether polars' own reader gives the types that the reader of `pieces` gives; it reads single pages, and twice as fast.

    Fixed-size lists it does not read by ranges.
    """
    try:
        found = _scan(path).collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return False
    return all(found.get(name) == kind and "Array(" not in str(kind) for name, kind in wanted.items())


def _batches(source: pa.MemoryMappedFile, fields: list[int]) -> Iterator[pa.RecordBatch]:
    file = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=fields))
    return (file.get_batch(place) for place in range(file.num_record_batches))


def _overlapping(batches: Iterator[pa.RecordBatch], first: int, rows: int) -> tuple[int, pa.Table]:
    """Return the batches that hold records ``first`` to ``first + rows - 1``, and the first record of them."""
    start = 0
    found: list[pa.RecordBatch] = []
    for batch in batches:
        if found or start + batch.num_rows > first:
            found.append(batch)
        else:
            start += batch.num_rows
        if start + sum(one.num_rows for one in found) >= first + rows:
            break
    return start, pa.Table.from_batches(found)


@contextmanager
def _readable(member: Member) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ReadError(
            f"the file cannot be read ({type(error).__name__})",
            where=member.where,
            next="it is damaged or truncated: fetch it again",
        ) from None
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        asked = _ASKED.search(str(error)) if isinstance(error, MemoryError) else None
        if asked and int(asked.group(1)) < _ABSURD:  # a worker is short of memory: the file is not to blame
            raise
        raise ReadError(
            f"the file cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            where=member.where,
            next="it is damaged or truncated: fetch it again",
        ) from None


def _parquet(stream: IO[bytes], options: ReadOptions) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(stream, pre_buffer=False)
    columns = list(options.columns) or None
    if columns:
        _known(file.schema_arrow, options, "")
    for group in range(file.num_row_groups):
        about = file.metadata.row_group(group)
        width = max(about.total_byte_size // max(about.num_rows, 1), 1)
        rows = max(min(_ROWS, _BATCH_BYTES // width), 1)
        yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=columns, use_threads=False)


def _ipc(stream: IO[bytes]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    magic = stream.read(len(_MAGIC))
    stream.seek(0)
    if magic == _MAGIC:
        file = pa.ipc.open_file(stream)
        return file.schema, (file.get_batch(index) for index in range(file.num_record_batches))
    opened = pa.ipc.open_stream(stream)
    return opened.schema, iter(opened)


def _known(declared: pa.Schema, options: ReadOptions, where: str) -> None:
    for column in options.columns:
        if column not in declared.names:
            raise SchemaError.column(column, declared.names, where=where)


def _frame(table: pa.Table, options: ReadOptions, where: str) -> pl.DataFrame:
    names = table.schema.names
    if len(set(names)) != len(names) or set(names) & set(IDENTITY):
        raise ReadError(
            f"columns must have different names, and none may be {' or '.join(IDENTITY)}",
            where=where,
            next="rename them at the source",
        )
    if options.columns:
        _known(table.schema, options, where)
        table = table.select(list(options.columns))
    frame = pl.from_arrow(_plain(table))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _plain(table: pa.Table) -> pa.Table:
    """Decode dictionary columns: between steps every text is plain text."""
    for place, item in enumerate(table.schema):
        if pa.types.is_dictionary(item.type):
            decoded: Any = table.column(place).cast(item.type.value_type)
            table = table.set_column(place, pa.field(item.name, item.type.value_type, nullable=item.nullable), decoded)
    return table
