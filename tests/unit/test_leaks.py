"""The leak scan must find what it is there for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
VALUE = "erika-mustermann-1964"


def session(folder: Path, body: str, truth: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_inner.py").write_text(body)
    (folder / "truth.jsonl").write_text(truth)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "leak",
    [
        "print(value)",
        "print(value, file=__import__('sys').stderr)",
        "__import__('logging').getLogger('x').warning('bad row %s', value)",
        "print(__import__('json').dumps({'name': value}))",
        "print(value.encode().hex())",
        "print(value); capsys.readouterr()",
        "__import__('subprocess').run(['echo', value], capture_output=True)",
    ],
)
def test_a_watched_value_in_any_output_fails_the_session(tmp_path: Path, leak: str) -> None:
    body = f"def test_it(leaks, capsys):\n    value = {VALUE!r}\n    {leak}\n    leaks.watch(value, 'a name')\n"
    done = session(tmp_path, body)
    assert done.returncode == 1
    assert "LEAK: a name, in the output of test_inner.py::test_it" in done.stdout
    assert VALUE not in done.stdout, "the scan must not repeat what it found"


def test_values_of_a_truth_file_are_watched(tmp_path: Path) -> None:
    body = "def test_it(leaks, request):\n    assert leaks.watch_file(request.path.parent / 'truth.jsonl', 'value') == 1\n"
    body += f"def test_later():\n    print('row', {VALUE!r})\n"
    done = session(tmp_path, body, truth=f'{{"value": "{VALUE}"}}\n{{"value": "ab"}}\n')
    assert done.returncode == 1
    assert "LEAK: value of truth.jsonl, in the output of test_inner.py::test_later" in done.stdout


def test_a_clean_session_passes(tmp_path: Path) -> None:
    done = session(tmp_path, f"def test_it(leaks):\n    leaks.watch({VALUE!r})\n    print('nothing personal')\n")
    assert done.returncode == 0, done.stdout
    assert "LEAK" not in done.stdout
