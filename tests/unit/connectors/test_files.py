from __future__ import annotations

import datetime as dt
import os

import pytest
from datalab_connectors.files import FilesConnector

from datalab.errors import NotFound, PolicyRefusal, ReadError, SettingsError
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


def test_links_and_paths_out_of_the_root_lead_nowhere(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n")
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    (tmp_path / "in" / "inside.csv").symlink_to(tmp_path / "in" / "a.csv")
    for name in ("../secret.csv", "out/secret.csv", "link.csv", str(tmp_path / "secret.csv"), "deep/../../secret.csv"):
        with pytest.raises(NotFound):
            connector(tmp_path).offer(name)
    assert not any("secret" in offer.dataset_id for offer in connector(tmp_path).search(Query("")))
    assert connector(tmp_path).offer("inside.csv").distributions[0].bytes == len("a.csv")
    assert connector(tmp_path, outside=True).offer(str(tmp_path / "secret.csv")).title == "secret.csv"


def test_pipes_sockets_and_devices_are_no_files(tmp_path, monkeypatch):
    import socket

    os.mkfifo(tmp_path / "in" / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the path of a socket is short
        listener.bind("in/socket.csv")
    assert {offer.dataset_id for offer in connector(tmp_path).search(Query("csv"))} == {"a.csv", "b.csv", "deep/c.csv.gz"}
    with pytest.raises(NotFound):
        connector(tmp_path).offer("pipe.csv")


def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path):

    own = connector(tmp_path)
    offer = own.offer(".")
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = own.negotiate(offer, INTENT, decision)
    from datalab_connectors.files.connector import _land

    (tmp_path / "in" / "a.csv").unlink()
    os.mkfifo(tmp_path / "in" / "a.csv")
    with pytest.raises(ReadError, match="no regular file"):
        _land(tmp_path / "in" / "a.csv", Landing(tmp_path / "landing"), None, lambda *_: None)
    found = own.fetch(agreement, offer, "csv", Landing(tmp_path / "landing"), decision, lambda *_: None)
    assert [item.name for item in found] == ["in/b.csv", "in/deep/c.csv.gz"]


@pytest.mark.parametrize(
    "name", ["two\nlines.csv", "\x1b[31mred.csv", "  .csv", "a'b\"c.csv", os.fsdecode(b"not\xff\xfeutf8.csv")]
)
def test_strange_names_land_and_are_shown_on_one_line(tmp_path, name):
    (tmp_path / "in" / "odd").mkdir()
    (tmp_path / "in" / "odd" / name).write_text("a\n1\n")
    own = connector(tmp_path)
    offer = own.offer("odd")
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = own.negotiate(offer, INTENT, decision)
    [found] = own.fetch(agreement, offer, "csv", Landing(tmp_path / "landing"), decision, lambda *_: None)

    assert found.path.read_text() == "a\n1\n"
    assert found.name.isprintable()
    assert offer.catalogue_record.encode()
    with pytest.raises(NotFound) as caught:
        own.offer("odd/nothing.csv")
    assert all(line.isprintable() for line in str(caught.value).splitlines())


def test_a_huge_folder_is_bounded(tmp_path):
    for number in range(30):
        (tmp_path / "in" / "deep" / f"{number}.csv").write_text("")
    with pytest.raises(SettingsError, match="more than 20 files"):
        connector(tmp_path, max_files=20).offer("deep")
    with pytest.raises(NotFound):
        connector(tmp_path, max_files=20).offer("nothing")
    assert connector(tmp_path, max_files=31).offer("deep").description.endswith("31")


def test_terms_may_stand_beside_the_data(tmp_path):
    own = connector(tmp_path, policy="terms.json", attestation="")
    offer = own.offer("deep")
    refused = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    assert not refused.permitted
    assert "terms.json" in refused.reasons[0]

    (tmp_path / "in" / "deep" / "terms.json").write_text('{"permission": [{"action": "use"}]}')
    offer = own.offer("deep")
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = own.negotiate(offer, INTENT, decision)
    found = own.fetch(agreement, offer, "", Landing(tmp_path / "landing"), decision, lambda *_: None)
    assert agreement.kind == "licence"
    assert [item.name for item in found] == ["deep/c.csv.gz"]
