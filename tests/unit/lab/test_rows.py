"""Where a released row comes from, and what was set aside."""

from __future__ import annotations

import csv
import io

import pytest

from datalab import open_dataset, standardise, synthesise
from datalab.errors import NotFound
from datalab.lab.release import find_candidate
from datalab.lab.rows import newest_plan, origin_of, quarantined
from datalab.lab.run import run_pipeline
from datalab.staging.manifest import read_manifest
from tests.unit.lab.workshop import BROKEN, CLASHING, STEPS, TEXT, pipeline


def test_every_released_row_leads_back_to_its_record(released):
    manifest = read_manifest(released.store.release("visitors", 1))
    records = list(csv.DictReader(io.StringIO(TEXT)))
    dataset = open_dataset("visitors", home=released.home, quiet=True)
    for split, rows in manifest.splits.items():
        ids = dataset.polars(split)["id"].to_list()
        for row in (0, 1, rows // 2, 199 if rows > 200 else 0, 200 if rows > 200 else 0, rows - 1):
            origin = origin_of(released, manifest, split, row)
            assert records[origin.record]["Id"] == ids[row]
            assert (origin.source, origin.synthetic) == ("space:visitors, visitors.csv", False)
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
