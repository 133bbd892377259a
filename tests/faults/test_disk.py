"""A disk that fills up stops a run with a plain sentence; with room again it goes on where it was."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.conftest import run, shards
from tests.unit.cli.conftest import Answer, command, environment, process, write_folder
from tests.unit.lab.conftest import space  # noqa: F401 - a fixture


def limited(folder: Path, kilobytes: int, *arguments: str) -> Answer:
    """Run a command that cannot write a file larger than ``kilobytes`` (RLIMIT_FSIZE)."""
    script = f"ulimit -f {kilobytes}; exec {' '.join(command(*arguments))}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_files_that_cannot_grow_stop_the_run_plainly_and_nothing_is_lost(folder, undisturbed):
    """From a limit that lets nothing happen up to one that lets all happen."""
    assert process(folder, "plan", "visitors").code == 0  # the agreement stands: this is about the run
    codes = {}
    for kilobytes in (0, 16, 80):
        answer = limited(folder, kilobytes, "run", "visitors")
        assert "Traceback" not in answer.err, (kilobytes, answer.err[-2000:])
        codes[kilobytes] = answer.code
        if answer.code:
            assert "next:" in answer.err, (kilobytes, answer.err)
    assert codes[0] != 0
    done = run(folder, "visitors")
    elsewhere = run(folder, "visitors", DATALAB_HOME=str(folder / "elsewhere"))
    assert (done["digest"], shards(done["candidate"])) == (elsewhere["digest"], shards(elsewhere["candidate"]))
    assert process(folder, "ledger", "verify").code == 0


def test_no_room_to_keep_an_agreement_is_said_at_once(tmp_path, space):  # noqa: F811
    """While an agreement is negotiated, messages come in and cannot be kept: no traceback, no waiting for what cannot come."""
    stopped = set()
    for kilobytes in (48, 72, 80, 100, 120):
        folder = write_folder(tmp_path / str(kilobytes), space)
        began = time.monotonic()
        answer = limited(folder, kilobytes, "plan", "visitors")
        assert "Traceback" not in answer.err, (kilobytes, answer.err[-2000:])
        if answer.code:
            assert time.monotonic() - began < 15, "patience with a provider is 30 s: this was no waiting for it"
            assert ("next:" in answer.err, "make room" in answer.err) == (True, True), answer.err
            stopped.add(answer.err.partition("datalab: ")[2].split(" cannot")[0])
        assert process(folder, "plan", "visitors").code == 0, "with room again it goes on"
    assert "the store of negotiations" in stopped


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 6 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_run_plainly_and_it_resumes_after_making_room(folder, small_disk, undisturbed):
    whole, bytes_of, _ = undisturbed
    home = small_disk / "home"
    assert process(folder, "plan", "slow", DATALAB_HOME=str(home)).code == 0  # the agreement stands
    stops = set()
    for free in (8, 200, 500):
        filler = small_disk / "filler"
        filler.unlink(missing_ok=True)
        room = free_kilobytes(small_disk) - free
        if room > 0:
            filler.write_bytes(bytes(room * 1024))
        answer = process(folder, "run", "slow", DATALAB_HOME=str(home))
        assert "Traceback" not in answer.err, (free, answer.err[-2000:])
        if answer.code:
            stops.add(answer.err.splitlines()[-3 if "next" in answer.err else -1][:60])
            assert "next:" in answer.err, answer.err
    filler.unlink(missing_ok=True)
    assert stops
    resumed = run(folder, "slow", DATALAB_HOME=str(home))
    assert (resumed["digest"], shards(resumed["candidate"])) == (whole["digest"], bytes_of)
    assert process(folder, "ledger", "verify", DATALAB_HOME=str(home)).code == 0
    events = json.loads(process(folder, "ledger", "list", "--json", DATALAB_HOME=str(home)).out)
    assert [event["type"] for event in events].count("candidate.written") == 1


def free_kilobytes(place: Path) -> int:
    import shutil

    return shutil.disk_usage(place).free // 1024
