"""Definitions: what is in them, how fast they load, what a broken file says, and that dg accepts them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from datalab.errors import UsageError
from datalab.orchestration.operations import owner_of
from tests.unit.orchestration.house import PIPELINE, ROOT, environment


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_each_pipeline_is_four_operations_and_a_job(house):
    house.pipeline("other-people")
    repository = house.definitions().get_repository_def()

    assert {job.name for job in repository.get_all_jobs()} >= {"town_people", "other_people", "approve"}
    job = repository.get_job("town_people")
    assert sorted(node.name for node in job.nodes) == [
        f"town_people__{name}" for name in ("acquire", "candidate", "prepare", "report")
    ]
    assert job.tags["business_operation"] == "town-people"
    assert job.executor_def.name == "in_process"
    assert not repository.assets_defs_by_key[dg.AssetKey(["town-people", "cleaning"])].can_subset
    assert not repository.asset_graph.get(dg.AssetKey(["town-people", "release"])).is_materializable


def test_an_asset_says_whose_and_what_for(house):
    node = house.definitions().get_repository_def().asset_graph.get(dg.AssetKey(["town-people", "cleaning"]))

    assert node.owners == ["steward@example.org"]
    assert (node.group_name, node.kinds) == ("town_people", {"arrow", "cleaning"})
    assert "try the orchestration" in node.description
    assert "a person without a town is of no use here" in node.description


def test_critical_expectations_block_and_warnings_do_not(house):
    graph = house.definitions().get_repository_def().asset_graph
    blocking = {key.name: graph.get(key).blocking for key in graph.asset_check_keys}

    assert blocking == {
        "expect_column_values_to_be_unique_id": True,
        "expect_column_values_to_not_be_null_town": True,
        "expect_column_values_to_be_in_set_town": False,
        "gate": True,
        "conservation": True,
    }


def test_an_owner_without_an_address_is_a_team(house):
    house.root.joinpath("pipelines", "town_people.py").write_text(
        PIPELINE.format(variable="p", name="p", attestation="x").replace("steward@example.org", "the stewards (night shift)")
    )
    from datalab.lab.pipelines import find_pipeline

    assert owner_of(find_pipeline("p", house.settings)) == "team:the-stewards-night-shift"
    house.definitions().get_repository_def()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from datalab import Pipeline\n\nraise RuntimeError('no')\n", "broken.py, line 3"),
        ("def (:\n", "broken.py, line 1"),
        ("from datalab import clean\n\nclean.Requird('x')\n", "broken.py, line 3"),
    ],
)
def test_a_broken_file_is_a_load_error_that_names_file_and_line(house, text, said):
    house.root.joinpath("pipelines", "broken.py").write_text(text)

    done = python("import datalab.orchestration.definitions", house.root)

    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("DagsterInvalidDefinitionError") :]
    assert said in last
    assert "next:" in last


def test_a_pipeline_cannot_take_the_name_of_the_approval(house):
    house.pipeline("approve")

    with pytest.raises(UsageError, match="cannot be named 'approve'"):
        house.definitions()


def test_definitions_load_light_and_fast(house):
    heavy = ["great_expectations", "presidio_analyzer", "sdv", "pandas", "spacy", "apache_beam", "torch"]
    code = (
        "import sys, time\nstart = time.process_time()\nimport datalab.orchestration.definitions as d\n"
        f"d.defs.get_repository_def()\nprint(time.process_time() - start, [n for n in {heavy!r} if n in sys.modules])"
    )
    done = python(code, house.root)

    seconds, loaded = done.stdout.split(maxsplit=1)
    assert loaded.strip() == "[]", done.stderr
    assert float(seconds) < 2.0


def test_dg_accepts_the_repository(tmp_path):
    dagster_home = tmp_path / "home"
    shutil.copytree(
        ROOT / "dagster_home", dagster_home, ignore=shutil.ignore_patterns("history", "schedules", "storage", "logs")
    )
    more = {"DAGSTER_HOME": str(dagster_home), "DATALAB_HOME": str(tmp_path / "lab")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["dg", "check", "defs"],
        cwd=ROOT,
        env=environment(PATH=path, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert "All definitions loaded successfully" in done.stdout + done.stderr
    assert done.returncode == 0


def test_a_broken_file_fails_dg_too(house):
    """Also the way a deployment finds it: ``dagster definitions validate``, which ``dg check defs`` calls."""
    house.root.joinpath("pipelines", "broken.py").write_text("raise RuntimeError('no')\n")
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "datalab.orchestration.definitions"],
        cwd=house.root,
        env=environment(DAGSTER_HOME=str(house.root)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 1
    assert "broken.py, line 1" in done.stdout + done.stderr
