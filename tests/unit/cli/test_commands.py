"""Every command, for people and as JSON, on a lab that did the main job."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from datalab import open_dataset
from datalab.cli.main import COMMANDS, group
from tests.unit.cli.conftest import write_folder
from tests.unit.lab.conftest import space  # noqa: F401 - a fixture
from tests.unit.lab.workshop import APPROVER, BROKEN, CLASHING, DOUBLED, EMPTY, ROWS, VALUES

OUT = ROWS - EMPTY - DOUBLED - CLASHING


@pytest.fixture(scope="module")
def done(tmp_path_factory, space):  # noqa: F811
    """A lab folder in which the visitors were run and approved; ``done.json`` keeps what both commands said."""
    from tests.unit.cli.conftest import process

    folder = write_folder(tmp_path_factory.mktemp("done"), space)
    run = process(folder, "run", "visitors", "--json")
    approve = process(folder, "approve", "visitors", "--as", APPROVER, "--note", "read it", "--json")
    assert (run.code, approve.code) == (0, 0), run.err + approve.err
    (folder / "said.json").write_text(json.dumps({"run": json.loads(run.out), "approve": json.loads(approve.out)}))
    return folder


@pytest.fixture
def said(done):
    return json.loads((done / "said.json").read_text())


def answered(answer):
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_run_answers_with_the_agreed_keys(said):
    run = said["run"]
    agreed = {"rows_in", "rows_out", "dropped", "quarantined", "generated", "digest", "seconds", "candidate"}
    assert agreed <= set(run)
    assert run["rows_in"] == ROWS + BROKEN
    assert run["rows_out"] == OUT
    assert run["dropped"] == {
        "02 cleaning.required": {"missing": EMPTY},
        "04 cleaning.duplicates-by-key": {"duplicate-key": DOUBLED},
    }
    assert (run["quarantined"], run["generated"], run["status"]) == (CLASHING + BROKEN, 0, "candidate")
    assert run["rows_in"] + run["generated"] == run["rows_out"] + EMPTY + DOUBLED + run["quarantined"]
    assert len(run["digest"]) == 64
    assert run["seconds"] > 0
    assert run["candidate"].endswith(run["digest"][:16])


def test_approve_answers_with_the_release(said):
    approve = said["approve"]
    assert set(approve) == {"name", "version", "path", "digest", "status"}
    assert (approve["name"], approve["version"], approve["status"]) == ("visitors", "1", "approved")
    assert approve["digest"] == said["run"]["digest"]


def test_releases_answers_with_a_list_of_the_agreed_keys(done, said, call):
    [item] = answered(call(done, "releases", "--json"))
    assert {"name", "version", "path", "digest", "status"} <= set(item)
    assert {key: item[key] for key in said["approve"]} == said["approve"]
    assert "visitors" in call(done, "releases").out


def test_run_again_says_nothing_to_redo(done, call, said):
    again = answered(call(done, "run", "visitors", "--json"))
    assert (again["status"], again["digest"], again["rows_out"]) == ("unchanged", said["run"]["digest"], OUT)
    assert "nothing to redo" in call(done, "run", "visitors").out


def test_discover(done, call):
    found = answered(call(done, "discover", "museum", "--json"))
    assert {item["dataset"] for item in found} == {"space:visitors", "space:counts"}
    assert found[0]["holder"] == "Museum of Inventions"
    assert "space:visitors" in call(done, "discover", "visitors").out
    assert "no offer matches" in call(done, "discover", "submarines").out


def test_a_catalogue_that_is_down_is_named_and_does_not_stop_the_others(done, call):
    answer = call(done, "discover")
    assert "connector down" in answer.err
    assert "space:counts" in answer.out


def test_profile_is_bounded_and_shows_no_value_of_a_person(done, call):
    profile = answered(call(done, "profile", "visitors", "--rows", "100", "--json"))
    assert profile["rows"] == 100
    shown = call(done, "profile", "visitors")
    assert shown.code == 0
    assert "Bonn" in shown.out
    assert not [value for value in VALUES if value in shown.out]


def test_plan_shows_what_would_happen(done, call, said):
    plan = answered(call(done, "plan", "visitors", "--json"))
    assert plan["plan"] == said["run"]["plan"]
    assert [entry["column"] for entry in plan["lineage"]] == ["id", "email", "age", "city", "hour", "note"]
    assert "scrubbing.columns" in call(done, "plan", "visitors").out


def test_plan_explains_each_pass(done, call):
    passes = answered(call(done, "plan", "visitors", "--json"))["physical"]["passes"]
    shown = call(done, "plan", "visitors", "--explain").out

    assert [item["kind"] for item in passes] == ["intake", "map", "reduce", "map", "shards", "unique"]
    assert all(item["does"] in shown for item in passes)
    assert "worker_memory_mb sets no limit" in shown
    assert "checkpoint: where a shard begins depends on how many rows stay before it" in shown


def test_runs_tell_where_the_time_went(done, call):
    [run, *_] = answered(call(done, "runs", "visitors", "--json"))
    shown = call(done, "runs", "visitors", "--costs").out

    assert run["costs"]
    assert all(step in shown for step in run["costs"])


def test_runs(done, call, said):
    found = answered(call(done, "runs", "visitors", "--json"))
    assert [(item["plan"], item["status"], item["rows_out"]) for item in found] == [(said["run"]["plan"], "passed", OUT)]
    assert "passed" in call(done, "runs").out
    assert "no run yet" in call(done, "runs", "nobody").out


def test_show(done, call, said):
    shown = answered(call(done, "show", "visitors", "--json"))
    assert (shown["digest"], shown["path"]) == (said["run"]["digest"], said["approve"]["path"])
    assert "duplicate-key" in call(done, "show", "visitors@1").out


def test_verify_and_report(done, call, said):
    checked = answered(call(done, "verify", "visitors", "--json"))
    assert (checked["verified"], checked["rows"], checked["version"]) == (True, OUT, "1")
    assert "holds" in call(done, "verify", said["approve"]["path"]).out
    report = answered(call(done, "report", "visitors", "--json"))["report"]
    assert call(done, "report", "visitors").out.strip() == report
    with open(report, encoding="utf-8") as stream:  # noqa: PTH123
        assert "<html" in stream.read(2_000)


def test_lineage_of_columns_and_of_a_row(done, call):
    columns = answered(call(done, "lineage", "visitors", "--json"))
    assert [entry["column"] for entry in columns] == ["id", "email", "age", "city", "hour", "note"]
    row = answered(call(done, "lineage", "visitors", "--row", "train:0", "--json"))
    assert set(row) == {"source", "sha256", "record", "agreement", "synthetic"}
    assert "email" in call(done, "lineage", "visitors").out
    assert row["sha256"] in call(done, "lineage", "visitors", "--row", "train:0").out


def test_ledger(done, call):
    verified = answered(call(done, "ledger", "verify", "--json"))
    events = answered(call(done, "ledger", "list", "--json"))
    assert verified["verified"] is True
    assert verified["events"] == len(events)
    assert all(event["actor"] for event in events)
    assert answered(call(done, "ledger", "list", "--type", "release.approved", "--json"))[0]["actor"] == APPROVER
    assert "the ledger holds" in call(done, "ledger", "verify").out
    assert "release.approved" in call(done, "ledger", "list").out


def test_quarantine_list_and_purge(folder, call):
    run = answered(call(folder, "run", "visitors", "--json"))
    found = answered(call(folder, "quarantine", "list", "visitors", "--json"))
    assert len(found) == CLASHING + BROKEN
    assert len(answered(call(folder, "quarantine", "list", "visitors", "--limit", "2", "--json"))) == 2
    assert "too-many-fields" in call(folder, "quarantine", "list", "visitors").out
    refused = call(folder, "quarantine", "purge", run["plan"], "--as", APPROVER)
    assert (refused.code, "add --early" in refused.err) == (2, True)
    purged = answered(call(folder, "quarantine", "purge", run["plan"], "--as", APPROVER, "--early", "--json"))
    assert purged["bytes"] > 0
    assert "nothing was quarantined" in call(folder, "quarantine", "list", "visitors").out


def test_a_purge_names_what_went_and_what_stays(folder, call):
    run = answered(call(folder, "run", "visitors", "--json"))
    shown = call(folder, "quarantine", "purge", run["plan"], "--as", APPROVER, "--early").out
    for word in ("removed", "quarantine", "provenance", "landing", "kept", "evidence", "waits for approval", "bytes removed"):
        assert word in shown
    call(folder, "plan", "visitors")
    assert "its retention lasts until" in call(folder, "quarantine", "purge", "--landing", "--as", APPROVER).out
    assert answered(call(folder, "quarantine", "purge", "--landing", "--early", "--as", APPROVER, "--json"))["bytes"] > 0
    assert [
        item["plan"] for item in answered(call(folder, "quarantine", "purge", "--all-expired", "--as", APPROVER, "--json"))
    ] == [""]


@pytest.mark.parametrize("what", [[], ["abc", "--landing"], ["--landing", "--all-expired"], ["--all-expired", "--early"]])
def test_a_purge_must_know_what(folder, call, what):
    refused = call(folder, "quarantine", "purge", *what, "--as", APPROVER)
    assert (refused.code, "say what to remove" in refused.err) == (2, True)


def test_the_report_of_a_withheld_run_is_named_until_it_is_purged(folder, call):
    assert call(folder, "run", "withheld").code == 1
    [run] = answered(call(folder, "runs", "withheld", "--json"))
    shown = call(folder, "runs").out
    assert "datalab report PLAN" in shown
    assert run["plan"][:12] in shown
    path = answered(call(folder, "report", run["plan"][:12], "--json"))["report"]
    assert "Withheld" in Path(path).read_text("utf-8")
    assert answered(call(folder, "report", "withheld", "--json"))["report"] == path
    assert "report.html" in call(folder, "quarantine", "purge", run["plan"], "--as", APPROVER, "--early").out
    assert call(folder, "report", run["plan"][:12]).code == 2


def test_pull_and_open(done, call, tmp_path):
    pulled = answered(call(done, "pull", "visitors@1", tmp_path / "site", "--for", "did:web:modeller.example", "--json"))
    assert set(pulled) == {"name", "version", "path", "digest"}
    assert open_dataset(pulled["path"], quiet=True).polars().height == OUT
    again = call(done, "pull", "visitors", tmp_path / "site")
    assert (again.code, "verified" in again.out, "TERMS.md" in again.out) == (0, True, True)


def test_reject(folder, call):
    run = answered(call(folder, "run", "visitors", "--json"))
    assert call(folder, "reject", "visitors", "--as", APPROVER).code == 2
    rejected = answered(call(folder, "reject", "visitors", "--as", APPROVER, "--note", "hours look wrong", "--json"))
    assert rejected == {"name": "visitors", "digest": run["digest"], "status": "rejected"}
    assert "nothing yet" in call(folder, "releases").out
    assert call(folder, "approve", "visitors", "--as", APPROVER).code == 2


def test_doctor(done, call):
    answer = call(done, "doctor", "--json")
    findings = {item["what"]: item["status"] for item in json.loads(answer.out)}
    assert (findings["settings"], findings["ledger"], findings["secrets"], findings["pipelines"]) == ("ok",) * 4
    assert answer.code == int("wrong" in findings.values())
    assert "ledger" in call(done, "doctor").out


def test_doctor_finds_a_missing_secret(folder, call):
    (folder / "key").unlink()
    answer = call(folder, "doctor")
    assert answer.code == 1
    assert "is missing or shorter than 16 bytes" in " ".join(answer.out.split())


def test_the_sandbox_is_started_found_and_stopped(tmp_path, call):
    (tmp_path / "datalab.toml").write_text('[lab]\nname = "x"\n')
    assert answered(call(tmp_path, "sandbox", "status", "--json"))["running"] is False
    try:
        started = answered(call(tmp_path, "sandbox", "start", "--json"))
        assert started["url"].startswith("http://127.0.0.1:")
        assert answered(call(tmp_path, "sandbox", "start", "--json")) == started
        assert started["url"] in call(tmp_path, "sandbox", "status").out
    finally:
        assert answered(call(tmp_path, "sandbox", "stop", "--json")) == {"stopped": True}
    assert "was not running" in call(tmp_path, "sandbox", "stop").out


@pytest.mark.parametrize(
    "name", [*COMMANDS, "ledger verify", "ledger list", "quarantine purge", "quarantine due", "policy terms", "sandbox start"]
)
def test_every_command_explains_itself(tmp_path, call, name):
    answer = call(tmp_path, *name.split(), "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: datalab {name}")
    assert not list(tmp_path.iterdir()), "help makes nothing"


NO_RESULTS = {"demo", "dev", "serve", "login", "slurm script"}
"""Commands that do something, or write a script, and have nothing to report."""


def every_command():
    """Yield all commands with their subcommands, by what a person types."""
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        yield from (f"{name} {one}" for one in command.commands) if isinstance(command, click.Group) else [name]


RESULTS = [name for name in every_command() if name not in NO_RESULTS]


@pytest.mark.parametrize("name", RESULTS)
def test_every_command_that_prints_results_can_print_json(tmp_path, call, name):
    assert "--json" in call(tmp_path, *name.split(), "--help").out
