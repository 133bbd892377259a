"""The copy of a catalogue: records to the letter, a number for every change, and where a harvest that was cut goes on."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from datalab.policy.moments import rfc3339
from datalab.ports.connector import Harvest
from datalab.ports.database import told, undo, write_ahead
from datalab_connectors.dcat.pages import Mark, Page
from datalab_connectors.dcat.record import Raw

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  id TEXT PRIMARY KEY, number INTEGER NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL, modified TEXT NOT NULL,
  digest BLOB NOT NULL, body TEXT) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS record_number ON record (number);
CREATE TABLE IF NOT EXISTS page (url TEXT PRIMARY KEY, run INTEGER NOT NULL, mark TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_STALE_HOURS = 24
_WHAT = "the copy of the catalogue"


class Store:
    """A SQLite file in the connector's state folder. ``source`` names what was copied: another one begins a new copy."""

    def __init__(self, path: Path, source: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        with self._open() as database:
            write_ahead(database)
            database.executescript(_SCHEMA)
            if self._fact(database, "source") != source:
                for table in ("record", "page", "fact"):
                    database.execute(f"DELETE FROM {table}")  # noqa: S608
                self._say(database, source=source, copy=uuid.uuid4().hex)
        path.chmod(0o600)

    def state(self) -> tuple[str, int, str]:
        """Return the name of the copy, the number of its last change, and when a harvest last came to its end."""
        with self._open() as database:
            return self._fact(database, "copy"), self._last(database), self._fact(database, "ended")

    def get(self, name: str) -> Raw | None:
        """Return the record of that id; None where there is none."""
        with self._open() as database:
            row = database.execute(
                "SELECT id, body, kind, modified FROM record WHERE id = ? AND body IS NOT NULL", (name,)
            ).fetchone()
        return Raw(*row) if row else None

    def close_to(self, name: str, most: int = 2000) -> list[str]:
        """Return ids among which a misspelt one may be meant."""
        with self._open() as database:
            rows = database.execute(
                "SELECT id FROM record WHERE body IS NOT NULL ORDER BY abs(length(id) - ?) LIMIT ?", (len(name), most)
            )
            return [row[0] for row in rows]

    def holding(self, words: Sequence[str]) -> Iterator[Raw]:
        """Yield the records in whose letters all the words occur, in the order of their ids."""
        conditions = "".join(" AND instr(lower(body), ?) > 0" for word in words if word.isascii())
        asked = f"SELECT id, body, kind, modified FROM record WHERE body IS NOT NULL{conditions} ORDER BY id"  # noqa: S608
        with self._open() as database:
            for row in database.execute(asked, [json.dumps(word)[1:-1] for word in words if word.isascii()]):
                yield Raw(*row)

    def changes(self, after: int) -> Iterator[tuple[int, str, Raw | None]]:
        """Yield number, id and record (None: gone) of everything that changed after that number, in order."""
        with self._open() as database:
            for number, name, body, kind, modified in database.execute(
                "SELECT number, id, body, kind, modified FROM record WHERE number > ? ORDER BY number", (after,)
            ):
                yield number, name, None if body is None else Raw(name, body, kind, modified)

    def modified(self, names: Sequence[str]) -> dict[str, str]:
        """Return when the records we have of those names were last changed, as they say."""
        with self._open() as database:
            rows = database.execute(
                "SELECT id, modified FROM record WHERE body IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(names)),),
            )
            return dict(rows.fetchall())

    def marks(self) -> dict[str, Mark]:
        """Return what is remembered of the pages."""
        with self._open() as database:
            return {url: Mark(**json.loads(mark)) for url, mark in database.execute("SELECT url, mark FROM page")}

    def keep(self, raw: Raw) -> None:
        """Keep a record that was asked for by itself."""
        with self._write() as database:
            run = int(self._fact(database, "run") or 0)
            self._put(database, [raw], run)

    def begin(self) -> str:
        """Begin a harvest, or go on with one that was cut within the day; return the cursor to go on from, "" for the beginning."""
        with self._write() as database:
            cursor, begun = self._fact(database, "cursor"), self._fact(database, "begun")
            limit = rfc3339(dt.datetime.now(dt.UTC) - dt.timedelta(hours=_STALE_HOURS))
            if cursor and begun > limit:
                return cursor
            run = int(self._fact(database, "run") or 0) + 1
            self._say(database, run=str(run), cursor="", begun=rfc3339(dt.datetime.now(dt.UTC)), counts="[0,0,0]")
            return ""

    def add(self, page: Page) -> None:
        """Take in one page: its records, what is still there, and the cursor, all or nothing."""
        with self._write() as database:
            run = int(self._fact(database, "run"))
            new, changed = self._put(database, page.raws, run)
            if page.same:
                database.execute(
                    "UPDATE record SET run = ? WHERE body IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
                    (run, json.dumps(list(page.same))),
                )
            if page.mark is not None:
                mark = {key: getattr(page.mark, key) for key in ("etag", "modified", "next", "ids", "total")}
                database.execute("INSERT OR REPLACE INTO page VALUES (?, ?, ?)", (page.url, run, json.dumps(mark)))
            before = json.loads(self._fact(database, "counts"))
            counts = [before[0] + new, before[1] + changed, before[2] + page.unreadable]
            self._say(database, cursor=page.next, counts=json.dumps(counts))

    def end(self) -> Harvest:
        """End a harvest that saw the whole catalogue: what it did not see is gone."""
        with self._write() as database:
            run = int(self._fact(database, "run"))
            gone = [row[0] for row in database.execute("SELECT id FROM record WHERE run <> ? AND body IS NOT NULL", (run,))]
            number = self._last(database)
            database.executemany(
                "UPDATE record SET body = NULL, digest = x'', number = ? WHERE id = ?",
                [(number + place, name) for place, name in enumerate(gone, 1)],
            )
            database.execute("DELETE FROM page WHERE run <> ?", (run,))
            new, changed, unreadable = json.loads(self._fact(database, "counts"))
            self._say(database, cursor="", ended=rfc3339(dt.datetime.now(dt.UTC)))
            there = database.execute("SELECT count(*) FROM record WHERE body IS NOT NULL").fetchone()[0]
        return Harvest(there, new, changed, len(gone), unreadable)

    def count(self) -> int:
        """Return how many datasets the copy holds."""
        with self._open() as database:
            found: int = database.execute("SELECT count(*) FROM record WHERE body IS NOT NULL").fetchone()[0]
            return found

    def seen(self) -> int:
        """Return how many datasets the running harvest has seen."""
        with self._open() as database:
            asked = "SELECT count(*) FROM record WHERE body IS NOT NULL AND run = (SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'run')"
            found: int = database.execute(asked).fetchone()[0]
            return found

    def _put(self, database: sqlite3.Connection, raws: Sequence[Raw], run: int) -> tuple[int, int]:
        number, new, changed = self._last(database), 0, 0
        names = json.dumps([raw.id for raw in raws])
        known = dict(
            database.execute("SELECT id, digest FROM record WHERE id IN (SELECT value FROM json_each(?))", (names,)).fetchall()
        )
        rows, same = [], []
        for raw in {raw.id: raw for raw in raws}.values():
            digest = hashlib.blake2b(raw.body.encode(), digest_size=16).digest()
            before = known.get(raw.id)
            if before == digest:
                same.append((run, raw.id))
                continue
            new, changed = (new, changed + 1) if before else (new + 1, changed)
            number += 1
            rows.append((raw.id, number, run, raw.kind, raw.modified, digest, raw.body))
        database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        database.executemany("UPDATE record SET run = ? WHERE id = ?", same)
        return new, changed

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one act: several threads and processes may look at one copy."""
        with told(_WHAT, self._path):
            database = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            try:
                database.execute("PRAGMA synchronous = NORMAL")
                yield database
            finally:
                database.close()

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one change, all or nothing."""
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            finally:
                undo(database)

    @staticmethod
    def _last(database: sqlite3.Connection) -> int:
        found: int = database.execute("SELECT coalesce(max(number), 0) FROM record").fetchone()[0]
        return found

    @staticmethod
    def _fact(database: sqlite3.Connection, name: str) -> str:
        row = database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    @staticmethod
    def _say(database: sqlite3.Connection, **facts: str) -> None:
        database.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", list(facts.items()))
