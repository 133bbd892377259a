"""``datalab dev`` before Dagster starts: where its instance lives, and what a user gets wrong; the instance files."""

from __future__ import annotations

import shutil
import socket

import pytest
import yaml
from click.testing import CliRunner
from dagster._core.instance.config import dagster_instance_config

from datalab.cli.dev import command, dagster_home
from datalab.errors import UsageError
from tests.unit.orchestration.house import ROOT


def test_the_instance_is_the_one_of_the_environment_the_repository_or_the_lab(house, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    made = dagster_home(house.settings)
    assert made == house.root / ".datalab" / "dagster"
    assert yaml.safe_load((made / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}

    (house.root / "dagster_home").mkdir()
    (house.root / "dagster_home" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    assert dagster_home(house.settings) == house.root / "dagster_home"

    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    assert str(dagster_home(house.settings)) == "/elsewhere"


def test_a_port_in_use_is_said_plainly(house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(command, ["--port", str(taken.getsockname()[1])])

    assert isinstance(result.exception, UsageError)
    assert "--port N" in result.exception.next


def test_a_broken_pipeline_is_said_before_dagster_starts(house):
    house.root.joinpath("pipelines", "broken.py").write_text("raise RuntimeError('no')\n")

    result = CliRunner().invoke(command, ["--port", "0"])

    assert isinstance(result.exception, UsageError)
    assert "broken.py, line 1" in result.exception.where


@pytest.mark.parametrize("name", ["dagster.yaml", "dagster-postgres.yaml"])
def test_dagster_accepts_the_instance_files(tmp_path, monkeypatch, name):
    for word in ("HOST", "PORT", "DATABASE", "USER", "PASSWORD"):
        monkeypatch.setenv(f"DATALAB_DAGSTER_PG_{word}", "5432" if word == "PORT" else "x")
    shutil.copy(ROOT / "dagster_home" / name, tmp_path / "dagster.yaml")

    config, _ = dagster_instance_config(str(tmp_path))

    assert config["telemetry"] == {"enabled": False}
    assert ("storage" in config) == (name == "dagster-postgres.yaml")
