"""OpenLineage: every event and every facet validates against the official schemas."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest
import referencing

from datalab.governance.openlineage import openlineage

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


@pytest.fixture(scope="module")
def check(reference):
    """A function that returns the problems of one event, its facets included."""
    paths = [reference / "openlineage" / "OpenLineage.json", *(reference / "openlineage" / "facets").glob("*.json")]
    bodies = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    registry = referencing.Registry().with_resources((body["$id"], referencing.Resource.from_contents(body)) for body in bodies)
    known = {body["$id"] for body in bodies}

    def problems(event):
        found = _problems(event, CORE)
        datasets = [*event["inputs"], *event["outputs"]]
        holders = [event["run"].get("facets", {}), event["job"].get("facets", {})]
        holders += [dataset.get(kind, {}) for dataset in datasets for kind in ("facets", "inputFacets", "outputFacets")]
        for facets in holders:
            for facet in facets.values():
                assert facet["_schemaURL"].partition("#")[0] in known
                found += _problems(facet, facet["_schemaURL"])
        return found

    def _problems(body, address):
        validator = jsonschema.Draft202012Validator(
            {"$ref": address}, registry=registry, format_checker=jsonschema.FormatChecker()
        )
        return [error.message for error in validator.iter_errors(body)]

    return problems


def test_every_event_and_facet_is_valid(check, folder):
    lines = (folder / "governance" / "lineage.openlineage.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE", "START", "COMPLETE"]
    assert [check(event) for event in events] == [[], [], [], []]


@pytest.mark.parametrize("breaking", [("run", "runId"), ("job", "name"), ("job", "namespace")])
def test_the_check_finds_what_is_broken(check, evidence, breaking):
    event = copy.deepcopy(openlineage(evidence)[1])
    del event[breaking[0]][breaking[1]]
    assert check(event)


def test_a_broken_facet_is_found(check, evidence):
    event = copy.deepcopy(openlineage(evidence)[1])
    event["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] = "many"
    assert check(event)


def test_the_masked_column_says_so(evidence):
    output = openlineage(evidence)[1]["outputs"][0]
    fields = output["facets"]["columnLineage"]["fields"]
    assert {field["transformations"][0]["masking"] for field in fields["message"]["inputFields"]} == {True}
    assert {field["transformations"][0]["masking"] for field in fields["country"]["inputFields"]} == {False}
    assert fields["score"]["inputFields"] == []
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == evidence.rows.kept


def test_assertions_are_those_of_the_suite(evidence):
    judged = openlineage(evidence)[3]["inputs"][0]
    assertions = judged["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [item["success"] for item in assertions] == [True, True, True, False]
    assert assertions[-1]["column"] == "country"
    assert assertions[-1]["severity"] == "warn"


def test_one_run_has_one_id(evidence):
    first, second = openlineage(evidence), openlineage(evidence)
    assert first == second
    assert len({event["run"]["runId"] for event in first}) == 2
