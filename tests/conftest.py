"""The leak scan: what any test prints or logs must hold no watched secret and no personal value that was inserted.

It sees what pytest captures (stdout, stderr, log), what tests read through ``capsys`` and ``capfd``, and what child processes
answer to ``subprocess.run(capture_output=True)``. Watched values may be registered before or after they leak. A leak fails
the session and is named by test and label, never by value. (One process: pytest-xdist is not used here.)
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.s3server.fixtures import catalogue, s3server, wire  # noqa: F401 - fixtures of all tests

hypothesis.settings.register_profile("datalab", deadline=None)  # a wall clock says nothing on a shared machine
hypothesis.settings.load_profile("datalab")
SHORTEST = 6
"""Shorter values occur by chance."""


class Leaks:
    """The values that must not appear, and everything that was put out."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._outputs: dict[str, set[str]] = {}
        self.current = "before the first test"

    def watch(self, value: str | bytes, label: str = "a watched value") -> None:
        """Fail the session when ``value`` (or its JSON or hexadecimal form) occurs in the output of any test."""
        text = value if isinstance(value, str) else value.decode(errors="replace")
        if len(text) < SHORTEST:
            msg = f"{label} is too short to be watched: it would be found by chance"
            raise ValueError(msg)
        raw = value.encode() if isinstance(value, str) else value
        for form in (text, json.dumps(text)[1:-1], raw.hex()):
            self._values[form] = label

    def watch_file(self, path: Path, key: str) -> int:
        """Watch ``key`` of every entry of a truth file (a JSON list or JSON lines); return how many values that are."""
        text = path.read_text(encoding="utf-8")
        entries = (
            json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line]
        )
        values = {str(entry[key]) for entry in entries}
        long_enough = [value for value in values if len(value) >= SHORTEST]
        for value in long_enough:
            self.watch(value, f"{key} of {path.name}")
        return len(long_enough)

    def saw(self, output: str | bytes | None, test: str = "") -> None:
        """Take in output that a test obtained in a way of its own."""
        if output:
            text = output if isinstance(output, str) else output.decode(errors="replace")
            self._outputs.setdefault(text, set()).add(test or self.current)

    def found(self) -> list[str]:
        """Return one line per leak: the test and the label of the value."""
        lines = {
            f"{label}, in the output of {test}"
            for output, tests in self._outputs.items()
            for value, label in self._values.items()
            if value in output
            for test in tests
        }
        return sorted(lines)


LEAKS = pytest.StashKey[Leaks]()


@pytest.fixture(scope="session")
def leaks(pytestconfig: pytest.Config) -> Leaks:
    """Register values that must not leak: ``leaks.watch(value)``, ``leaks.watch_file(path, key)``."""
    return pytestconfig.stash[LEAKS]


def pytest_configure(config: pytest.Config) -> None:
    """Start listening, also where tests and child processes take output away from pytest."""
    found = config.stash[LEAKS] = Leaks()
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    read, communicate = pytest.CaptureFixture.readouterr, subprocess.Popen.communicate

    def reading(self):
        result = read(self)
        found.saw(result.out)
        found.saw(result.err)
        return result

    def communicating(self, *arguments, **options):
        streams = communicate(self, *arguments, **options)
        for stream in streams:
            found.saw(stream)
        return streams

    patch.setattr(pytest.CaptureFixture, "readouterr", reading)
    patch.setattr(subprocess.Popen, "communicate", communicating)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember which test is running."""
    item.config.stash[LEAKS].current = item.nodeid
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Take in what pytest captured."""
    report = yield
    for _, text in report.sections:
        item.config.stash[LEAKS].saw(text, item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when anything leaked."""
    if session.config.stash[LEAKS].found() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the leaks."""
    if found := config.stash[LEAKS].found():
        terminalreporter.section("leaks", red=True, bold=True)
        for line in found:
            terminalreporter.line(f"LEAK: {line}")
