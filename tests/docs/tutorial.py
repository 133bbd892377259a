"""A tutorial as a script: its fenced blocks are done one after the other in a lab of their own.

A block is told apart by the line above it and by its language::

    `pipelines/harbour.py`:      above any block: it is a file, and is written
    ```sh                        commands, run by bash in the lab's folder; one that fails must say so itself (``|| true``)
    ```python                    a script, run in the lab's folder
    ```text                      what the block before it prints: every line must be there, ``…`` stands for anything
    *Not run here: WHY*          above any block: it is skipped, and the reader is told why
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<language>[a-z]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([^`]+)`:")
_SKIPPED = re.compile(r"\*Not run here: (.+)\*")
_LONGEST = 120


@dataclass(frozen=True)
class Block:
    """One fenced block. ``above`` is the last line of text before it."""

    line: int
    language: str
    body: str
    above: str

    @property
    def file(self) -> str:
        """The file it is to be written to, "" if none."""
        found = _FILE.fullmatch(self.above)
        return found.group(1) if found else ""

    @property
    def skipped(self) -> str:
        """Why it is not run, "" if it is."""
        found = _SKIPPED.fullmatch(self.above)
        return found.group(1) if found else ""


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a document in order."""
    found = []
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        above = next((line.strip() for line in reversed(before.splitlines()) if line.strip()), "")
        found.append(Block(before.count("\n") + 1, match["language"], match["body"], above))
    return found


def follow(document: Path, lab: Path, environment: dict[str, str]) -> None:
    """Do what ``document`` says in the folder ``lab``; raise ``AssertionError`` at the first block that does not hold."""
    said = ""
    for block in blocks(document.read_text(encoding="utf-8")):
        where = f"{document.name}, line {block.line}"
        if block.skipped:
            said = ""
        elif block.file:
            path = lab / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
        elif block.language == "text":
            missing = [line for line in block.body.splitlines() if line.strip() and not _printed(line, said)]
            assert not missing, f"{where}: this was not printed: {missing}\nbut this:\n{said}"
        elif block.language in {"sh", "python"}:
            command = (
                ["bash", "-euo", "pipefail", "-c", block.body] if block.language == "sh" else [sys.executable, "-c", block.body]
            )
            done = subprocess.run(
                command, cwd=lab, env=environment, capture_output=True, text=True, check=False, timeout=_LONGEST
            )
            said = done.stdout + "\n" + done.stderr
            assert done.returncode == 0, f"{where}: ended with {done.returncode}\n{block.body}\n{said}"
        else:
            msg = (
                f"{where}: a block in {block.language or 'no language'} can neither be run nor written: name its file above it"
            )
            raise AssertionError(msg)


def environment(folder: Path, root: Path) -> dict[str, str]:
    """Return the environment of a shell in which ``datalab`` and ``python`` are those of this checkout."""
    commands = folder / "bin"
    commands.mkdir()
    for name, arguments in (("datalab", "-m datalab.cli"), ("python", ""), ("python3", "")):
        path = commands / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        path.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATALAB_", "DAGSTER_"))}
    return kept | {
        "PATH": f"{commands}{os.pathsep}{kept.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "connectors")]),
        "COLUMNS": "140",
    }


def _printed(line: str, said: str) -> bool:
    """Whether a line, white space aside, occurs in what was said."""
    pieces = [r"\s+".join(re.escape(word) for word in piece.split()) for piece in line.strip().split("…")]
    return re.search(r"[^\n]*?".join(pieces), said) is not None
