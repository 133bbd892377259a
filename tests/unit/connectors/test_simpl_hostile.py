"""A node, or somebody before it, that wants harm: each time one sentence, no secret told, nothing beyond its reach asked."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from datalab_connectors.sandbox.catalogue import PREFIX
from datalab_connectors.simpl.catalogue import Catalogue, asked, hit_id

from datalab.errors import NotFound, ProtocolError, SourceError, UsageError
from datalab.model.offer import Query
from tests.unit.connectors.simpl_space import BICYCLES, Stub
from tests.unit.connectors.test_simpl_credential import credential

SEARCH = "/xfsc-advsearch-be/v1/selfDescriptions"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LWNsYWltcw.c2lnbmF0dXJl"


@pytest.fixture
def node(stub, tmp_path, monkeypatch):
    """A connector that is logged in at the stub."""
    monkeypatch.setenv("SECRET", "client-secret-0123456789")
    stub.says["POST", "/realm/protocol/openid-connect/token"] = {"access_token": TOKEN, "expires_in": 300}

    def make(**more):
        return stub.connector(tmp_path, issuer=f"{stub.url}/realm", client_secret_env="SECRET", **more)

    return make


def hit(number, kind="data"):
    return {"n": {"claimsGraphUri": [f"{PREFIX}{number}"], "offeringType": kind, "name": "x"}}


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", Path("/etc/passwd").as_uri(), "http://u:p@127.0.0.1/"],
)
def test_a_redirect_to_where_nobody_should_go_is_not_followed(stub, node, target):
    stub.says["GET", SEARCH] = lambda handler: handler.answer(302, b"", location=target)
    with pytest.raises(SourceError) as caught:
        list(node().search(Query("x")))
    assert caught.value.what
    assert TOKEN not in str(caught.value)


def test_a_redirect_to_another_host_goes_without_the_token(stub, node):
    with Stub() as other:
        other.says["GET", "*"] = {"totalCount": 0, "items": []}
        stub.says["GET", SEARCH] = lambda handler: handler.answer(302, b"", location=f"{other.url}/catch")
        assert not list(node().search(Query("x")))
        assert "authorization" in {name.lower() for name in stub.heard[-1].headers}
        assert [name for kept in other.heard for name in kept.headers if name.lower() == "authorization"] == []


def test_a_login_is_not_sent_on_to_another_address(stub, node):
    stub.says["POST", "/realm/protocol/openid-connect/token"] = lambda handler: handler.answer(
        307, b"", location="http://127.0.0.1:9/steal"
    )
    with pytest.raises(ProtocolError, match="redirect"):
        node().offer(BICYCLES)


def test_an_endless_answer_is_cut_off(stub, node):
    def pour(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b" " * (1 << 20))
        except OSError:
            handler.close_connection = True

    stub.says["GET", SEARCH] = pour
    with pytest.raises(ProtocolError, match="longer than"):
        list(node().search(Query("x")))


@pytest.mark.parametrize(
    "answer",
    [b"<html>login</html>", b"\xff\xfe", b"NaN", b"[" * 100_000, b"null", b"[]", b'{"items": 7}', b'{"items": null}'],
    ids=repr,
)
def test_an_answer_that_is_no_search_result(stub, node, answer):
    stub.says["GET", SEARCH] = answer
    with pytest.raises(ProtocolError):
        list(node().search(Query("x")))


def test_a_problem_is_told_in_its_own_words_and_without_our_token(stub, node):
    problem = {
        "type": "urn:problem-type:simpl:validationError",
        "title": "Invalid payload",
        "detail": f"Authorization: Bearer {TOKEN} lacks a role\n\tsee log",
        "issues": [{"detail": "Field 'q' must not be empty"}, 7],
    }
    stub.says["GET", SEARCH] = (400, problem)
    with pytest.raises(SourceError) as caught:
        list(node().search(Query("x")))
    said = str(caught.value)
    assert said.startswith("the node answered 400: Invalid payload: Authorization: ")
    assert "Field 'q' must not be empty" in said
    assert "(urn:problem-type:simpl:validationError)" in said
    assert TOKEN not in said
    assert "\t" not in said


@pytest.mark.parametrize(("status", "next"), [(401, "datalab login node"), (403, "role"), (500, "operator"), (418, "")])
def test_a_refusal_says_what_to_do(stub, node, status, next):
    stub.says["GET", SEARCH] = (status, {"title": "No", "detail": "no", "type": 7})
    with pytest.raises(SourceError, match=f"answered {status}") as caught:
        list(node().search(Query("x")))
    assert next in caught.value.next


def test_a_refused_token_is_replaced_once(stub, node):
    stub.says["GET", SEARCH] = (401, {"title": "Unauthorized"})
    with pytest.raises(SourceError):
        list(node().search(Query("x")))
    assert len([kept for kept in stub.heard if kept.path == SEARCH]) == 2


def test_a_catalogue_without_end_is_read_as_far_as_asked(stub, node):
    numbers = itertools.count()
    stub.says["GET", SEARCH] = lambda _: {"totalCount": 10**18, "items": [hit(next(numbers)) for _ in range(20)]}
    found = Catalogue(node().node, "v1").hits("x")
    assert len(list(itertools.islice(found, 45))) == 45
    assert len([kept for kept in stub.heard if kept.path == SEARCH]) == 3


def test_a_catalogue_that_repeats_itself_ends(stub, node):
    stub.says["GET", SEARCH] = {"totalCount": 10**18, "items": [hit(number) for number in range(20)]}
    assert len(list(Catalogue(node().node, "v1").hits("x"))) == 20


def test_one_broken_description_does_not_hide_the_others(stub, node, caplog):
    stub.says["GET", SEARCH] = {
        "totalCount": 4,
        "items": [hit("bicycles"), hit("bomb"), hit("gone"), hit("i", "infrastructure"), 7],
    }
    good = credential()
    good["credentialSubject"]["@id"] = BICYCLES
    stub.describes(good)
    stub.describes(b'{"credentialSubject":' + b'{"a":' * 300 + b"1" + b"}" * 301, f"{PREFIX}bomb")
    assert [offer.title for offer in node().search(Query("x"))] == ["Counts"]
    assert "nested" in caplog.text


def test_a_description_of_something_else_is_refused(stub, node):
    stub.describes(credential())
    with pytest.raises(ProtocolError, match="another self-description"):
        node().offer(BICYCLES)
    with pytest.raises(NotFound):
        node().offer("did:web:nobody/../../x?y#z")
    assert stub.heard[-1].path.endswith("did%3Aweb%3Anobody%2F..%2F..%2Fx%3Fy%23z")


DIALECTS = {
    "v1": {("GET", SEARCH): {"totalCount": 1, "items": [hit(1)]}},
    "v2": {("GET", SEARCH.replace("v1", "v2")): {"items": [{"0": {"claimsGraphUri": f"{PREFIX}1"}}]}},
    "mapper": {
        ("GET", SEARCH): lambda handler: {"items": [hit(1)]} if "searchString" in handler.path else (400, {"title": "Invalid"})
    },
    "self-descriptions": {
        ("GET", "/fc-service/self-descriptions"): {"items": [{"meta": {"id": f"{PREFIX}1"}, "content": "a word"}]}
    },
    "assets": {
        ("GET", "/fc-service/assets"): {"items": [{"meta": {"id": f"{PREFIX}1"}, "content": {"a": "Word"}}, {"meta": 7}, 7]}
    },
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_dialect_of_a_catalogue_is_found_out_once(stub, tmp_path, dialect):
    stub.says |= DIALECTS[dialect]
    catalogue = Catalogue(stub.connector(tmp_path).node)
    assert list(catalogue.hits("word")) == [f"{PREFIX}1"]
    probes = len(stub.heard)
    assert list(catalogue.hits("word")) == [f"{PREFIX}1"]
    assert len(stub.heard) == probes + 1
    with pytest.raises(NotFound):
        catalogue.describe("did:web:x:y")
    where = {"self-descriptions": "/fc-service/self-descriptions/", "assets": "/fc-service/assets/"}.get(
        dialect, "/selfDescriptions/"
    )
    assert where in stub.heard[-1].path


def test_no_catalogue_at_all(stub, tmp_path):
    with pytest.raises(SourceError, match="no catalogue answers") as caught:
        list(stub.connector(tmp_path, dialect="").search(Query("x")))
    assert "search_path" in caught.value.next


def test_conditions_become_the_advanced_search(stub, node):
    stub.says["POST", f"{SEARCH}/advanced"] = {"totalCount": 0, "items": []}
    assert not list(
        node().search(Query("OfferingPrice.price>=15 offeringPrice.price<150 simpl:DataProperties.format=csv traffic flow"))
    )
    assert json.loads(stub.heard[-1].body) == {
        "simpl:OfferingPrice": {
            "@type": "simpl:OfferingPrice",
            "price": {"op1": ">=", "value1": 15, "op2": "<", "value2": 150},
        },
        "simpl:DataProperties": {"@type": "simpl:DataProperties", "format": "csv"},
        "simpl:GeneralServiceProperties": {
            "@type": "simpl:GeneralServiceProperties", "name": "traffic flow", "offeringType": "data",
        },
    }  # fmt: skip
    for wrong in ("OfferingPrice.price>=cheap", "Ab.cd>1 Ab.cd>2 Ab.cd>3", "Ab.cd=x Ab.cd>1"):
        with pytest.raises(UsageError):
            asked(wrong)


@pytest.mark.parametrize(
    "item", [None, 7, [], {}, {"n": 7}, {"n": {"claimsGraphUri": []}}, {"n": {"claimsGraphUri": [["x"]]}}], ids=repr
)
def test_a_hit_that_is_none(item):
    assert hit_id(item) == ""


def test_a_gateway_that_routes_elsewhere(stub, tmp_path):
    stub.says["GET", "/s/v1/selfDescriptions"] = {"items": [hit(1)]}
    connector = stub.connector(tmp_path, search_path="/s/", contracts_path=f"{stub.url}/elsewhere")
    assert list(Catalogue(connector.node, "v1").hits("x")) == [f"{PREFIX}1"]
    assert connector.node.contracts("/v1/contracts") == f"{stub.url}/elsewhere/v1/contracts"
