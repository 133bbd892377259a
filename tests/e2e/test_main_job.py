"""The main job as four people do it, each through their own door: command line, Python, the files of a release."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from datalab import open_dataset
from tests.unit.cli.conftest import environment, process
from tests.unit.lab.workshop import APPROVER, ROWS, VALUES


def said(folder, *arguments):
    answer = process(folder, *arguments, "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


@pytest.fixture(scope="module")
def job(folder, tmp_path_factory):
    """Everything from the catalogue to a pulled copy; what each act answered."""
    site = tmp_path_factory.mktemp("site")
    acts = {
        "discover": said(folder, "discover", "visitors"),
        "plan": said(folder, "plan", "visitors"),
        "run": said(folder, "run", "visitors"),
        "candidate": said(folder, "releases"),
        "approve": said(folder, "approve", "visitors", "--as", APPROVER, "--note", "read the report"),
        "pull": said(folder, "pull", "visitors", site, "--for", "did:web:modeller.example"),
        "verify": said(folder, "verify", "visitors"),
        "again": said(folder, "run", "visitors"),
        "ledger": said(folder, "ledger", "list"),
    }
    return folder, acts


def test_each_act_hands_over_to_the_next(job):
    _, acts = job
    assert acts["discover"][0]["dataset"] == "space:visitors"
    assert acts["plan"]["plan"] == acts["run"]["plan"]
    assert [item["status"] for item in acts["candidate"]] == ["candidate"]
    digests = {acts[act]["digest"] for act in ("run", "approve", "pull", "verify", "again")}
    assert digests == {acts["candidate"][0]["digest"]}
    assert acts["verify"]["rows"] == acts["run"]["rows_out"]


def test_a_second_run_does_nothing_and_says_so(job):
    _, acts = job
    assert acts["again"]["status"] == "unchanged"
    started = [event for event in acts["ledger"] if event["type"] == "run.started"]
    assert len(started) == 1


def test_the_compliance_officer_finds_every_act_with_its_actor_in_one_chain(job):
    folder, acts = job
    types = [event["type"] for event in acts["ledger"]]
    order = ["offer.discovered", "agreement.concluded", "object.landed", "run.started", "run.done", "gate.decided",
             "candidate.written", "release.approved", "release.pulled"]  # fmt: skip
    assert [types.index(name) for name in order] == sorted(types.index(name) for name in order)
    actors = {event["type"]: event["actor"] for event in acts["ledger"]}
    assert (actors["run.started"], actors["release.approved"]) == ("Sam Steward", APPROVER)
    assert all(event["actor"] for event in acts["ledger"])
    assert said(folder, "ledger", "verify")["events"] >= len(types)


def test_the_ai_developer_reads_the_pulled_copy_without_the_lab(job, tmp_path):
    """In another folder, with no settings: only the path of the copy."""
    _, acts = job
    script = (
        "import sys, datalab\n"
        "data = datalab.open_dataset(sys.argv[1])\n"
        "print(len(data), data.polars('train').height, sum(b.num_rows for b in data.batches()), len(data.pandas()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, acts["pull"]["path"]], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    whole, train, streamed, frame = map(int, done.stdout.split())
    assert whole == streamed == frame == acts["run"]["rows_out"]
    assert 0.6 * whole < train < 0.9 * whole
    assert "Visitors of a museum (visitors@1), licence CC0-1.0" in done.stderr
    assert not list(tmp_path.iterdir())


def test_equal_subjects_stay_in_one_split(job):
    _, acts = job
    dataset = open_dataset(acts["pull"]["path"], quiet=True)
    train, test = (set(dataset.polars(split)["id"]) for split in ("train", "test"))
    assert not train & test


def test_the_data_holder_sees_that_nobody_is_named(job):
    _folder, acts = job
    copy = open_dataset(acts["pull"]["path"], quiet=True)
    rows = copy.polars().select(pl.concat_str(pl.all().cast(pl.String), separator="|", ignore_nulls=True))
    text = "\n".join(rows.to_series()) + "".join(
        path.read_text(errors="replace")
        for path in copy.folder.rglob("*")
        if path.suffix in {".md", ".json", ".jsonl", ".html", ".jsonld"}
    )
    assert not [number for number, value in enumerate(VALUES) if value in text]
    ledger = json.dumps(acts["ledger"])
    assert not [number for number, value in enumerate(VALUES) if value in ledger]


def test_the_account_of_the_rows_is_the_same_in_every_place(job):
    """The run's answer, the manifest, the ledger: one account, and it balances."""
    folder, acts = job
    run = acts["run"]
    shown = said(folder, "show", "visitors")
    [done] = [event for event in acts["ledger"] if event["type"] == "run.done"]
    assert shown["rows"] == done["body"]["rows"]
    assert (shown["rows"]["rows_in"], shown["rows"]["kept"]) == (run["rows_in"], run["rows_out"])
    assert shown["rows"]["dropped"] == run["dropped"]
    assert sum(shown["splits"].values()) == run["rows_out"]
    dropped = sum(number for reasons in run["dropped"].values() for number in reasons.values())
    assert run["rows_in"] == run["rows_out"] + dropped + run["quarantined"]
    assert run["rows_in"] > ROWS - 1
