"""``datalab discover`` by meaning: with a model that is constructed, so that words of one idea lie near each other."""

from __future__ import annotations

import json

import pytest

from tests.unit.connectors.dcat_worlds import dataset, turtle
from tests.unit.services.meaning_models import write_model

LAB = '[lab]\nactor = "steward"\nterritory = "LU"\n[connectors.city]\nkind = "dcat"\nurl = "city.ttl"\n'


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "city.ttl").write_text(
        turtle(dataset("counts", title="Bicycle counts"), dataset("census", title="Cyclist traffic census"))
    )
    (tmp_path / "datalab.toml").write_text(LAB + '[discovery]\nmodel = "models/small"\n')
    return tmp_path


def test_a_hit_by_meaning_says_so(lab, call):
    write_model(lab / "models" / "small")
    told = call(lab, "discover", "bicycle", "counts").out
    assert told.count("found by its meaning: it does not hold all the words (similarity 0.") == 1
    assert told.index("Bicycle counts") < told.index("Cyclist traffic census") < told.index("found by its meaning")
    first, second = json.loads(call(lab, "discover", "bicycle", "counts", "--json").out)
    assert (first["found_by"], second["found_by"]) == (["words", "meaning"], ["meaning"])
    assert first["similarity"] > second["similarity"] > 0.5
    assert first["score"] == 1


def test_without_a_model_nothing_is_said_of_it(lab, call):
    (lab / "datalab.toml").write_text(LAB)
    [only] = json.loads(call(lab, "discover", "bicycle", "counts", "--json").out)
    assert not {"found_by", "similarity"} & set(only)


def test_a_model_that_is_missing_is_told_with_the_way_to_get_one(lab, call):
    answer = call(lab, "discover", "bicycle")
    assert answer.code == 2
    assert "there is no folder with a model" in answer.err
    assert "datalab fetches no model" in answer.err
    findings = json.loads(call(lab, "doctor", "--json").out)
    assert [one["status"] for one in findings if one["what"] == "search by meaning"] == ["wrong"]
