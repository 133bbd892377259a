"""A lab folder as a steward has it, and the command line called in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from datalab.cli.main import main
from tests.unit.lab.conftest import space  # noqa: F401 - a fixture
from tests.unit.lab.workshop import write_lab, write_suite

RECIPE = '''
"""Visitors, as a steward writes it."""
from __future__ import annotations

import time

from datalab import Pipeline, Purpose, Release, Source, Splits, clean, scrub, standardise, step


@step(reads="hour")
def pause(frame, *, seconds=0.0):
    time.sleep(seconds)
    return frame


def made(name, *steps, dataset="space:visitors", purpose="ScientificResearch", **more):
    return Pipeline(
        name=name,
        title="Visitors of a museum",
        owner="steward@datalab.example",
        purpose=Purpose("https://w3id.org/dpv#" + purpose, "Learn when a museum is full"),
        legal_basis="eu-gdpr:A6-1-e",
        source=Source(dataset=dataset),
        steps=[
            standardise.ColumnNames(rename={"E-Mail": "email"}),
            clean.Required("id"),
            standardise.Types({"age": "integer", "hour": "integer"}),
            clean.DuplicatesByKey("id"),
            scrub.Columns({"name": "drop", "email": scrub.Pseudonym("email")}),
            scrub.Text("note"),
            *steps,
        ],
        splits=Splits(shares={"train": 0.75, "test": 0.25}, together="id"),
        release=Release(licence="CC0-1.0", description="Visits by hour", rows_per_shard=200),
        quarantine_limit=0.05,
        part_rows=more.pop("part_rows", 128),
        **more,
    )


visitors = made("visitors")
withheld = made("withheld", expectations="strict")
commercial = made("commercial", purpose="CommercialPurpose")
absent = made("absent", dataset="space:vistors")
down = made("down", dataset="down:visitors")
slow = made("slow", pause(seconds=0.4), part_rows=40)
'''
DOWN = '[connectors.down]\nkind = "sandbox"\nurl = "http://127.0.0.1:9"\npatience = 1\n'


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def write_folder(root: Path, url: str) -> Path:
    """Write the folder of a lab with its pipelines; return it."""
    write_lab(root, url)
    with (root / "datalab.toml").open("a") as stream:
        stream.write(DOWN)
    (root / "pipelines" / "museum.py").write_text(RECIPE)
    write_suite(root, "strict", ("expect_table_row_count_to_equal", {"value": 1}, "critical"))
    return root


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "datalab.cli", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    root = Path(__file__).parents[3]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DATALAB_")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(root), str(root / "connectors")]), **more}


def process(folder: Path, *arguments: object, **more: str) -> Answer:
    """Run a command as a process of its own."""
    done = subprocess.run(command(*arguments), cwd=folder, env=environment(**more), capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def folder(tmp_path, space):  # noqa: F811
    return write_folder(tmp_path / "lab", space)


@pytest.fixture
def call(monkeypatch, capsys) -> Callable[..., Answer]:
    """Call the command line in this process: ``call(folder, "run", "visitors")``."""
    for name in list(os.environ):
        if name.startswith("DATALAB_"):
            monkeypatch.delenv(name)

    def called(place: Path, *arguments: object) -> Answer:
        monkeypatch.chdir(place)
        capsys.readouterr()
        before = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as ended:
                main([str(item) for item in arguments])
        finally:
            os.umask(before)
        shown = capsys.readouterr()
        return Answer(int(ended.value.code or 0), shown.out, shown.err)

    return called
