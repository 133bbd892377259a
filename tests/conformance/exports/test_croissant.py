"""Croissant: the official validator accepts it, the official loader yields the rows, and nothing required is missing."""

from __future__ import annotations

import json
import warnings
from collections import Counter

import polars as pl
import pytest

from datalab.governance.croissant import CONTEXT, croissant, data_type, missing


@pytest.fixture(scope="module")
def mlc():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant

        return mlcroissant


@pytest.fixture(scope="module")
def dataset(mlc, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlc.Dataset(folder / "croissant.json")


def test_the_official_validator_has_nothing_to_say(dataset):
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings


def test_loading_yields_every_row_with_its_split(dataset, folder, evidence):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = list(dataset.records("records"))
    assert len(rows) == evidence.rows.kept
    splits = Counter(row["records/split"].decode() for row in rows)
    assert dict(splits) == evidence.last("run.done").body["splits"]
    real = pl.concat([pl.read_parquet(path) for path in folder.glob("data/*/*.parquet")])
    assert sorted(row["records/message"].decode() for row in rows) == sorted(real["message"].to_list())
    assert sum(row["records/rating"] for row in rows) == real["rating"].sum()
    assert {type(row["records/words"]) for row in rows} == {list}
    assert sum(row["records/country"] is None for row in rows) == real["country"].null_count()


def test_the_split_records_are_the_splits(dataset, evidence):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [row["splits/name"] for row in dataset.records("splits")]
    assert [name.decode() if isinstance(name, bytes) else name for name in names] == list(
        evidence.last("run.done").body["splits"]
    )


def test_every_shard_is_named_with_its_digest(evidence):
    files = [item for item in croissant(evidence)["distribution"] if item["@type"] == "cr:FileObject"]
    assert {(item["contentUrl"], item["sha256"]) for item in files} == {(shard.path, shard.sha256) for shard in evidence.shards}


@pytest.mark.parametrize(
    "name", ["name", "description", "license", "url", "creator", "datePublished", "conformsTo", "distribution"]
)
def test_what_the_specification_requires_is_asked_for(evidence, name):
    document = croissant(evidence)
    assert missing(document) == []
    assert name in missing({key: value for key, value in document.items() if key != name})


def test_a_hole_deep_inside_is_named(evidence):
    document = json.loads(json.dumps(croissant(evidence)))
    del document["distribution"][0]["sha256"], document["recordSet"][1]["field"][2]["source"]
    assert missing(document) == ["distribution[0].sha256", "recordSet[1].field[2].source"]


def test_the_context_is_the_official_one_and_more(reference):
    official = json.loads((reference / "croissant" / "context-1.1.jsonld").read_text(encoding="utf-8"))["@context"]
    assert {key: CONTEXT.get(key) for key in official} == official


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("string", ("sc:Text", False)),
        ("int64", ("cr:Int64", False)),
        ("uint8", ("cr:UInt8", False)),
        ("double", ("cr:Float64", False)),
        ("bool", ("sc:Boolean", False)),
        ("date32[day]", ("sc:Date", False)),
        ("timestamp[us, tz=UTC]", ("sc:DateTime", False)),
        ("list<int32>", ("cr:Int32", True)),
        ("decimal128(10, 2)", ("sc:Float", False)),
    ],
)
def test_types_keep_their_width(column, kind):
    assert data_type(column) == kind
