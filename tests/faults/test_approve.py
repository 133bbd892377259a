"""Two people approve at once, and the process that approves is killed: one release, one approval, nothing half."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from tests.faults.conftest import run
from tests.unit.cli.conftest import command, environment, process

KILLED = """
import os, signal
from datalab.lab import release
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
release.{place} = die
from datalab.cli.main import main
main(["approve", "visitors", "--as", "Ada"])
"""


def events(folder, kind: str) -> list[dict]:
    found = json.loads(process(folder, "ledger", "list", "--json").out)
    return [event for event in found if event["type"] == kind]


def test_of_two_who_approve_at_once_one_does(folder):
    run(folder, "visitors")
    both = [
        subprocess.Popen(
            command("approve", "visitors", "--as", who), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for who in ("Ada", "Bea")
    ]  # fmt: skip
    said = [child.communicate(timeout=60) for child in both]
    assert sorted(child.returncode for child in both) == [0, 2], said
    assert all("Traceback" not in err for _, err in said)
    assert [event["subject"] for event in events(folder, "release.approved")] == ["visitors@1"]
    assert [event["subject"] for event in events(folder, "release.published")] == ["visitors@1"]
    assert process(folder, "verify", "visitors").code == 0
    assert process(folder, "ledger", "verify").code == 0


def test_a_killed_approval_is_completed_by_approving_again(folder):
    run(folder, "visitors")
    for place in ("write_governance", "publish", "_withdraw"):
        script = KILLED.format(place=place)
        killed = subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment(), capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert len(events(folder, "release.approved")) == 1
        assert len(events(folder, "release.published")) == (place == "_withdraw")
    done = process(folder, "approve", "visitors", "--as", "Bea")
    assert done.code == 0, done.err
    assert [event["actor"] for event in events(folder, "release.approved")] == ["Ada"]
    assert len(events(folder, "release.published")) == 1
    assert process(folder, "verify", "visitors").code == 0
    assert [item["version"] for item in json.loads(process(folder, "releases", "--json").out)] == ["1"]
