"""What is started on a leash ends with who started it, even where that one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datalab.cli.leash import leashed
from tests.unit.cli.conftest import environment

PARENT = """
import subprocess, sys, time
from datalab.cli.leash import leashed
child = subprocess.Popen(leashed([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]),
                         stdout=subprocess.PIPE, start_new_session=True)
assert child.stdout.readline() == b"up\\n"
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the leash is Linux's")
def test_a_child_ends_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment())
    child = int(parent.stdout.readline())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)


def test_the_command_is_run_and_its_exit_code_comes_back():
    done = subprocess.run(leashed([sys.executable, "-c", "import sys; sys.exit(7)"]), env=environment(), check=False)
    assert done.returncode == 7


def test_a_parent_that_has_ended_already_starts_nothing():
    command = [sys.executable, "-m", "datalab.cli.leash", "1", sys.executable, "-c", "print('started')"]
    if os.getpid() != 1:
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, "the parent has ended" in done.stderr) == (1, "", True)
