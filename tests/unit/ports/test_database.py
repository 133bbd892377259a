"""What SQLite answers, in plain words."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from datalab.errors import DatalabError, StorageFailed, VerificationFailed
from datalab.ports.database import told, undo, write_ahead


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "some.sqlite"
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE thing (name TEXT UNIQUE)")
    connection.close()
    return place


def answered(path, act) -> DatalabError:
    with pytest.raises(DatalabError) as caught, told("the store", path):
        act()
    assert (caught.value.where, bool(caught.value.next)) == (str(path), True)
    return caught.value


def opened(path, *, mode="rw"):
    return sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=0.01, isolation_level=None)


def test_locked_read_only_full_and_unopened_are_told_apart(path):
    with opened(path) as one, opened(path) as two, opened(path, mode="ro") as three:
        one.execute("BEGIN EXCLUSIVE")
        assert "locked by another process" in answered(path, lambda: two.execute("INSERT INTO thing VALUES ('a')")).what
        one.execute("COMMIT")
        assert "cannot be written" in answered(path, lambda: three.execute("INSERT INTO thing VALUES ('a')")).what
        two.execute("PRAGMA max_page_count = 3")
        full = answered(path, lambda: two.execute("INSERT INTO thing VALUES (?)", ("a" * 100_000,)))
        assert (type(full), "the disk is full" in full.what) == (StorageFailed, True)
    for connection in (one, two, three):
        connection.close()
    assert "cannot be opened" in answered(path, lambda: opened(path.parent / "none" / "here")).what


def test_a_damaged_file_is_a_failed_verification(path):
    path.write_bytes(b"no database at all" * 100)
    connection = opened(path)
    damaged = answered(path, lambda: connection.execute("SELECT * FROM thing"))
    assert (type(damaged), "backup" in damaged.next) == (VerificationFailed, True)
    connection.close()


def test_a_broken_constraint_stays_what_it_is(path):
    connection = opened(path)
    connection.execute("INSERT INTO thing VALUES ('a')")
    with pytest.raises(sqlite3.IntegrityError), told("the store", path):
        connection.execute("INSERT INTO thing VALUES ('a')")
    connection.close()


def test_undoing_what_sqlite_undid_itself_is_no_error(path):
    connection = opened(path)
    undo(connection)
    connection.execute("BEGIN")
    undo(connection)
    assert not connection.in_transaction
    connection.close()
    undo(connection)


def test_many_open_a_new_file_at_the_same_moment(tmp_path):
    def opened(number, name):
        meeting.wait()
        with contextlib.closing(sqlite3.connect(tmp_path / name, timeout=10, isolation_level=None)) as connection:
            write_ahead(connection)
            connection.execute("CREATE TABLE IF NOT EXISTS item (number INTEGER)")
            connection.execute("INSERT INTO item VALUES (?)", (number,))

    for turn in range(20):
        meeting = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(opened, range(4), [f"{turn}.sqlite"] * 4))
        with contextlib.closing(sqlite3.connect(tmp_path / f"{turn}.sqlite")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("SELECT count(*) FROM item").fetchone() == (4,)
