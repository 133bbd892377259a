"""The exit code of `.ci/run` is that of what it calls: tried with a `make` that only tells what it was asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ["check", "tck", "test", "test-clusters", "test-slow"]


def run(folder: Path, failing: str = "") -> tuple[int, list[str], str]:
    """Exit code of `.ci/run`, the targets it made, and what it printed, where the target `failing` exits with 2."""
    folder.mkdir()
    asked = folder / "asked"
    make = folder / "make"
    make.write_text(
        f'#!/bin/sh\necho "$1" >>"{asked}"\necho "made $1"\n[ "$1" = test-slow ] && sleep 0.2\n[ "$1" != "{failing}" ] || exit 2\n'
    )
    make.chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run")], check=False, env=env, capture_output=True, text=True, timeout=60
    )
    return ended.returncode, asked.read_text().split(), ended.stdout


def test_all_is_made_and_the_last_line_is_that_of_the_tests(tmp_path: Path) -> None:
    code, asked, printed = run(tmp_path / "bin")
    assert (code, sorted(asked), printed.splitlines()[-1]) == (0, TARGETS, "made test")
    assert "made test-clusters" in printed  # though it ran beside the others


@pytest.mark.parametrize("failing", TARGETS)
def test_one_that_fails_fails_the_whole(tmp_path: Path, failing: str) -> None:
    code, _asked, printed = run(tmp_path / "bin", failing)
    assert code != 0
    if failing == "test-clusters":
        assert "made test-clusters" in printed  # its output is told before the exit
