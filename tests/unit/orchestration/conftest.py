"""The small lab, and a Dagster instance that forgets."""

from __future__ import annotations

import sys

import dagster as dg
import pytest

from tests.unit.orchestration.house import make_house


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known, path = set(sys.modules), list(sys.path)
    yield make_house(tmp_path)
    sys.path[:] = path
    for name in [name for name in sys.modules if name not in known and name.partition(".")[0] == "pipelines"]:
        del sys.modules[name]


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made
