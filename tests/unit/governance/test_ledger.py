"""The ledger: append-only, one chain whoever writes, and every change named."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalab.errors import SettingsError, StorageFailed, UsageError, VerificationFailed
from datalab.governance import ledger as ledger_module
from datalab.governance.ledger import Entry, SqliteLedger, open_ledger
from datalab.model.event import GENESIS


def entry(number: int = 0, **changes) -> Entry:
    return Entry(
        **({"type": "test.done", "actor": "steward", "subject": f"s{number % 2}", "body": {"number": number}} | changes)
    )


def _append_many(path, first: int, start) -> None:
    with SqliteLedger(path) as mine:
        start.wait()
        for number in range(first, first + 30):
            mine.append([entry(number), entry(number)])


def test_events_follow_each_other(ledger):
    first, second = ledger.append([entry(1), entry(2)])
    assert (first.sequence, first.previous, second.sequence, second.previous) == (1, GENESIS, 2, first.hash)
    assert ledger.head() == second
    assert ledger.verify() == second
    assert [event.body["number"] for event in ledger.events(subject="s1")] == [1]
    assert [event.sequence for event in ledger.events(after=1)] == [2]


def test_a_locked_ledger_says_so(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "_PATIENCE", 0.01)
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        SqliteLedger(ledger.path) as mine,
        pytest.raises(StorageFailed, match="the ledger is locked by another process") as caught,
    ):
        mine.append([entry(1)])
    assert (caught.value.where, bool(caught.value.next)) == (str(ledger.path), True)
    other.execute("ROLLBACK")
    other.close()
    ledger.append([entry(1)])


def test_a_ledger_on_a_full_disk_says_so_and_goes_on_with_room(ledger):
    ledger.append([entry(1)])
    [pages] = ledger._connection.execute("PRAGMA page_count").fetchone()
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFailed, match="the disk is full"):
        ledger.append([entry(number, body={"text": "x" * 5000}) for number in range(20)])
    ledger._connection.execute("PRAGMA max_page_count = 100000")
    ledger.append([entry(2)])
    assert ledger.verify().sequence == 2


def test_a_damaged_ledger_says_so(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with SqliteLedger(path) as made:
        made.append([entry(number, body={"text": "x" * 500}) for number in range(200)])
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    with pytest.raises(VerificationFailed, match="the ledger"), SqliteLedger(path) as damaged:
        damaged.verify()
    path.write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(VerificationFailed, match="the ledger is damaged"):
        SqliteLedger(path)


def test_an_event_that_is_no_json_is_named_by_whoever_reads_it(ledger):
    ledger.append([entry(1), entry(2)])
    ledger._connection.execute("DROP TRIGGER event_update")
    ledger._connection.execute("UPDATE event SET body = '{' WHERE sequence = 2")
    with pytest.raises(VerificationFailed, match="altered at event 2"):
        list(ledger.events())
    with pytest.raises(VerificationFailed, match="altered at event 2"):
        ledger.head()


def test_an_empty_ledger_is_whole(ledger):
    assert ledger.head() is None
    assert ledger.verify() is None


def test_two_processes_never_fork_the_chain(ledger):
    context = multiprocessing.get_context("fork")
    start = context.Event()
    writers = [context.Process(target=_append_many, args=(ledger.path, first, start)) for first in (0, 100)]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    head = ledger.verify()
    assert head.sequence == 120
    numbers = [event.body["number"] for event in ledger.events()]
    assert sorted(numbers[::2]) == [*range(30), *range(100, 130)]
    assert numbers[::2] == numbers[1::2], "a batch was torn apart by the other writer"


def tampered(ledger, tmp_path, statement: str) -> SqliteLedger:
    """A copy of the ledger on which somebody with the file in hand ran a statement."""
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "copy.sqlite"
    shutil.copy(ledger.path, path)
    with sqlite3.connect(path) as connection:
        connection.executescript(f"DROP TRIGGER event_update; DROP TRIGGER event_delete; {statement};")
    connection.close()
    return SqliteLedger(path)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE event SET body = replace(body, '7', '8') WHERE sequence = 7", "altered at event 7"),
        ("UPDATE event SET actor = 'somebody else' WHERE sequence = 3", "altered at event 3"),
        ("UPDATE event SET at = '2020-01-01T00:00:00.000Z' WHERE sequence = 10", "altered at event 10"),
        ("UPDATE event SET body = 'not json' WHERE sequence = 4", "altered at event 4"),
        ('UPDATE event SET body = \'{"number":9,"number":2}\' WHERE sequence = 2', "altered at event 2"),
        ("DELETE FROM event WHERE sequence = 5", "event 5 is missing"),
        ("DELETE FROM event WHERE sequence = 1", "event 1 is missing"),
        (
            (
                "UPDATE event SET sequence = sequence + 100 WHERE sequence > 6;"
                "INSERT INTO event SELECT 7, at, type, actor, subject, body, previous, 'f' FROM event WHERE sequence = 6;"
                "UPDATE event SET sequence = sequence - 99 WHERE sequence > 100"
            ),
            "altered at event 7",
        ),
        ("UPDATE event SET hash = 'f' WHERE sequence = 10", "altered at event 10"),
    ],
)
def test_verify_names_the_event(ledger, tmp_path, statement, said):
    ledger.append(entry(number) for number in range(1, 11))
    with tampered(ledger, tmp_path, statement) as copy, pytest.raises(VerificationFailed, match=said):
        copy.verify()
    assert ledger.verify().sequence == 10


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(1, 6), column=st.sampled_from(["at", "type", "actor", "subject", "body", "previous", "hash"]))
def test_a_change_of_any_column_is_found_where_it_is(tmp_path_factory, which, column):
    place = tmp_path_factory.mktemp("ledger")
    with SqliteLedger(place / "ledger.sqlite") as ledger:
        ledger.append(entry(number) for number in range(6))
        with (
            tampered(ledger, place, f"UPDATE event SET {column} = {column} || ' ' WHERE sequence = {which}") as copy,
            pytest.raises(VerificationFailed) as caught,
        ):
            copy.verify()
    assert f"event {which}" in str(caught.value)


def test_triggers_refuse_changes(ledger):
    ledger.append([entry(1)])
    for statement in ("UPDATE event SET actor = 'x'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            ledger._connection.execute(statement)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (entry(actor=""), UsageError),
        (entry(actor="  "), UsageError),
        (entry(body={"share": 0.5}), TypeError),
        (entry(body={"deep": [{"share": float("nan")}]}), TypeError),
        (entry(body={"big": 2**60}), TypeError),
    ],
)
def test_a_batch_is_kept_whole_or_not_at_all(ledger, bad, error):
    ledger.append([entry(1)])
    with pytest.raises(error):
        ledger.append([entry(2), bad, entry(3)])
    assert ledger.verify().sequence == 1
    assert ledger.append([entry(4)])[0].sequence == 2


def test_a_failing_write_leaves_nothing_behind(ledger):
    ledger.append([entry(1)])
    ledger._connection.execute(
        "CREATE TRIGGER fails BEFORE INSERT ON event WHEN NEW.sequence = 3 BEGIN SELECT RAISE(ABORT, 'disk'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        ledger.append([entry(2), entry(3)])
    assert ledger.head().sequence == 1


@pytest.mark.parametrize(("magic", "name"), [(0x6969, "NFS"), (0x0BD00BD0, "Lustre")])
def test_a_network_filesystem_is_refused(tmp_path, monkeypatch, magic, name):
    """No such filesystem is at hand: what statfs answers is replaced."""
    monkeypatch.setattr(ledger_module, "_filesystem_type", lambda folder: magic)
    with pytest.raises(SettingsError, match=f"cannot be kept on {name}"):
        SqliteLedger(tmp_path / "ledger.sqlite")
    assert not (tmp_path / "ledger.sqlite").exists()


def test_the_filesystem_can_be_told(tmp_path):
    assert ledger_module._filesystem_type(tmp_path) != 0
    assert ledger_module._filesystem_type(tmp_path / "nowhere") == 0


def test_another_database_is_refused_without_showing_its_address(tmp_path):
    with pytest.raises(SettingsError) as caught:
        open_ledger("postgresql://user:hidden@host/db", tmp_path)
    assert "hidden" not in str(caught.value)


def test_an_opened_ledger_stands_in_the_home(tmp_path):
    opened = open_ledger("", tmp_path)
    opened.append([entry(1)])
    assert (tmp_path / "ledger.sqlite").is_file()
