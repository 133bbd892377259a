"""A run can die at any moment: what is resumed gives the same content and the same bytes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from datalab.staging.verify import verify_release
from tests.faults.conftest import Running, receipts, run, shards
from tests.unit.cli.conftest import process

STEP = 9


def test_kill_9_at_every_kth_receipt_then_the_same_digest_and_bytes(folder, undisturbed):
    """One run, killed again and again, each time `STEP` receipts further on."""
    whole, bytes_of, parts = undisturbed
    kills = []
    for wanted in range(1, parts, STEP):
        running = Running(folder, "run", "slow")
        if not running.until(lambda wanted=wanted, running=running: running.receipts() >= wanted):
            break
        running.kill()
        kills.append(running.receipts())
    assert len(kills) >= 3
    assert kills == sorted(kills), "a receipt is never lost"
    resumed = run(folder, "slow")
    assert resumed["digest"] == whole["digest"]
    assert shards(resumed["candidate"]) == bytes_of
    assert {key: resumed[key] for key in ("rows_in", "rows_out", "dropped", "quarantined", "plan")} == {
        key: whole[key] for key in ("rows_in", "rows_out", "dropped", "quarantined", "plan")
    }
    verify_release(Path(resumed["candidate"]))
    assert not list((folder / ".datalab").rglob(".writing-*")), "half-written files are swept away"
    events = json.loads(process(folder, "ledger", "list", "--json").out)
    [done] = [event for event in events if event["type"] == "run.done"]
    assert done["body"]["resumed_parts"] >= kills[-1]
    assert [event["type"] for event in events].count("run.started") == len(kills) + 1
    assert process(folder, "ledger", "verify").code == 0


def test_kill_9_while_the_candidate_is_written(folder, undisturbed):
    whole, bytes_of, _parts = undisturbed
    candidates = folder / ".datalab" / "candidates" / "slow"
    running = Running(folder, "run", "slow")
    assert running.until(lambda: candidates.is_dir() and any(candidates.iterdir()))
    running.kill()
    resumed = run(folder, "slow")
    assert (resumed["digest"], shards(resumed["candidate"])) == (whole["digest"], bytes_of)
    assert [path.name for path in candidates.iterdir()] == [whole["digest"][:16]]


def test_a_killed_worker_costs_an_attempt_and_not_the_run(folder, undisturbed):
    whole, bytes_of, parts = undisturbed
    running = Running(folder, "run", "slow", "--json")
    assert running.until(lambda: running.receipts() > parts // 2)
    [worker] = running.workers()
    os.kill(worker, signal.SIGKILL)
    answer = running.end()
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["digest"] == whole["digest"]
    assert shards(json.loads(answer.out)["candidate"]) == bytes_of
    events = json.loads(process(folder, "ledger", "list", "--type", "parts.done", "--json").out)
    assert [2] in [list(event["body"]["attempts"].values()) for event in events]


def test_no_worker_outlives_its_parent(folder):
    running = Running(folder, "run", "slow")
    assert running.until(lambda: running.receipts() > 20)
    workers = running.workers()
    assert workers
    os.kill(running.child.pid, signal.SIGKILL)
    running.end()
    other = Running(folder, "run", "slow")  # the lock is free at once, whatever the orphans still do
    assert other.end().code == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists() and _state(pid) != "Z"]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_two_who_ask_for_the_same_run_one_runs_and_the_other_waits(folder, undisturbed):
    first = Running(folder, "run", "slow")
    assert first.until(lambda: first.receipts() >= 1)
    second = Running(folder, "run", "slow")
    answers = [first.end(), second.end()]
    assert [answer.code for answer in answers] == [0, 0], answers
    assert "another face runs the same plan: waiting for it" in answers[1].err
    assert ["nothing to redo" in answer.out for answer in answers] == [False, True]
    started = json.loads(process(folder, "ledger", "list", "--type", "run.started", "--json").out)
    assert len(started) == 1


def test_two_runs_in_one_lab_share_the_ledger(folder):
    names = ("slow", "visitors")
    both = [Running(folder, "run", name, "--json") for name in names]
    answers = [running.end() for running in both]
    assert [answer.code for answer in answers] == [0, 0], answers
    assert process(folder, "ledger", "verify").code == 0
    statuses = json.loads(process(folder, "runs", "--json").out)
    assert {(item["pipeline"], item["status"]) for item in statuses} == {(name, "passed") for name in names}


def test_a_receipt_or_a_part_altered_by_hand_is_redone(folder, undisturbed):
    """Nothing of a run is trusted because it is there: receipts are checked by their digest, parts by their hash."""
    whole, bytes_of, parts = undisturbed
    run(folder, "slow")
    process(folder, "reject", "slow", "--as", "Ada", "--note", "try again")
    home = folder / ".datalab"
    altered = receipts(home)[3]
    altered.write_text(altered.read_text().replace('"kept":', '"kept": ', 1).replace('"rows_in":40', '"rows_in":41'))
    empty = receipts(home)[8]
    empty.write_text("")
    part = max(home.glob("runs/*/rows/*/*.arrow"))  # of the last pass over the rows
    data = part.read_bytes()
    part.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    again = run(folder, "slow")
    assert (again["digest"], shards(again["candidate"])) == (whole["digest"], bytes_of)
    done = json.loads(process(folder, "ledger", "list", "--type", "run.done", "--json").out)
    assert done[-1]["body"]["resumed_parts"] == parts - 3
