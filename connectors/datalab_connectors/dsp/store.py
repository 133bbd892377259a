"""Negotiations, transfers and undelivered messages of one participant, in SQLite: what survives a kill.

A change of state and the messages it causes are written in one transaction, so that after a restart every message that
is owed is still owed, and none was sent for a state that was not reached.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datalab.ports.database import told, undo, write_ahead

_SCHEMA = """
CREATE TABLE IF NOT EXISTS process (
  pid TEXT PRIMARY KEY, kind TEXT NOT NULL, peer TEXT NOT NULL, party TEXT NOT NULL, subject TEXT NOT NULL,
  state TEXT NOT NULL, due TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS process_peer ON process (kind, peer);
CREATE INDEX IF NOT EXISTS process_subject ON process (kind, subject);
CREATE TABLE IF NOT EXISTS letter (
  number INTEGER PRIMARY KEY AUTOINCREMENT, pid TEXT NOT NULL, url TEXT NOT NULL, message TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL DEFAULT 0);
"""


_WHAT = "the store of negotiations"
_PATIENCE = 10.0
"""Seconds to wait for another writer."""


@dataclass(frozen=True, slots=True)
class Process:
    """A negotiation or transfer as one side sees it.

    ``pid`` is one's own id, ``peer`` the other's, ``party`` who the other is, ``subject`` what it is about, ``due`` what
    this side has to do next ("" for nothing), ``data`` everything else (plain JSON).
    """

    pid: str
    kind: str
    peer: str
    party: str
    state: str
    subject: str = ""
    due: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that has to be delivered."""

    number: int
    pid: str
    url: str
    message: Mapping[str, Any]
    attempts: int


class Store:
    """One connection, one lock: a participant has few processes, and each step is short."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._path = path
        with told(_WHAT, path):
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE)
            path.chmod(0o600)
            write_ahead(self._db)
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Everything in this block is written together, or not at all."""
        with self._lock, told(_WHAT, self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                undo(self._db)
                raise

    def save(self, process: Process) -> None:
        """Write a process; an earlier form of it is replaced."""
        with self._lock, told(_WHAT, self._path):
            self._db.execute(
                "INSERT INTO process (pid, kind, peer, party, subject, state, due, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (pid) DO UPDATE SET peer = excluded.peer, state = excluded.state, due = excluded.due, data = excluded.data",
                (
                    process.pid,
                    process.kind,
                    process.peer,
                    process.party,
                    process.subject,
                    process.state,
                    process.due,
                    json.dumps(dict(process.data)),
                ),
            )

    def get(self, kind: str, pid: str) -> Process | None:
        """Return a process by its own id."""
        return next(iter(self._select("kind = ? AND pid = ?", kind, pid)), None)

    def with_peer(self, kind: str, peer: str, party: str) -> Process | None:
        """Return a process by the other side's id."""
        return next(iter(self._select("kind = ? AND peer = ? AND party = ?", kind, peer, party)), None)

    def about(self, kind: str, subject: str) -> list[Process]:
        """Return the processes about ``subject``, oldest first."""
        return self._select("kind = ? AND subject = ?", kind, subject)

    def under_way(self, kind: str) -> list[Process]:
        """Return the processes of a kind that have not ended, oldest first."""
        return self._select("kind = ? AND state NOT IN ('FINALIZED', 'COMPLETED', 'TERMINATED')", kind)

    def due(self) -> list[Process]:
        """Return the processes in which this side has to act."""
        return self._select("due != ''")

    def post(self, pid: str, url: str, message: Mapping[str, Any]) -> None:
        """Owe a message to the other side."""
        with self._lock, told(_WHAT, self._path):
            self._db.execute("INSERT INTO letter (pid, url, message) VALUES (?, ?, ?)", (pid, url, json.dumps(message)))

    def letters(self, now: float) -> list[Letter]:
        """Return the messages to deliver by ``now``: of each process only the oldest one, so that order is kept."""
        with self._lock, told(_WHAT, self._path):
            rows = self._db.execute(
                "SELECT number, pid, url, message, attempts FROM letter"
                " WHERE number IN (SELECT min(number) FROM letter GROUP BY pid) AND at <= ? ORDER BY number",
                (now,),
            ).fetchall()
        return [Letter(number, pid, url, json.loads(text), attempts) for number, pid, url, text, attempts in rows]

    def delivered(self, letter: Letter) -> None:
        """Forget a message that arrived, or that will never be accepted."""
        with self._lock, told(_WHAT, self._path):
            self._db.execute("DELETE FROM letter WHERE number = ?", (letter.number,))

    def later(self, letter: Letter, at: float) -> None:
        """Try a message again at the moment ``at`` (seconds since the epoch)."""
        with self._lock, told(_WHAT, self._path):
            self._db.execute("UPDATE letter SET attempts = attempts + 1, at = ? WHERE number = ?", (at, letter.number))

    def _select(self, condition: str, *values: str) -> list[Process]:
        with self._lock, told(_WHAT, self._path):
            rows = self._db.execute(
                f"SELECT pid, kind, peer, party, state, subject, due, data FROM process WHERE {condition} ORDER BY rowid",  # noqa: S608
                values,
            ).fetchall()
        return [
            Process(pid, kind, peer, party, state, subject, due, json.loads(text))
            for pid, kind, peer, party, state, subject, due, text in rows
        ]
