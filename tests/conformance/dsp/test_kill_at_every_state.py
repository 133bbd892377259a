"""Kill -9 of either side right after it wrote any state of the protocol, in both versions: one agreement, the same on both sides."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

KILLABLE = Path(__file__).parent / "killable.py"
HOLDING = 'id="a"\ntitle="A"\ndescription="A"\nholder="H"\npersonal_data=false\n[[distribution]]\nid="csv"\nfile="a.csv"\nformat="csv"\nmedia_type="text/csv"\n'
NEGOTIATION = ("REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED")
TRANSFER = ("REQUESTED", "STARTED", "COMPLETED")
DATA = b"a\n1\n"


class Space:
    """A provider's process that is started again when it was killed, and consumers against it."""

    def __init__(self, root):
        folder = root / "holdings" / "a"
        folder.mkdir(parents=True)
        (folder / "holding.toml").write_text(HOLDING)
        (folder / "policy.json").write_text('{"permission":[{"action":"use"}]}')
        (folder / "a.csv").write_bytes(DATA)
        self.root = root
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.process = None

    def start(self, *kill):
        command = [sys.executable, KILLABLE, "provider", self.root / "provider", self.port, self.root / "holdings", *kill]
        self.process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
        for _ in range(400):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1):
                return
            time.sleep(0.025)
        raise AssertionError("the provider did not come up")

    def consume(self, version, what, *kill):
        """Run a consumer; a killed provider is started again meanwhile. Return the consumer's exit code and what it said."""
        url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, KILLABLE, "consumer", self.root / "consumer", url, version, what, *kill]
        running = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while running.poll() is None:
            if self.process.poll() is not None:
                assert self.process.returncode == -9
                self.start()
            time.sleep(0.01)
        said, complained = running.communicate()
        assert running.returncode in {0, -9}, complained
        return running.returncode, dict(line.split() for line in said.splitlines())

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
        if self.process:
            self.process.wait()

    def rows(self, side, kind):
        path = self.root / side / f"{side}.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as store:
            return store.execute("SELECT pid, peer, subject, state, data FROM process WHERE kind = ?", (kind,)).fetchall()


@pytest.fixture
def space(tmp_path):
    made = Space(tmp_path)
    yield made
    made.stop()


def settled(space, side, kind, seconds=8.0):
    """Return the processes of one side once none is under way."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if space.process.poll() is not None:
            space.start()
        rows = space.rows(side, kind)
        if all(row[3] in {"FINALIZED", "COMPLETED", "TERMINATED"} for row in rows):
            return rows
        time.sleep(0.05)
    return rows


def one_agreement(space, said):
    """Assert that both sides hold one and the same agreement, and nothing beside it that is not ended."""
    ours = [row for row in settled(space, "consumer", "negotiation") if row[3] == "FINALIZED"]
    theirs = [row for row in settled(space, "provider", "negotiation") if row[3] != "TERMINATED"]
    assert [(row[2], row[3]) for row in theirs] == [(said["agreement"], "FINALIZED")]
    [mine] = ours
    message = json.loads(json.loads(mine[4])["message"])
    agreement = message.get("agreement") or message["dspace:agreement"]
    assert agreement["@id"] == said["agreement"]
    assert (mine[0], mine[1]) == (theirs[0][1], theirs[0][0])


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2025-1", "2024-1"])
@pytest.mark.parametrize("state", NEGOTIATION)
def test_the_provider_is_killed_in_a_negotiation(space, version, state):
    space.start("negotiation", state)
    code, said = space.consume(version, "negotiate")
    assert code == 0
    one_agreement(space, said)
    assert (space.root / "provider" / f"killed-negotiation-{state}").exists()


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2025-1", "2024-1"])
@pytest.mark.parametrize("state", NEGOTIATION)
def test_the_consumer_is_killed_in_a_negotiation(space, version, state):
    space.start()
    code, _ = space.consume(version, "negotiate", "negotiation", state)
    assert code == -9
    code, said = space.consume(version, "negotiate")
    assert code == 0
    one_agreement(space, said)
    again = space.consume(version, "negotiate")
    assert again == (0, said)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2025-1", "2024-1"])
@pytest.mark.parametrize("state", TRANSFER)
@pytest.mark.parametrize("side", ["provider", "consumer"])
@pytest.mark.parametrize("what", ["fetch", "push"])
def test_either_side_is_killed_in_a_transfer(space, version, state, side, what):
    kill = ("transfer", state)
    space.start(*(kill if side == "provider" else ()))
    code, said = space.consume(version, what, *(kill if side == "consumer" else ()))
    if side == "consumer":
        assert code == -9
        code, said = space.consume(version, what)
    assert code == 0
    assert said["landed"] == hashlib.sha256(DATA).hexdigest()
    one_agreement(space, said)
    transfers = settled(space, "provider", "transfer")
    assert [row[3] for row in transfers].count("COMPLETED") >= 1 or side == "provider"
    assert not [row for row in transfers if row[3] not in {"COMPLETED", "TERMINATED"}]
    assert (space.root / side / f"killed-transfer-{state}").exists()
    assert not [row for row in transfers if "token" in json.loads(row[4])]


def test_one_of_them_in_the_quick_run(space):
    space.start("negotiation", "AGREED")
    code, said = space.consume("2025-1", "fetch")
    assert code == 0
    one_agreement(space, said)
