"""The index of what catalogues offer: full text and facets over tens of thousands of datasets in one SQLite file (FTS5)."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datalab.model.offer import Offer
from datalab.ports.connector import Change
from datalab.ports.database import told, undo, write_ahead
from datalab.services.discovery import vectors
from datalab.services.discovery.embedding import Examined, Model, open_model
from datalab.services.discovery.naming import names_of

FACETS = ("catalogue", "theme", "format", "licence", "publisher", "language", "access")
"""What datasets are chosen by, beside words."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS listing (
  id INTEGER PRIMARY KEY, catalogue TEXT NOT NULL, dataset TEXT NOT NULL, modified REAL NOT NULL, quality REAL NOT NULL,
  UNIQUE (catalogue, dataset));
CREATE TABLE IF NOT EXISTS facet (kind TEXT NOT NULL, value TEXT NOT NULL, shown TEXT NOT NULL, listing INTEGER NOT NULL,
  PRIMARY KEY (kind, value, listing)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS facet_listing ON facet (listing);
CREATE TABLE IF NOT EXISTS name (value TEXT NOT NULL, listing INTEGER NOT NULL, PRIMARY KEY (value, listing)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS name_listing ON name (listing);
CREATE TABLE IF NOT EXISTS copy (catalogue TEXT PRIMARY KEY, copy TEXT NOT NULL, number INTEGER NOT NULL, ended TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (title, keywords, holder, description, tokenize = "unicode61 remove_diacritics 2", prefix = '3');
"""
_WEIGHTS = "10.0, 5.0, 3.0, 1.0"
"""How much a word counts in title, keywords, holder, description (BM25)."""
_CANDIDATES = 200
"""How many of the best by text are weighed by freshness and quality too."""
_FRESHNESS, _QUALITY = 0.15, 0.15
"""Shares of the score; the rest is the text's."""
_HALF_LIFE_DAYS = 730.0
_BATCH = 1000
_BY_MEANING_ALONE = 20
"""How many datasets that lack the words a search shows for their meaning: behind the nearest stands whatever is left."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search: words (all must occur, as beginnings of words), and values by facet, of which one each must be met."""

    text: str = ""
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset that was found. ``score`` (0 to 1) weighs text, freshness and quality; ``names`` are what it is called anywhere.

    ``by`` says why it was found: its ``words``, its ``meaning``; ``similarity`` (a cosine) is that of the meanings, 0 where none is known.
    """

    catalogue: str
    dataset: str
    score: float
    names: frozenset[str] = frozenset()
    by: tuple[str, ...] = ()
    similarity: float = 0.0


class Index:
    """The index in a file, or without a path in memory. Safe to open in several threads and processes: one object each."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or Path(":memory:")
        with self._told():
            self._database = sqlite3.connect(str(self._path), timeout=10, isolation_level=None, check_same_thread=False)
            write_ahead(self._database)
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("PRAGMA cache_size = -65536")
            self._database.executescript(_SCHEMA + vectors.SCHEMA)
        self._nearest = vectors.Nearest(self._database)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def position(self, catalogue: str) -> tuple[str, int]:
        """Return which copy of a catalogue was taken in, and up to which change."""
        with self._told():
            row = self._database.execute("SELECT copy, number FROM copy WHERE catalogue = ?", (catalogue,)).fetchone()
        return (row[0], row[1]) if row else ("", 0)

    def take_in(self, catalogue: str, copy: str, changes: Iterable[Change], ended: str = "") -> int:
        """Take in the changes of a catalogue's copy, a thousand at a time; return how many there were.

        Another ``copy`` than the one known replaces it whole.
        """
        if self.position(catalogue)[0] not in {"", copy}:
            self.forget(catalogue)
        taken, batch = 0, list[Change]()
        for change in changes:
            batch.append(change)
            if len(batch) >= _BATCH:
                self._put(catalogue, copy, batch, ended)
                taken, batch = taken + len(batch), []
        if batch:
            self._put(catalogue, copy, batch, ended)
        return taken + len(batch)

    def forget(self, catalogue: str) -> None:
        """Remove all that is known of a catalogue."""
        with self._transaction():
            rows = self._database.execute("SELECT id FROM listing WHERE catalogue = ?", (catalogue,)).fetchall()
            self._remove([row[0] for row in rows])
            self._database.execute("DELETE FROM copy WHERE catalogue = ?", (catalogue,))

    def search(self, wanted: Wanted, *, now: dt.datetime | None = None) -> list[Found]:
        """Return the datasets that match, best first: by text (BM25), freshness and quality of the record."""
        day = (now or dt.datetime.now(dt.UTC)).timestamp() / 86400
        where, values = _conditions(wanted.facets)
        match = _match(wanted.text)
        if match is None:
            asked = f"SELECT id, catalogue, dataset, modified, quality, 0.0 FROM listing WHERE true{where} ORDER BY modified DESC LIMIT ?"  # noqa: S608
        else:  # the limit stands inside: most matches are never looked up in the table
            where = where.replace("listing.id", "+rowid")  # the plus: a filter, not a way to look up one text at a time
            asked = (
                "SELECT listing.id, catalogue, dataset, modified, quality, found.rank FROM "  # noqa: S608
                f"(SELECT rowid, rank FROM words WHERE words MATCH ? AND rank MATCH 'bm25({_WEIGHTS})'{where} ORDER BY rank LIMIT ?) "
                "AS found JOIN listing ON listing.id = found.rowid ORDER BY found.rank"
            )
            values = [match, *values]
        with self._told():
            rows = self._database.execute(asked, [*values, max(_CANDIDATES, wanted.limit)]).fetchall()
            best = min((row[5] for row in rows), default=0.0)
            scored = sorted(
                ((_score(row, best, day), row) for row in rows), key=lambda item: (-item[0], item[1][1], item[1][2])
            )
            scored = scored[: max(0, wanted.limit)]
            names = self._names([row[0] for _, row in scored])
        by = () if match is None else ("words",)
        return [Found(row[1], row[2], round(score, 4), names.get(row[0], frozenset()), by) for score, row in scored]

    def model(self, folder: Path) -> Model:
        """Open the model in ``folder`` (`open_model`); the index remembers that it looked through these files."""
        with self._told():
            rows = self._database.execute("SELECT mark, digest, unknown FROM examined")
            known = {mark: Examined(digest, unknown) for mark, digest, unknown in rows}
            model = open_model(folder, examined := known.copy())
            if new := [(mark, *one) for mark, one in examined.items() if mark not in known]:
                self._database.executemany("INSERT OR REPLACE INTO examined VALUES (?, ?, ?)", new)
        return model

    def learn(self, model: Model, progress: vectors.Progress = lambda *_: None) -> int:
        """Read what the datasets mean, those that are new, changed or known by another model only; return how many texts were read.

        ``progress`` is called where that takes more than two seconds.
        """
        with self._told():
            return vectors.learn(self._database, model, self._transaction, progress)

    def near(self, wanted: Wanted, model: Model, *, least: float) -> list[Found]:
        """Return the datasets within the facets whose meaning is at least ``least`` near to the text, nearest first, scored by it.

        Those that hold the words too come as far as the limit; of those that do not, the twenty nearest.
        """
        match = _match(wanted.text)
        if match is None:
            return []
        where, values = _conditions(wanted.facets)
        with self._told():
            asked = self._database.execute(f"SELECT id FROM listing WHERE true{where}", values) if where else None  # noqa: S608
            among = None if asked is None else np.fromiter((row[0] for row in asked), np.int64)
            worded = {row[0] for row in self._database.execute("SELECT rowid FROM words WHERE words MATCH ?", (match,))}
            chosen, alone = dict[int, float](), 0
            for listing, similarity in self._nearest.to(wanted.text, model, among, least):
                alone += listing not in worded
                if len(chosen) >= wanted.limit:
                    break
                if listing in worded or alone <= _BY_MEANING_ALONE:
                    chosen[listing] = similarity
            listed = "SELECT id, catalogue, dataset FROM listing WHERE id IN (SELECT value FROM json_each(?))"
            rows = {row[0]: row[1:] for row in self._database.execute(listed, (json.dumps(list(chosen)),))}
            names = self._names(list(chosen))
        found = []
        for listing, similarity in chosen.items():
            if listing in rows:
                by = ("words", "meaning") if listing in worded else ("meaning",)
                nearness, (catalogue, dataset) = round(similarity, 4), rows[listing]
                found.append(Found(catalogue, dataset, nearness, names.get(listing, frozenset()), by, nearness))
        return found

    def facets(self, wanted: Wanted, *, most: int = 12, near: Sequence[Found] = ()) -> dict[str, list[tuple[str, int]]]:
        """Return for every facet its most frequent values among all that matches, or is ``near``, with the number of datasets."""
        where, values = _conditions(wanted.facets)
        match = _match(wanted.text)
        chosen = f"SELECT id FROM listing WHERE true{where}"  # noqa: S608
        if match is not None:
            chosen += " AND id IN (SELECT rowid FROM words WHERE words MATCH ?"
            values = [*values, match]
            if near:
                chosen += (
                    " UNION SELECT listing.id FROM json_each(?) JOIN listing "
                    "ON catalogue = json_extract(value, '$[0]') AND dataset = json_extract(value, '$[1]')"
                )
                values.append(json.dumps([(one.catalogue, one.dataset) for one in near]))
            chosen += ")"
        counted: dict[str, list[tuple[str, int]]] = {kind: [] for kind in FACETS}
        asked = (
            f"SELECT kind, min(shown), count(*) AS datasets FROM facet WHERE listing IN ({chosen}) "  # noqa: S608
            "GROUP BY kind, value ORDER BY kind, datasets DESC, value"
        )
        with self._told():
            for kind, value, number in self._database.execute(asked, values):
                if len(counted[kind]) < most:
                    counted[kind].append((value, number))
        return counted

    def others(self, found: Found) -> list[tuple[str, str]]:
        """Return where else a dataset is listed: catalogue and id of all that share a name with it."""
        asked = (
            "SELECT DISTINCT catalogue, dataset FROM name JOIN listing ON listing.id = name.listing "
            "WHERE value IN (SELECT value FROM json_each(?)) ORDER BY catalogue, dataset"
        )
        with self._told():
            rows = self._database.execute(asked, (json.dumps(sorted(found.names)),)).fetchall()
        return [(row[0], row[1]) for row in rows if (row[0], row[1]) != (found.catalogue, found.dataset)]

    def catalogues(self) -> list[tuple[str, int, str]]:
        """Return every catalogue with the number of its datasets and when its last harvest ended."""
        asked = (
            "SELECT copy.catalogue, count(listing.id), ended FROM copy LEFT JOIN listing ON listing.catalogue = copy.catalogue "
            "GROUP BY copy.catalogue ORDER BY copy.catalogue"
        )
        with self._told():
            return [(row[0], row[1], row[2]) for row in self._database.execute(asked)]

    def _put(self, catalogue: str, copy: str, changes: Sequence[Change], ended: str) -> None:
        with self._transaction():
            last = {change.dataset_id: change for change in changes}
            known = self._database.execute(
                "SELECT id FROM listing WHERE catalogue = ? AND dataset IN (SELECT value FROM json_each(?))",
                (catalogue, json.dumps(list(last))),
            ).fetchall()
            self._remove([row[0] for row in known])
            first = self._database.execute("SELECT coalesce(max(id), 0) FROM listing").fetchone()[0] + 1
            offers = [change.offer for change in last.values() if change.offer is not None]
            rows = list(enumerate(offers, first))
            many = self._database.executemany
            many(
                "INSERT INTO listing VALUES (?, ?, ?, ?, ?)",
                [(row, catalogue, o.dataset_id, _day(o), o.fitness.quality or 0.0) for row, o in rows],
            )
            many(
                "INSERT INTO words (rowid, title, keywords, holder, description) VALUES (?, ?, ?, ?, ?)",
                [(row, o.title, " ".join((*o.keywords, *o.fitness.themes)), o.holder, o.description) for row, o in rows],
            )
            many(
                "INSERT OR IGNORE INTO facet VALUES (?, ?, ?, ?)",
                [(kind, value.casefold(), value, row) for row, o in rows for kind, value in _facets(catalogue, o)],
            )
            many("INSERT OR IGNORE INTO name VALUES (?, ?)", [(value, row) for row, o in rows for value in names_of(o)])
            self._database.execute(
                "INSERT OR REPLACE INTO copy VALUES (?, ?, ?, ?)", (catalogue, copy, changes[-1].number, ended)
            )

    def _remove(self, rows: Sequence[int]) -> None:
        if rows:
            ids = json.dumps(list(rows))
            for table, column in (
                ("words", "rowid"),
                ("meaning", "listing"),
                ("facet", "listing"),
                ("name", "listing"),
                ("listing", "id"),
            ):
                self._database.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (ids,))  # noqa: S608

    def _names(self, rows: Sequence[int]) -> dict[int, frozenset[str]]:
        found: dict[int, set[str]] = {}
        asked = "SELECT listing, value FROM name WHERE listing IN (SELECT value FROM json_each(?))"
        for row, value in self._database.execute(asked, (json.dumps(list(rows)),)):
            found.setdefault(row, set()).add(value)
        return {row: frozenset(values) for row, values in found.items()}

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                undo(self._database)

    def _told(self) -> contextlib.AbstractContextManager[None]:
        return told("the index of the catalogues", self._path)


def _match(text: str) -> str | None:
    """Return the words as an FTS5 expression: quoted, since they may hold its signs, each as the beginning of a word."""
    words = re.findall(r"\w+", text)
    return " ".join(f'"{word}"*' if len(word) > 2 else f'"{word}"' for word in words[:20]) or None


def _conditions(facets: Mapping[str, Sequence[str]]) -> tuple[str, list[str]]:
    where, values = "", list[str]()
    for kind, wanted in facets.items():
        if wanted:
            where += (
                " AND listing.id IN (SELECT listing FROM facet WHERE kind = ? AND value IN (SELECT value FROM json_each(?)))"
            )
            values += [kind, json.dumps([value.casefold() for value in wanted])]
    return where, values


def _facets(catalogue: str, offer: Offer) -> Iterator[tuple[str, str]]:
    fitness = offer.fitness
    yield "catalogue", catalogue
    for kind, values in (
        ("theme", fitness.themes),
        ("format", (item.format for item in offer.distributions)),
        ("licence", offer.licence.split(", ")),
        ("publisher", (offer.holder,)),
        ("language", offer.languages),
        ("access", (fitness.access,)),
    ):
        yield from ((kind, value) for value in values if value)


def _day(offer: Offer) -> float:
    """Return when a dataset changed last, in days since 1970; 0 where that is not known."""
    for text in (offer.fitness.modified, offer.issued):
        with contextlib.suppress(ValueError):
            if text:
                found = dt.datetime.fromisoformat(text if len(text) > 7 else f"{text}-01-01"[:10])
                return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp() / 86400
    return 0.0


def _score(row: tuple[int, str, str, float, float, float], best: float, day: float) -> float:
    _, _, _, modified, quality, bm25 = row
    text = bm25 / best if best else 1.0  # BM25 of FTS5 is the smaller, the better: negative
    fresh = math.exp2(-max(0.0, day - modified) / _HALF_LIFE_DAYS) if modified else 0.0
    return (1 - _FRESHNESS - _QUALITY) * text + _FRESHNESS * fresh + _QUALITY * quality
