from __future__ import annotations

import datetime as dt

import pytest
from datalab_connectors.files import FilesConnector

from datalab.errors import NotFound, PolicyRefusal
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.policy import decide_acquisition, in_words
from datalab.ports.landing import Landing

INTENT = Intent("dpv:ScientificResearch", "try", legal_basis="eu-gdpr:A6-1-f")
STATED = {"attestation": "Our own measurements.", "attested_by": "Ada"}


def connector(tmp_path, **table):
    return FilesConnector("own", {"root": str(tmp_path / "in"), **STATED, **table}, tmp_path / "state")


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "deep/c.csv.gz", "d.parquet", ".hidden.csv"):
        (tmp_path / "in" / name).write_text(name)
    (tmp_path / "in" / "link.csv").symlink_to("/etc/passwd")


def test_a_folder_lands_file_by_file_in_order(tmp_path):
    own = connector(tmp_path)
    offer = own.offer(".")
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = own.negotiate(offer, INTENT, decision)
    found = own.fetch(agreement, offer, "csv", Landing(tmp_path / "landing"), decision, lambda *_: None)

    assert [item.id for item in offer.distributions] == ["csv", "parquet"]
    assert [(item.ordinal, item.name) for item in found] == [(0, "in/a.csv"), (1, "in/b.csv"), (2, "in/deep/c.csv.gz")]
    assert (agreement.kind, agreement.provider) == ("attestation", "Ada")
    assert "Our own measurements." in agreement.verbatim
    assert in_words(agreement.policy) == ["You may use the data."]


def test_without_an_attestation_the_answer_is_no(tmp_path):
    own = connector(tmp_path, attestation=" ")
    offer = own.offer("a.csv")
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    assert not decision.permitted
    assert "attestation" in decision.reasons[0]
    with pytest.raises(PolicyRefusal):
        own.negotiate(offer, INTENT, decision)


def test_another_attestation_is_another_agreement(tmp_path):
    assert connector(tmp_path).offer("a.csv").offer_id != connector(tmp_path, attestation="Bought.").offer("a.csv").offer_id


@pytest.mark.parametrize("name", ["nothing.csv", "a\0b", "x" * 5000])
def test_a_path_that_is_not_there(tmp_path, name):
    with pytest.raises(NotFound):
        connector(tmp_path).offer(name)


def test_search_lists_known_formats(tmp_path):
    assert [offer.dataset_id for offer in connector(tmp_path).search(Query(""))] == [
        "a.csv",
        "b.csv",
        "d.parquet",
        "deep/c.csv.gz",
    ]


def test_unknown_keys_have_a_hint(tmp_path):
    with pytest.raises(NotFound, match="atestation"):
        connector(tmp_path, atestation="x")
