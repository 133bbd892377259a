"""SQLite answers in plain words: which file, what is wrong with it, what to do. No other module shows a raw database error."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from datalab.errors import DatalabError, StorageFailed, VerificationFailed

_SAYINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("is locked by another process", "let the other one end, then do it again"),
    sqlite3.SQLITE_LOCKED: ("is locked by another process", "let the other one end, then do it again"),
    sqlite3.SQLITE_READONLY: ("cannot be written", "make the file and its folder writable for you, then do it again"),
    sqlite3.SQLITE_PERM: ("cannot be opened", "make the file and its folder yours, then do it again"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "make the file and its folder yours, then do it again"),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "make room, then do it again: nothing is lost"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "make room or mend the disk, then do it again: nothing is lost"),
    sqlite3.SQLITE_NOMEM: ("cannot be read: the memory is full", "end something else, then do it again"),
}
_PATIENCE = 10.0
_PAUSE = 0.005
"""Seconds to go on asking, and between two questions."""
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))


@contextlib.contextmanager
def told(what: str, path: Path) -> Iterator[None]:
    """Turn errors of the database ``what`` at ``path`` into errors of ours; a broken constraint stays what it is: a fault of code."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        raise plainly(error, what, path) from error


def plainly(error: sqlite3.Error, what: str, path: Path) -> DatalabError:
    """Return the error of ours for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # extended codes keep the primary one in their low byte
    if code in _DAMAGED:
        return VerificationFailed(
            f"{what} is damaged",
            where=str(path),
            next="restore it from a backup; keep the damaged file for whoever examines it",
        )
    said, then = _SAYINGS.get(code, (f"does not work: {error}", "mend what is named, then do it again"))
    return StorageFailed(f"{what} {said}", where=str(path), next=then)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Have changes kept in a log of their own (WAL), so that readers and a writer do not wait for one another.

    The first to open a new file locks it for that, and SQLite tells a second one that it is busy at once, whatever its timeout is: it
    asks again.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def undo(connection: sqlite3.Connection) -> None:
    """Roll back what is open. SQLite has done so by itself where the disk failed it: then there is nothing to undo."""
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
