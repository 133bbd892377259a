"""Delimited text (CSV, TSV …): parsed by Arrow block by block; single records are looked at only where Arrow complains.

Every column is text. An empty field is null, a quoted empty field ("") is the empty text. Empty lines are no records.
A record with too few or too many fields is a fault, never padded or cut.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from datalab.errors import ReadError, SchemaError
from datalab.formats.chunk import Fault, Piece, payload
from datalab.formats.opening import Member, members, utf8_blocks
from datalab.formats.options import ReadOptions
from datalab.formats.records import Quoting, Records, records
from datalab.model.step import IDENTITY

Complain = Callable[[int, str], None]


def header_of(member: Member, options: ReadOptions) -> tuple[str, ...]:
    """Return the column names of one file: its header, or ``column_1`` … where it has none."""
    with member.open() as stream:
        for found in _records(member, stream, options):
            if found.starts.size or found.broken:
                return _names(found, member, options)[0]
    raise ReadError("the file is empty: there is not even a header", where=member.where, next="fetch it again, or leave it out")


def schema(path_members: list[Member], options: ReadOptions) -> pl.Schema:
    """Return the schema: text columns in the order of the file, or of ``options.columns``."""
    names = header_of(path_members[0], options)
    return pl.Schema(dict.fromkeys(_selected(names, options, path_members[0].where), pl.String()))


def pieces(path: Any, options: ReadOptions) -> Iterator[Piece]:
    """Yield the records of all members; ordinals run on from member to member, lines start anew in each."""
    first = 0
    expected: tuple[str, ...] | None = None
    for member in members(path, options):
        names: tuple[str, ...] | None = None
        with member.open() as stream:
            for block in _records(member, stream, options):
                found = block
                if names is None:
                    if not (found.starts.size or found.broken):
                        continue
                    names, found = _names(found, member, options)
                    if expected is not None and names != expected:
                        raise ReadError(
                            "the files of the archive have different columns",
                            where=member.where,
                            next="choose one with Source(read={'member': …})",
                        )
                    expected = names
                    _selected(names, options, member.where)
                piece = _parse(found, names, first, options)
                first += piece.count
                yield piece
        if names is None:
            raise ReadError(
                "the file is empty: there is not even a header", where=member.where, next="fetch it again, or leave it out"
            )


def fields_of(record: str, options: ReadOptions) -> list[str]:
    """Return the fields of one record."""
    return next(csv.reader([record], delimiter=options.delimiter, quotechar=options.quote), [])


def _records(member: Member, stream: Any, options: ReadOptions) -> Iterator[Records]:
    quoting = Quoting(options.delimiter.encode(), options.quote.encode())
    for found in records(utf8_blocks(stream, options.encoding, member.where), options.limits, quoting):
        yield found.without_blanks()


def _names(found: Records, member: Member, options: ReadOptions) -> tuple[tuple[str, ...], Records]:
    """Take the header off the first records; blank names become ``column_N``, repeated ones get ``_2``, ``_3``."""
    rest = found
    if rest.starts.size and rest.text(0).rstrip(b"\r\n").lower().startswith(b"sep=") and rest.starts[0] == 0:
        rest = _after_first(rest)  # a line for Excel, not for us
    if not rest.starts.size or (rest.broken and rest.broken[0].before == 0):
        code = rest.broken[0].code if rest.broken else "nothing there"
        raise ReadError(
            f"the first line cannot be read as a header ({code})",
            where=f"{member.where}, line 1",
            next="check delimiter, quote character and encoding in Source(read=…)",
        )
    cells = fields_of(rest.text(0).decode("utf-8").rstrip("\r\n"), options)
    if not options.header:
        return tuple(f"column_{place}" for place in range(1, len(cells) + 1)), rest
    return unique_names(cells, member.where), _after_first(rest)


def unique_names(cells: list[str], where: str) -> tuple[str, ...]:
    """Make column names unique and non-blank, deterministically; refuse the names that datalab keeps for row identity."""
    names: list[str] = []
    taken = {cell.strip() for cell in cells}
    for place, cell in enumerate(cells, start=1):
        base = name = cell.strip() or f"column_{place}"
        number = 2
        while name in names or (name != cell.strip() and name in taken):
            name = f"{base}_{number}"
            number += 1
        names.append(name)
    if set(names) & set(IDENTITY):
        raise ReadError(f"columns must not be named {' or '.join(IDENTITY)}", where=where, next="rename them at the source")
    return tuple(names)


def _after_first(found: Records) -> Records:
    broken = tuple(type(item)(max(item.before - 1, 0), item.line, item.code, item.data) for item in found.broken)
    return Records(found.data, found.starts[1:], found.ends[1:], found.lines[1:], broken)


def _selected(names: tuple[str, ...], options: ReadOptions, where: str) -> tuple[str, ...]:
    for column in options.columns:
        if column not in names:
            raise SchemaError.column(column, names, where=where)
    return options.columns or names


def _parse(found: Records, names: tuple[str, ...], first: int, options: ReadOptions) -> Piece:
    ordinals, broken = found.ordinals(first)
    count = int(found.starts.size)
    bad: dict[int, str] = {}
    tables = list(_tables(found, 0, count, names, options, bad))
    frame = _frame(tables, _selected(names, options, ""))
    faults = [
        Fault(number, item.line, item.code, payload(item.data)) for number, item in zip(broken, found.broken, strict=True)
    ]
    if bad:
        faults += [
            Fault(int(ordinals[index]), int(found.lines[index]), code, payload(found.text(index)))
            for index, code in bad.items()
        ]
        keep = np.ones(count, dtype=bool)
        keep[list(bad)] = False
        ordinals = ordinals[keep]
    return Piece(frame, ordinals, tuple(sorted(faults, key=lambda fault: fault.row)), first, count + len(broken))


def _tables(
    found: Records, start: int, stop: int, names: tuple[str, ...], options: ReadOptions, bad: dict[int, str]
) -> Iterator[pa.Table]:
    """Parse records ``start … stop - 1``; where Arrow cannot, halve until the record to blame stands alone."""
    if start == stop:
        return
    complaints: dict[int, str] = {}

    def complain(row: pc.InvalidRow) -> str:
        code = "too-many-fields" if row.actual_columns > row.expected_columns else "too-few-fields"
        complaints[start + row.number - 1] = code
        return "skip"

    joined = found.joined(start, stop)
    table: pa.Table | None
    try:
        table = pc.read_csv(
            pa.BufferReader(joined),
            read_options=pc.ReadOptions(use_threads=False, column_names=names, block_size=1 << 30),
            parse_options=pc.ParseOptions(
                delimiter=options.delimiter,
                quote_char=options.quote,
                newlines_in_values=True,
                invalid_row_handler=complain if _is_text(joined) else None,  # Arrow cannot hand on a row that is no text
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                include_columns=list(options.columns) or None,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        table = None
    if table is not None and table.num_rows + len(complaints) == stop - start:
        bad.update(complaints)
        yield table
    elif stop - start == 1:
        bad[start] = complaints.get(start, "unreadable")
    else:
        middle = (start + stop) // 2
        yield from _tables(found, start, middle, names, options, bad)
        yield from _tables(found, middle, stop, names, options, bad)


def _is_text(data: bytes) -> bool:
    try:
        bytes(data).decode()
    except UnicodeDecodeError:
        return False
    return True


def _frame(tables: list[pa.Table], names: tuple[str, ...]) -> pl.DataFrame:
    if not tables:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String()))
    frame = pl.from_arrow(pa.concat_tables(tables))
    assert isinstance(frame, pl.DataFrame)
    return frame
