"""Ctrl-C and SIGTERM: a run that can be resumed, a sentence that says how, and no worker left over."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Running, run, shards
from tests.unit.cli.conftest import process

pytestmark = pytest.mark.slow


def at_work(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def gone(pids: list[int], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(at_work, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whom", ["the group, as a terminal does", "the parent, as a scheduler does"])
def test_the_first_signal_leaves_a_resumable_run_and_no_worker(folder, undisturbed, number, whom):
    whole, bytes_of, _ = undisturbed
    running = Running(folder, "run", "slow", DATALAB_WORKERS="2")
    assert running.until(lambda: running.receipts() >= 6 and len(running.workers()) == 2)
    workers = running.workers()
    if whom.startswith("the group"):
        os.killpg(running.child.pid, number)
    else:
        os.kill(running.child.pid, number)
    answer = running.end()
    assert answer.code == 130
    assert "Traceback" not in answer.err
    assert "interrupted: what is finished is kept" in answer.err
    assert "datalab run slow" in answer.err
    assert gone(workers)
    kept = running.receipts()
    resumed = run(folder, "slow")
    assert (resumed["digest"], shards(resumed["candidate"])) == (whole["digest"], bytes_of)
    done = json.loads(process(folder, "ledger", "list", "--type", "run.done", "--json").out)
    assert done[0]["body"]["resumed_parts"] == kept
    assert process(folder, "ledger", "verify").code == 0


def test_every_part_of_an_interrupted_and_resumed_run_is_told_to_the_ledger_once(folder):
    running = Running(folder, "run", "slow")
    assert running.until(lambda: running.receipts() >= 9)
    running.kill()  # parts that were done, but not told yet
    resumed = run(folder, "slow")
    told = [
        (event["body"]["stage"], int(part), digest)
        for event in json.loads(process(folder, "ledger", "list", "--type", "parts.done", "--json").out)
        for part, digest in event["body"]["parts"].items()
    ]
    stand = [json.loads(path.read_bytes()) for path in (running.home / "runs" / resumed["plan"]).glob("receipts/*/*.json")]
    assert sorted(told) == sorted((item["phase"], item["part"], item["digest"]) for item in stand)


def test_a_second_signal_ends_it_at_once_even_in_native_code(tmp_path):
    """The first is heard by Python only between two of its own steps; the second needs no Python."""
    import subprocess
    import sys

    from tests.unit.cli.conftest import environment

    script = (
        "import ctypes, signal, sys\n"
        "from datalab.cli.interrupt import interruptible\n"
        "with interruptible():\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    finally:\n"
        "        print('in order', flush=True)\n"
        "        ctypes.PyDLL(None).sleep(60)\n"  # holds the interpreter's lock
    )
    child = subprocess.Popen([sys.executable, "-c", script], env=environment(), stdout=subprocess.PIPE, cwd=tmp_path)
    assert child.stdout.readline() == b"in order\n"
    time.sleep(0.2)
    started = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=10) == -signal.SIGINT
    assert time.monotonic() - started < 2
    child.stdout.close()


def test_no_worker_outlives_a_parent_that_is_killed_even_when_it_hangs(folder):
    """The kernel ends them with their parent; a worker in the middle of a step would not look at its pipe."""
    recipe = folder / "pipelines" / "museum.py"
    recipe.write_text(recipe.read_text() + 'hanging = made("hanging", pause(seconds=3600))\n')
    running = Running(folder, "run", "hanging", DATALAB_WORKERS="2")
    assert running.until(lambda: running.receipts() >= 1 and len(running.workers()) == 2)
    workers = running.workers()
    time.sleep(0.5)
    os.kill(running.child.pid, signal.SIGKILL)
    assert gone(workers, 5)
    running.end()


def test_a_run_that_takes_more_than_two_seconds_says_how_it_goes(folder):
    recipe = folder / "pipelines" / "museum.py"
    recipe.write_text(recipe.read_text() + 'slower = made("slower", pause(seconds=0.4), part_rows=40)\n')
    answer = process(folder, "run", "slower")
    assert answer.code == 0, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("  map: ")]
    assert lines, answer.err
    assert any(re.search(r"[0-9]+ of [0-9]+ \([0-9,]+ rows/s, [0-9.]+ MB/s", line) for line in lines), lines
    assert any("too-many-fields 2" in line for line in lines), "and what is left out, by reason"
