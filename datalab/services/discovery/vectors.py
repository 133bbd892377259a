"""The vectors of datasets, kept beside their texts: made once for each text and model, compared in one product of a matrix."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datalab.services.discovery.embedding import Model

SCHEMA = """
CREATE TABLE IF NOT EXISTS vector (id INTEGER PRIMARY KEY, model TEXT NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL,
  UNIQUE (model, text));
CREATE TABLE IF NOT EXISTS meaning (listing INTEGER PRIMARY KEY, vector INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS meaning_vector ON meaning (vector);
CREATE TABLE IF NOT EXISTS examined (mark TEXT PRIMARY KEY, digest TEXT NOT NULL, unknown INTEGER NOT NULL) WITHOUT ROWID;
"""
"""``vector`` outlives a listing that is taken in anew: the same text need not be read twice. Vectors are little-endian float32."""
_BATCH = 256
_QUIET_SECONDS = 2.0
_BEGINNING = 4000
Progress = Callable[[str, int, int | None], None]


def learn(
    database: sqlite3.Connection, model: Model, transaction: Callable[[], AbstractContextManager[None]], progress: Progress
) -> int:
    """Give every listing its vector by ``model``; return how many texts were read for it. What was cut goes on where it was."""
    [total] = database.execute(_UNKNOWN.format("count(*)"), _known_by(model)).fetchone()
    began, done, read = time.monotonic(), 0, 0
    while total:
        with transaction():
            rows = database.execute(
                _UNKNOWN.format("listing.id") + f" ORDER BY listing.id LIMIT {_BATCH}", _known_by(model)
            ).fetchall()
            if not rows:
                break
            read += _learn_some(database, model, [row[0] for row in rows])
        done += len(rows)
        if time.monotonic() - began > _QUIET_SECONDS:
            progress("reading what datasets mean", done, max(done, total))
    if done:
        with transaction():
            database.execute("DELETE FROM vector WHERE model <> ?", (model.digest,))
            database.execute("DELETE FROM meaning WHERE vector NOT IN (SELECT id FROM vector)")
            database.execute("DELETE FROM vector WHERE id NOT IN (SELECT vector FROM meaning)")
    return read


_UNKNOWN = (
    "SELECT {} FROM listing WHERE NOT EXISTS (SELECT 1 FROM meaning JOIN vector ON vector.id = meaning.vector "
    "WHERE meaning.listing = listing.id AND model = ? AND length(vector.vector) = ?)"
)


def _known_by(model: Model) -> tuple[str, int]:
    return model.digest, 4 * model.dimensions


def _learn_some(database: sqlite3.Connection, model: Model, listings: list[int]) -> int:
    asked = (
        "SELECT rowid, title, keywords, substr(description, 1, ?) FROM words WHERE rowid IN (SELECT value FROM json_each(?)) "
        "ORDER BY rowid"
    )
    texts = dict.fromkeys(listings, ("", "")) | {
        row: (f"{title}. {keywords}"[:_BEGINNING], description)
        for row, title, keywords, description in database.execute(asked, (_BEGINNING, json.dumps(listings)))
    }
    keys = {row: _key(*text) for row, text in texts.items()}
    known = dict(_by_key(database, model, set(keys.values())))
    new = {key: texts[row] for row, key in keys.items() if key not in known}
    made = model.datasets([title for title, _ in new.values()], [description for _, description in new.values()])
    database.executemany(
        "INSERT OR REPLACE INTO vector (model, text, vector) VALUES (?, ?, ?)",
        [(model.digest, key, vector.astype("<f4").tobytes()) for key, vector in zip(new, made, strict=True)],
    )
    known |= dict(_by_key(database, model, set(new)))
    database.executemany("INSERT OR REPLACE INTO meaning VALUES (?, ?)", [(row, known[key]) for row, key in keys.items()])
    return len(new)


def _by_key(database: sqlite3.Connection, model: Model, keys: set[bytes]) -> Iterator[tuple[bytes, int]]:
    for key in keys:
        row = database.execute(
            "SELECT id FROM vector WHERE model = ? AND text = ? AND length(vector) = ?",
            (model.digest, key, 4 * model.dimensions),
        ).fetchone()
        if row:
            yield key, row[0]


def _key(title: str, description: str) -> bytes:
    return hashlib.sha256(json.dumps([1, title, description]).encode()).digest()


class Nearest:
    """The vectors of one index as a matrix, read again only when the index changed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._state: tuple[object, ...] = ()
        self._listings: NDArray[np.int64] = np.zeros(0, np.int64)
        self._matrix: NDArray[np.float32] = np.zeros((0, 1), np.float32)

    def to(self, text: str, model: Model, among: NDArray[np.int64] | None, least: float) -> Iterator[tuple[int, float]]:
        """Yield (listing, cosine similarity) of all that are at least ``least`` near to a text, nearest first."""
        vector = model.vectors([text])[0]
        if not vector.any():
            return
        self._read(model)
        near = self._matrix @ vector
        good = near >= least
        if among is not None:
            good &= np.isin(self._listings, among)
        places = np.flatnonzero(good)
        for place in places[np.lexsort((self._listings[places], -near[places]))]:
            yield int(self._listings[place]), float(near[place])

    def _read(self, model: Model) -> None:
        [version] = self._database.execute(
            "PRAGMA data_version"
        ).fetchone()  # of what others wrote; the other number is of ours
        state = (model.digest, version, self._database.total_changes)
        if state == self._state:
            return
        rows = self._database.execute(
            "SELECT listing, vector.vector FROM meaning JOIN vector ON vector.id = meaning.vector "
            "WHERE model = ? AND length(vector.vector) = ? ORDER BY listing",
            _known_by(model),
        ).fetchall()
        self._listings = np.array([row[0] for row in rows], np.int64)
        joined = np.frombuffer(b"".join(row[1] for row in rows), "<f4")
        self._matrix = joined.reshape(len(rows), model.dimensions)
        self._state = state
