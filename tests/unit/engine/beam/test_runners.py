"""Beam's runners: what is proven is found by any of its names, everything else is refused with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datalab.engine.beam.runners import FLINK, FNAPI, PORTABLE, REFUSED, RUNNERS, find_runner
from datalab.engine.engines import Engine, chosen
from datalab.errors import NotFound, UsageError
from datalab.model.settings import Settings, load_settings

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("name", "runner"),
    [("fnapi", FNAPI), ("FnApiRunner", FNAPI), ("FLINK", FLINK), ("FlinkRunner", FLINK), ("PortableRunner", PORTABLE)],
)
def test_a_proven_runner_is_found_by_its_name_or_beams(name, runner):
    assert find_runner(name) is runner


@pytest.mark.parametrize("name", [*REFUSED, "DaskRunner", "DirectRunner", "SparkRunner"])
def test_another_runner_is_refused_with_the_reason(name):
    with pytest.raises(UsageError, match="is refused: ") as refused:
        find_runner(name)
    assert "fnapi, portable or flink" in refused.value.next


def test_a_runner_that_nobody_knows_and_none_at_all():
    with pytest.raises(NotFound, match="no Beam runner named 'flank'") as unknown:
        find_runner("flank")
    assert "flink" in unknown.value.next
    with pytest.raises(UsageError, match="Beam needs a runner"):
        find_runner("")


def test_options_that_are_missing_or_not_the_callers():
    with pytest.raises(UsageError, match="needs the option 'job_endpoint'"):
        FLINK.check({})
    with pytest.raises(UsageError, match="'environment_type' is set by datalab"):
        PORTABLE.check({"job_endpoint": "localhost:8099", "environment_type": "DOCKER"})


def test_the_command_line_for_beam():
    given = {"job_endpoint": "localhost:8099", "parallelism": "4", "flag": ""}
    assert FLINK.arguments(given, workers=2, pool="127.0.0.1:5000") == [
        "--runner=PortableRunner",
        "--environment_config=127.0.0.1:5000",
        "--job_endpoint=localhost:8099",
        "--parallelism=4",
        "--flag",
        "--environment_type=EXTERNAL",
    ]
    own = FLINK.arguments({**given, "environment_config": "localhost:50000"}, workers=2, pool="")
    assert "--environment_config=localhost:50000" in own
    assert FNAPI.arguments({}, workers=3, pool="") == [
        "--runner=FnApiRunner",
        "--direct_running_mode=multi_threading",
        "--direct_num_workers=3",
    ]


def test_the_page_on_beam_names_every_runner_and_why_the_others_are_refused():
    page = re.sub(r"\s+", " ", (ROOT / "docs" / "how-to" / "beam-flink.md").read_text())
    for name in RUNNERS:
        assert f"`{name}`" in page
    for name, why in REFUSED.items():
        assert f"| `{name}` | {why} |" in page


def test_what_the_settings_leave_open_is_local():
    settings = Settings(root=Path())
    assert chosen(settings) == Engine("local")
    assert chosen(settings, runner="fnapi") == Engine("beam", "fnapi")
    with pytest.raises(NotFound, match="no engine named 'beem'"):
        chosen(settings, "beem")
    with pytest.raises(UsageError, match="the local engine has no runners"):
        chosen(settings, "local", "fnapi")


def test_the_settings_choose_and_the_command_line_overrides(tmp_path):
    path = tmp_path / "datalab.toml"
    path.write_text(
        '[engine]\nkind = "beam"\nrunner = "flink"\nrunner_options = {job_endpoint = "head:8099", parallelism = 64}\n'
    )
    settings = load_settings(path)
    assert chosen(settings) == Engine("beam", "flink", {"job_endpoint": "head:8099", "parallelism": "64"})
    assert chosen(settings, options={"parallelism": "2"}).options == {"job_endpoint": "head:8099", "parallelism": "2"}
    assert chosen(settings, runner="fnapi") == Engine("beam", "fnapi"), "options of one runner are no other's"
    assert chosen(settings, "local") == Engine("local")
