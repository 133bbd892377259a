"""The ledger: an append-only, hash-chained table of events. It is the truth; reports are views of it.

SQLite in the lab's home; PostgreSQL by URL is a seam of `open_ledger`. Appending takes the write lock first (``BEGIN IMMEDIATE``) and
reads the head inside the same transaction, so that two writers can never continue from the same event. Triggers refuse changes; they stop
accidents, the chain shows the rest.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from datalab.errors import SettingsError, UsageError, VerificationFailed
from datalab.model.canonical import canonical_json
from datalab.model.event import GENESIS, Event
from datalab.ports.database import told, undo, write_ahead

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX IF NOT EXISTS event_subject ON event (subject, sequence);
CREATE INDEX IF NOT EXISTS event_type ON event (type, sequence);
CREATE TRIGGER IF NOT EXISTS event_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
_WHAT = "the ledger"
_PATIENCE = 60.0
"""Seconds to wait for another writer."""
_NETWORK_FILESYSTEMS = {0x6969: "NFS", 0x0BD00BD0: "Lustre", 0xFF534D42: "CIFS", 0xFE534D42: "SMB"}


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be: what happened, who did it, what it is about."""

    type: str
    actor: str
    subject: str
    body: Mapping[str, Any]


class Ledger(Protocol):
    """What the lab asks of a ledger, whatever keeps it."""

    def append(self, entries: Iterable[Entry]) -> list[Event]:
        """Append a batch in one transaction and return its events."""

    def events(self, *, subject: str = "", type: str = "", after: int = 0) -> Iterator[Event]:
        """Yield events in order, of one subject or type if given, with a sequence greater than ``after``."""

    def head(self) -> Event | None:
        """Return the last event, None in an empty ledger."""

    def verify(self) -> Event | None:
        """Walk the whole chain; return the head, or raise ``VerificationFailed`` naming the first altered event."""

    def close(self) -> None:
        """Give the connection back."""


def open_ledger(url: str, home: Path) -> Ledger:
    """Open the ledger at ``url``, or the SQLite file of ``home`` when it is empty."""
    if url and not url.startswith("sqlite:///"):
        raise SettingsError(
            f"no ledger can be opened at a {url.split(':', 1)[0]!r} address",
            where="datalab.toml, [ledger] url",
            next="use sqlite:///PATH, or leave it empty for a file in the lab's home",
        )
    return SqliteLedger(Path(url.removeprefix("sqlite:///")) if url else home / "ledger.sqlite")


class SqliteLedger:
    """The ledger in one SQLite file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_network(path.parent)
        self.path = path
        with told(_WHAT, path):
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE)
            write_ahead(self._connection)
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def append(self, entries: Iterable[Entry]) -> list[Event]:
        """Append a batch in one transaction and return its events; nothing is kept when one of them is refused."""
        batch = list(entries)
        for entry in batch:
            if not entry.actor.strip():
                raise UsageError(f"event {entry.type} names no actor", next="say who acts: --as WHO or [lab] actor")
            canonical_json(entry.body)
        events: list[Event] = []
        with told(_WHAT, self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                head = self.head()
                for entry in batch:
                    head = Event.following(
                        head, at=_now(), type=entry.type, actor=entry.actor, subject=entry.subject, body=entry.body
                    )
                    events.append(head)
                rows = [_row(event) for event in events]
                self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                self._connection.execute("COMMIT")
            except BaseException:
                undo(self._connection)
                raise
        return events

    def events(self, *, subject: str = "", type: str = "", after: int = 0) -> Iterator[Event]:
        """Yield events in order."""
        where = ["sequence > ?"]
        values: list[Any] = [after]
        for column, value in (("subject", subject), ("type", type)):
            if value:
                where.append(f"{column} = ?")
                values.append(value)
        query = f"SELECT * FROM event WHERE {' AND '.join(where)} ORDER BY sequence"  # noqa: S608 - fixed words only
        with told(_WHAT, self.path):
            for row in self._connection.execute(query, values):
                yield self._read(row)

    def head(self) -> Event | None:
        """Return the last event."""
        with told(_WHAT, self.path):
            row = self._connection.execute("SELECT * FROM event ORDER BY sequence DESC LIMIT 1").fetchone()
        return self._read(row) if row else None

    def _read(self, row: tuple[Any, ...]) -> Event:
        try:
            return _event(row)
        except (ValueError, TypeError):
            raise self._altered(f"the ledger was altered at event {row[0]}") from None

    def _altered(self, what: str) -> VerificationFailed:
        return VerificationFailed(
            what,
            where=str(self.path),
            next="restore the ledger from a backup; what was appended after this event cannot be trusted",
        )

    def verify(self) -> Event | None:
        """Walk the whole chain and return its head."""
        with told(_WHAT, self.path):
            return self._walk()

    def _walk(self) -> Event | None:
        previous, event = GENESIS, None
        rows = self._connection.execute("SELECT * FROM event ORDER BY sequence")
        for number, row in enumerate(rows, start=1):
            try:
                event = _event(row)
                whole = event.sequence == number and event.previous == previous and event.holds() and _row(event) == row
            except (ValueError, TypeError):
                whole = False
            if not whole or event is None:
                raise self._altered(
                    f"the ledger was altered at event {row[0]}"
                    if row[0] == number
                    else f"event {number} is missing from the ledger"
                )
            previous = event.hash
        return event


def _row(event: Event) -> tuple[Any, ...]:
    return (
        event.sequence,
        event.at,
        event.type,
        event.actor,
        event.subject,
        canonical_json(event.body).decode(),
        event.previous,
        event.hash,
    )


def _event(row: tuple[Any, ...]) -> Event:
    sequence, at, kind, actor, subject, body, previous, hashed = row
    return Event(sequence, at, kind, actor, subject, json.loads(body), previous, hashed)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse_network(folder: Path) -> None:
    """Refuse SQLite where its locks do not hold."""
    kind = _NETWORK_FILESYSTEMS.get(_filesystem_type(folder))
    if kind:
        raise SettingsError(
            f"the ledger cannot be kept on {kind}: file locks do not hold there",
            where=str(folder),
            next="set [lab] home in datalab.toml to a folder on a local disk",
        )


def _filesystem_type(folder: Path) -> int:
    """Return the magic number of the filesystem under ``folder`` (statfs f_type), 0 where it cannot be told."""
    import ctypes

    buffer = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(str(folder).encode(), buffer) != 0:
        return 0
    return int.from_bytes(buffer.raw[:8], "little") & 0xFFFFFFFF
