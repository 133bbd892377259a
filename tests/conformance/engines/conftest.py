"""The demo's lab, once for all engines, with a home of its own for each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.engines.engines import ENGINES, datalab, result

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def outcome(tmp_path_factory) -> Iterator[Callable[[str, str], tuple]]:
    """Return a function of engine and pipeline that runs it, once, and returns its result."""
    folder = tmp_path_factory.mktemp("engines")
    for name in ("pipelines", "expectations"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "datalab.toml", folder)
    known: dict[tuple[str, str], tuple] = {}
    homes: list[Path] = []

    def home_of(engine: str) -> Path:
        home = folder / f"home-{engine}"
        if home not in homes:
            (home / "keys").mkdir(parents=True)
            (home / "keys" / "pseudonyms").write_text("0123456789abcdef" * 2)
            homes.append(home)
        return home

    def found(engine: str, name: str) -> tuple:
        if (engine, name) not in known:
            home = home_of(engine)
            ENGINES[engine].run(folder, name, home)
            known[engine, name] = result(home, name)
        return known[engine, name]

    yield found
    for home in homes:
        datalab(folder, home, "sandbox", "stop")
