"""The S3 connector against a real S3 server."""

from __future__ import annotations

import datetime as dt
import os

import pytest
from datalab_connectors.s3 import S3Connector

from datalab.errors import NotFound, PolicyRefusal, SettingsError, SourceError
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing
from datalab.ports.objectput import put_verified

INTENT = Intent("dpv:ScientificResearch", "try", legal_basis="eu-gdpr:A6-1-f", territory="LU")
STATED = {"attestation": "Our own measurements.", "attested_by": "Ada"}
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired</Message></Error>"


@pytest.fixture
def stored(s3server, tmp_path):
    """Put files below a prefix of the test's own; the prefix."""

    def storing(**contents):
        with s3server.store() as store:
            for name, content in contents.items():
                file = tmp_path / "up"
                file.write_text(content)
                put_verified(store, file, "sources", f"{tmp_path.name}/{name.replace('__', '/').replace('_', '.')}")
        return tmp_path.name

    s3server.bucket("sources")
    return storing


def acquired(connector, dataset, tmp_path, distribution=""):
    offer = connector.offer(dataset)
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = connector.negotiate(offer, INTENT, decision)
    found = connector.fetch(agreement, offer, distribution, Landing(tmp_path / "landing"), decision, lambda *_: None)
    return agreement, found


@pytest.mark.server
def test_a_prefix_lands_object_by_object_in_order(s3server, stored, tmp_path):
    prefix = stored(b_csv="b", a_csv="a", deep__c_csv="c", d_parquet="d")
    own = S3Connector("own", {**s3server.table("sources"), "prefix": prefix, **STATED}, tmp_path)
    agreement, found = acquired(own, "", tmp_path, "csv")

    assert [(item.ordinal, item.name) for item in found] == [(0, "a.csv"), (1, "b.csv"), (2, "deep/c.csv")]
    assert [item.path.read_text() for item in found] == ["a", "b", "c"]
    assert (agreement.kind, agreement.provider) == ("attestation", "Ada")
    assert [item.id for item in own.offer("").distributions] == ["csv", "parquet"]
    assert [offer.dataset_id for offer in own.search(Query("", limit=3))] == ["a.csv", "b.csv", "d.parquet"]
    assert [item.name for item in acquired(own, "deep", tmp_path)[1]] == ["deep/c.csv"]


@pytest.mark.server
def test_a_prefix_is_a_folder_and_no_beginning_of_a_name(s3server, stored, tmp_path):
    prefix = stored(deep__c_csv="c", deeper__d_csv="d")
    own = S3Connector("own", {**s3server.table("sources"), "prefix": prefix, **STATED}, tmp_path)
    assert own.offer("deep").distributions[0].bytes == 1
    with pytest.raises(NotFound, match="dee"):
        own.offer("dee")
    with pytest.raises(NotFound):
        own.offer("../other")


@pytest.mark.server
def test_terms_may_stand_beside_the_data(s3server, stored, tmp_path):
    prefix = stored(open__a_csv="a", open__policy_json='{"permission": [{"action": "use"}]}', bare__b_csv="b")
    own = S3Connector("own", {**s3server.table("sources"), "prefix": prefix, "policy": "policy.json"}, tmp_path)
    agreement, found = acquired(own, "open", tmp_path)
    assert (agreement.kind, [item.name for item in found]) == ("licence", ["open/a.csv"])
    assert acquired(own, "open/a.csv", tmp_path)[1][0].name == "open/a.csv"
    with pytest.raises(PolicyRefusal, match=r"policy\.json"):
        acquired(own, "bare", tmp_path)


