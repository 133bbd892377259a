"""Where a released row comes from, what was set aside, and the end of the retention."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from datalab import open_dataset, standardise, synthesise
from datalab.errors import NotFound, UsageError
from datalab.lab.release import approve, find_candidate
from datalab.lab.rows import duration, newest_plan, origin_of, purge, quarantined
from datalab.lab.run import run_pipeline
from datalab.staging.manifest import read_manifest
from datalab.staging.verify import verify_release
from tests.unit.lab.workshop import APPROVER, BROKEN, CLASHING, STEPS, TEXT, pipeline, write_suite


def test_every_released_row_leads_back_to_its_record(released):
    manifest = read_manifest(released.store.release("visitors", 1))
    records = list(csv.DictReader(io.StringIO(TEXT)))
    dataset = open_dataset("visitors", home=released.home, quiet=True)
    for split, rows in manifest.splits.items():
        ids = dataset.polars(split)["id"].to_list()
        for row in (0, 1, rows // 2, 199 if rows > 200 else 0, 200 if rows > 200 else 0, rows - 1):
            origin = origin_of(released, manifest, split, row)
            assert records[origin.record]["Id"] == ids[row]
            assert (origin.source, origin.synthetic) == ("csv", False), "the name is that of the distribution"
            assert origin.sha256 in manifest.lineage["sources"]
            assert origin.agreement in manifest.lineage["agreements"]


def test_rows_that_are_not_there_are_refused(released):
    manifest = read_manifest(released.store.release("visitors", 1))
    with pytest.raises(NotFound, match="there is no row"):
        origin_of(released, manifest, "train", manifest.splits["train"])
    with pytest.raises(NotFound, match="did you mean 'train'"):
        origin_of(released, manifest, "trian", 0)


def test_quarantined_records_are_listed_without_their_values(released):
    found = list(quarantined(released, newest_plan(released, "visitors")))
    assert [record["step"] for record in found].count("00 intake") == BROKEN
    assert [record["step"] for record in found].count("03 standardisation.types") == CLASHING
    assert {key for record in found for key in record} == {"source", "record", "line", "step", "code", "file"}
    with pytest.raises(NotFound, match="did you mean 'visitors'"):
        newest_plan(released, "visitor")


def test_a_synthetic_row_comes_from_the_model_and_never_from_a_person(lab):
    steps = (*STEPS[:3], standardise.Select(("age", "city", "hour")), synthesise.Table(rows=200))
    run_pipeline(pipeline(steps=steps, splits=type(pipeline().splits)()), lab=lab)
    manifest = read_manifest(find_candidate(lab, "visitors"))
    origin = origin_of(lab, manifest, "train", 0)
    assert (origin.source, origin.synthetic, origin.agreement) == ("fitted model", True, "")
    assert len(origin.sha256) == 64


def test_the_retention_is_kept_and_a_purge_is_an_event(lab):
    regex = "^[A-Z][a-z]+$"  # only the real Great Expectations can do this one: rows are sampled for it
    outside = ("expect_column_values_to_not_match_regex_list", {"column": "city", "regex_list": ["^$", regex + "x"]}, "warning")
    write_suite(lab.settings.root, "outside", outside)
    summary = run_pipeline(pipeline(expectations="outside"), lab=lab)
    assert (lab.home / "runs" / summary.plan / "samples").is_dir()
    approve(lab, "visitors", actor=APPROVER)
    with pytest.raises(UsageError, match="the retention of this run lasts until"):
        purge(lab, summary.plan, actor=APPROVER)
    size = purge(lab, summary.plan, actor=APPROVER, early=True)
    assert size > 10_000
    folder = lab.home / "runs" / summary.plan
    assert {path.name for path in folder.rglob("*") if path.is_file()} <= {"lock", "done.json", "plan.pickle"}
    [event] = lab.ledger.events(type="data.purged")
    assert (event.actor, event.subject, event.body["bytes"], event.body["early"]) == (APPROVER, summary.plan, size, True)
    manifest = verify_release(lab.store.release("visitors", 1)).manifest
    with pytest.raises(NotFound, match="after its retention"):
        origin_of(lab, manifest, "train", 0)


def test_a_purged_run_can_be_run_again_with_the_same_result(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    purge(lab, summary.plan, actor=APPROVER, early=True)
    assert run_pipeline(pipeline(), lab=lab).digest == summary.digest


def test_after_its_retention_a_run_is_purged_without_haste(lab):
    summary = run_pipeline(pipeline(retention="P0D"), lab=lab)
    purge(lab, summary.plan, actor=APPROVER)
    [event] = lab.ledger.events(type="data.purged")
    assert event.body["early"] is False


@pytest.mark.parametrize("plan", ["", "..", "0" * 32, "../../landing"])
def test_only_runs_are_purged(lab, plan):
    run_pipeline(pipeline(), lab=lab)
    before = sorted(lab.home.rglob("*"))
    with pytest.raises(NotFound, match="no such run"):
        purge(lab, plan, actor=APPROVER, early=True)
    assert sorted(lab.home.rglob("*")) == before


@pytest.mark.parametrize(("text", "days"), [("P180D", 180), ("P2W", 14), ("P1Y2M3D", 365 + 60 + 3), ("P0D", 0), ("P10Y", 3650)])
def test_durations(text, days):
    assert duration(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "P", "180", "P-1D", "PT1H", "P1.5D", "p1d", "P٣D"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="ISO 8601"):
        duration(text)
