"""Shards of one run as processes of their own: killed, late, in turn, with nobody else, they come to one result."""

from __future__ import annotations

import json
import socket
import sqlite3

import pytest

from tests.faults.conftest import Running, shards
from tests.unit.cli.conftest import process

pytestmark = pytest.mark.slow


def said(folder, *arguments, **more):
    answer = process(folder, *arguments, "--json", **more)
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def same(answer, undisturbed) -> bool:
    whole, bytes_of, _ = undisturbed
    return (answer["digest"], answer["plan"], shards(answer["candidate"])) == (whole["digest"], whole["plan"], bytes_of)


def test_a_shard_that_is_killed_is_replaced_by_the_one_that_is_left(folder, undisturbed):
    said(folder, "run", "slow", "--prepare")
    first = Running(folder, "run", "slow", "--shard", "0/2", "--patience", "3")
    second = Running(folder, "run", "slow", "--shard", "1/2", "--patience", "3")
    assert first.until(lambda: first.receipts() >= 6)
    second.kill()
    answer = first.end()
    assert answer.code == 0, answer.err
    assert "shard 1/2 has given no sign of life for 3 s: taking its parts over" in answer.err
    assert same(said(folder, "run", "slow", "--finish"), undisturbed)


def test_shards_that_are_all_killed_are_started_again(folder, undisturbed):
    said(folder, "run", "slow", "--prepare")
    both = [Running(folder, "run", "slow", "--shard", f"{index}/2") for index in (0, 1)]
    assert both[0].until(lambda: both[0].receipts() >= 8)
    for running in both:
        running.kill()
    kept = both[0].receipts()
    again = [Running(folder, "run", "slow", "--shard", f"{index}/2", "--json") for index in (1, 0)]
    answers = [running.end() for running in again]
    assert [answer.code for answer in answers] == [0, 0], answers
    parts = undisturbed[2]
    assert sum(json.loads(answer.out)["worked"] for answer in answers) <= parts - kept + 1
    assert same(said(folder, "run", "slow", "--finish"), undisturbed)


def test_the_finish_works_off_whatever_is_missing_and_tells_the_ledger_in_order(folder, undisturbed):
    said(folder, "run", "slow", "--prepare")
    only = Running(folder, "run", "slow", "--shard", "0/2")
    assert only.until(lambda: only.receipts() >= 7)
    only.kill()
    assert same(said(folder, "run", "slow", "--finish"), undisturbed)
    events = json.loads(process(folder, "ledger", "list", "--json").out)
    told = [
        (event["body"]["stage"], list(map(int, event["body"]["parts"]))) for event in events if event["type"] == "parts.done"
    ]
    assert [stage for stage, _ in told] == sorted(stage for stage, _ in told)
    assert process(folder, "ledger", "verify").code == 0
    assert [(event["type"], event["actor"]) for event in events if event["type"] == "run.started"] == [
        ("run.started", "Sam Steward")
    ], "it starts when it is prepared, and once"
    assert [item["status"] for item in json.loads(process(folder, "runs", "--json").out)] == ["passed"]
    again = said(folder, "run", "slow", "--finish")
    assert (again["status"], again["digest"]) == ("unchanged", undisturbed[0]["digest"])


def test_two_finished_runs_tell_the_same_story(folder, undisturbed):
    """Whatever the shards did when, the ledger's account of stages and parts is the same."""
    stories = []
    for home, order in (("one", (0, 1)), ("two", (1, 0))):
        more = {"DATALAB_HOME": str(folder / home)}
        said(folder, "run", "slow", "--prepare", **more)
        running = [Running(folder, "run", "slow", "--shard", f"{index}/2", **more) for index in order]
        assert [item.end().code for item in running] == [0, 0]
        said(folder, "run", "slow", "--finish", **more)
        events = json.loads(process(folder, "ledger", "list", "--json", **more).out)
        stories.append(
            [
                (event["type"], event["body"].get("stage"), event["body"].get("parts"), event["body"].get("rows"))
                for event in events
                if event["type"] in {"parts.done", "stage.done", "gate.decided"}
            ]
        )
    assert stories[0] == stories[1]


def test_a_shard_needs_no_network_and_does_not_touch_the_ledger(folder, space):
    """The data space's address is a closed port now, and the ledger is locked by another."""
    said(folder, "run", "slow", "--prepare")
    settings = folder / "datalab.toml"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.write_text(settings.read_text().replace(space, f"http://127.0.0.1:{closed.getsockname()[1]}"))
    ledger = folder / ".datalab" / "ledger.sqlite"
    with sqlite3.connect(ledger, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        before = ledger.read_bytes()
        done = said(folder, "run", "slow", "--shard", "0/1")
        other.execute("ROLLBACK")
    other.close()
    assert ledger.read_bytes() == before
    assert done["worked"] > 15
    said(folder, "run", "slow", "--finish")


def test_a_step_that_is_broken_ends_every_shard_with_its_reason_and_none_hangs(folder):
    recipe = folder / "pipelines" / "museum.py"
    broken = (
        "\n\n@step(reads='hour')\ndef broken(frame):\n    raise KeyError('x')\n\n\nbad = made('bad', broken(), part_rows=600)\n"
    )
    recipe.write_text(recipe.read_text() + broken)
    said(folder, "run", "bad", "--prepare")
    both = [Running(folder, "run", "bad", "--shard", f"{index}/2", "--patience", "60") for index in (0, 1)]
    for running in both:
        answer = running.end()
        assert answer.code == 1
        assert "KeyError" in answer.err
        assert "Traceback" not in answer.err


def test_a_changed_pipeline_a_missing_preparation_and_a_wrong_share_are_said_plainly(folder):
    answer = process(folder, "run", "slow", "--shard", "0/2")
    assert answer.code == 2
    assert "datalab run slow --prepare" in answer.err
    said(folder, "run", "slow", "--prepare")
    recipe = folder / "pipelines" / "museum.py"
    prepared = recipe.read_text()
    recipe.write_text(prepared.replace("pause(seconds=0.4)", "pause(seconds=0.5)"))
    assert recipe.read_text() != prepared
    for arguments in (("--shard", "0/2"), ("--finish",)):
        answer = process(folder, "run", "slow", *arguments)
        assert answer.code == 2
        assert "changed since it was prepared" in answer.err
    assert process(folder, "run", "slow", "--shard", "2/2").code == 2
    recipe.write_text(prepared)
    elsewhere = process(folder, "run", "slow", "--finish", DATALAB_LEDGER_URL=f"sqlite:///{folder}/another.sqlite")
    assert elsewhere.code == 2
    assert "does not know the prepared run" in elsewhere.err
    assert process(folder, "run", "slow", "--shard", "0/2", "--finish").code == 2
    assert any((folder / ".datalab" / "runs").iterdir())