@pytest.mark.server
def test_a_token_that_runs_out_is_read_anew(s3server, wire, stored, tmp_path, monkeypatch, leaks):
    prefix = stored(a_csv="a")
    monkeypatch.setenv("S3_TEST_TOKEN", "old-session-token-1")
    leaks.watch("old-session-token-1", "a session token")
    refused = []

    def judge(head):
        if b"old-session-token-1" in head:
            refused.append(head)
            monkeypatch.setenv("S3_TEST_TOKEN", "new-session-token-2")
            return b"HTTP/1.1 400 Bad Request\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(EXPIRED), EXPIRED)
        return None

    wire.answer = judge
    table = {**s3server.table("sources", wire.url), "prefix": prefix, "session_token": "env:S3_TEST_TOKEN", **STATED}
    own = S3Connector("own", table, tmp_path)
    with pytest.raises(SourceError):  # this server knows no tokens: it refuses the new one in its own way
        own.offer("a.csv")
    assert refused
    assert any(b"new-session-token-2" in head for head in wire.heads)


@pytest.mark.server
def test_an_object_that_changed_since_it_was_offered_does_not_land(s3server, stored, tmp_path):
    prefix = stored(in__a_csv="a", in__b_csv="b")
    own = S3Connector("own", {**s3server.table("sources"), "prefix": prefix, **STATED}, tmp_path)
    offer = own.offer("in")
    decision = decide_acquisition(offer, INTENT, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = own.negotiate(offer, INTENT, decision)
    stored(in__b_csv="other")
    with pytest.raises(SourceError, match="differ"):
        own.fetch(agreement, offer, "csv", Landing(tmp_path / "landing"), decision, lambda *_: None)


@pytest.mark.server
def test_a_large_bucket_is_bounded(s3server, stored, tmp_path):
    prefix = stored(a_csv="a", b_csv="b", c_csv="c")
    own = S3Connector("own", {**s3server.table("sources"), "prefix": prefix, "max_objects": 2, **STATED}, tmp_path)
    with pytest.raises(SettingsError, match="more than 2 objects"):
        own.offer("")
    assert own.offer("c.csv").title == "c.csv"


@pytest.mark.server
@pytest.mark.parametrize("name", ["two\nlines.csv", "tab\tbed.csv", "sp ace+plus.csv", "ümlaut.csv"])
def test_strange_keys_land_and_are_shown_on_one_line(s3server, tmp_path, name):
    s3server.bucket("sources")
    (tmp_path / "up").write_text("a")
    with s3server.store() as store:
        put_verified(store, tmp_path / "up", "sources", f"odd{os.getpid()}/{name}")
    own = S3Connector("own", {**s3server.table("sources"), "prefix": f"odd{os.getpid()}", **STATED}, tmp_path)
    _, [found] = acquired(own, name, tmp_path)
    assert found.path.read_text() == "a"
    assert found.name.isprintable()
    assert own.offer(name).title.isprintable()


@pytest.mark.parametrize(
    ("table", "error", "said"),
    [
        ({}, SettingsError, "one bucket"),
        ({"bucket": "a/b"}, SettingsError, "one bucket"),
        ({"bucket": "a", "prefx": "x"}, NotFound, "prefx"),
        ({"bucket": "a", "anonymous": "yes"}, SettingsError, "true or false"),
        ({"bucket": "a", "max_bytes": 0}, SettingsError, "whole number"),
        ({"bucket": "a", "etags": "sha1"}, NotFound, "sha1"),
        ({"bucket": "a"}, SettingsError, "no keys"),
        (
            {"bucket": "a", "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMIK7MDENG"},
            SettingsError,
            "reference",
        ),
        ({"bucket": "a", "access_key": "env:NOT_SET_AT_ALL", "secret_key": "env:X"}, SettingsError, "NOT_SET_AT_ALL"),
        ({"bucket": "a", "anonymous": True, "endpoint": "http://example.org"}, SettingsError, "TLS"),
        ({"bucket": "a", "anonymous": True, "endpoint": "https://169.254.169.254"}, SourceError, "out of reach"),
    ],
)
def test_a_table_with_a_fault_is_told_where(tmp_path, table, error, said):
    with pytest.raises(error, match=said) as caught:
        S3Connector("own", {**table, **STATED}, tmp_path).offer("x")
    assert "wJalr" not in str(caught.value)
    assert "AKIA" not in str(caught.value)
