"""A Flink that loses a TaskManager in the middle of a run: the run ends, with the same content."""

from __future__ import annotations

import json
import shutil
import subprocess
import time

import pytest

from datalab.engine.beam.flink import Flink, check
from tests.conformance.engines import clusters
from tests.docs.tutorial import environment as shell
from tests.docs.tutorial import follow
from tests.faults.conftest import Running, run, shards
from tests.unit.cli.conftest import process, write_folder
from tests.unit.lab.conftest import space  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.java,
    pytest.mark.skipif(bool(clusters.without_flink()), reason=clusters.without_flink()),
]
QUICK = {"heartbeat.interval": "1000", "heartbeat.timeout": "8000"}


@pytest.fixture
def folder(tmp_path, space):  # noqa: F811
    return write_folder(tmp_path / "lab", space)


@pytest.mark.parametrize("restarts", ["by-flink", "by-us"])
def test_a_taskmanager_that_is_killed_costs_no_part_and_no_row(folder, tmp_path, restarts):
    settings = QUICK if restarts == "by-flink" else {**QUICK, "restart-strategy.type": "none"}
    with Flink(clusters.JARS, tmp_path / "flink", taskmanagers=2, settings=settings) as flink:
        where = clusters.options(job_endpoint=flink.job_endpoint, parallelism=2)
        running = Running(folder, "run", "slow", "--json", "--engine", "beam", "--runner", "flink", *where)
        maps = folder / ".datalab" / "runs"
        assert running.until(lambda: len(list(maps.glob("*/receipts/01/*.json"))) >= 3, seconds=180)
        busy = [manager for manager in flink.ask("taskmanagers")["taskmanagers"] if manager["freeSlots"] < 2]
        assert busy, "the job runs"
        flink.taskmanagers[int(busy[0]["id"].removeprefix("taskmanager-"))].kill()
        answer = running.end()
        states = [job["state"] for job in flink.ask("jobs/overview")["jobs"]]
    assert states.count("FAILED") == (0 if restarts == "by-flink" else 1), states
    assert answer.code == 0, answer.err
    ours = json.loads(answer.out)
    local = run(folder, "slow", DATALAB_HOME=str(_home(folder)))
    assert ours["digest"] == local["digest"]
    assert shards(ours["candidate"]) == shards(local["candidate"])
    assert json.loads(process(folder, "ledger", "verify", "--json").out)


def _home(folder):
    """A second home for the lab, with the same secrets."""
    home = folder / "local"
    home.mkdir()
    if (folder / ".datalab" / "keys").is_dir():
        shutil.copytree(folder / ".datalab" / "keys", home / "keys")
    return home


def test_a_jar_that_was_changed_is_found(tmp_path):
    shutil.copytree(clusters.JARS, tmp_path / "jars", copy_function=lambda a, b: shutil.copy(a, b))
    [first, second, *_] = sorted((tmp_path / "jars").rglob("*.jar"))
    first.write_bytes(b"PK other")
    second.unlink()
    (tmp_path / "jars" / "gradle" / "wrapper" / "added.jar").touch()
    assert check(tmp_path / "jars") == sorted([first.name, second.name, "added.jar"])


def test_the_page_on_beam_and_flink_runs(tmp_path):
    lab = tmp_path / "lab"
    lab.mkdir()
    for name in ("pipelines", "expectations"):
        shutil.copytree(clusters.ROOT / name, lab / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(clusters.ROOT / "datalab.toml", lab)
    (lab / ".datalab" / "keys").mkdir(parents=True)
    (lab / ".datalab" / "keys" / "pseudonyms").write_text("0123456789abcdef" * 2)
    (lab / ".cache").mkdir()
    (lab / ".cache" / "flink").symlink_to(clusters.JARS)
    (tmp_path / "shell").mkdir()
    env = shell(tmp_path / "shell", clusters.ROOT)
    try:
        follow(clusters.ROOT / "docs" / "how-to" / "beam-flink.md", lab, env)
    finally:
        for name in ("flink.pid", "workers.pid"):
            if (lab / name).exists():
                subprocess.run(["kill", (lab / name).read_text().strip()], check=False, capture_output=True)
        time.sleep(0.1)
        subprocess.run(["datalab", "sandbox", "stop"], cwd=lab, env=env, check=False, capture_output=True)
