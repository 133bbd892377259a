"""Runs as processes of their own, to be killed, starved and raced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer, command, environment, process, write_folder
from tests.unit.lab.conftest import space  # noqa: F401 - a fixture


class Running:
    """A command that is at work."""

    def __init__(self, folder: Path, *arguments: object, **more: str) -> None:
        self.home = Path(more.get("DATALAB_HOME", folder / ".datalab"))
        self.child = subprocess.Popen(
            command(*arguments),
            cwd=folder,
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until(self, what: Callable[[], bool], seconds: float = 60) -> bool:
        """Wait until something is so; return whether it came before the end of the command."""
        deadline = time.monotonic() + seconds
        while not what():
            if self.child.poll() is not None:
                return what()
            assert time.monotonic() < deadline, "it did not come in time"
            time.sleep(0.004)
        return True

    def receipts(self) -> int:
        return len(receipts(self.home))

    def workers(self) -> list[int]:
        """Process ids of its worker processes."""
        found = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        return [int(pid) for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill(self) -> None:
        """End it and all its children at once, without a chance to say anything."""
        os.killpg(self.child.pid, signal.SIGKILL)
        self.end()

    def end(self) -> Answer:
        out, err = self.child.communicate(timeout=120)
        return Answer(self.child.returncode, out, err)


def receipts(home: Path) -> list[Path]:
    return sorted(home.glob("runs/*/receipts/*/[0-9]*.json"))


def shards(candidate: str) -> dict[str, bytes]:
    """The bytes of every data file of a candidate."""
    return {path.relative_to(candidate).as_posix(): path.read_bytes() for path in Path(candidate).glob("data/*/*.parquet")}


def run(folder: Path, name: str, **more: str) -> dict:
    """Run a pipeline to its end; return what it answers."""
    answer = process(folder, "run", name, "--json", **more)
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


@pytest.fixture
def folder(tmp_path, space):  # noqa: F811
    return write_folder(tmp_path / "lab", space)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, space):  # noqa: F811
    """What the slow pipeline gives when nothing happens: its answer, the bytes of its shards, its number of parts."""
    folder = write_folder(tmp_path_factory.mktemp("undisturbed"), space)
    answer = run(folder, "slow")
    return answer, shards(answer["candidate"]), len(receipts(folder / ".datalab"))
