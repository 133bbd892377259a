"""Reading self-descriptions and their terms: lenient about form, closed about terms, unmoved by bombs."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import hashlib
import json
import os
from pathlib import Path

import pytest
from datalab_connectors.simpl.client import NodeClient
from datalab_connectors.simpl.credential import Document, read_description
from datalab_connectors.simpl.documents import check_documents
from datalab_connectors.simpl.reading import offer_of
from datalab_connectors.simpl.terms import check_catalogue_terms, usage_policy

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.model.agreement import Intent
from datalab.model.policy import Constraint, Policy, Rule
from datalab.policy import decide_acquisition
from datalab.ports.http import Reach

REFERENCE = os.environ.get("DATALAB_REFERENCE_DATA", "")
USE = {"@type": "Set", "@id": "p", "permission": [{"action": "use"}]}
SUBJECT = {
    "@id": "did:web:x:DataOffering:1",
    "rdf:type": {"@id": "simpl:DataOffering"},
    "simpl:generalServiceProperties": {"rdf:type": {"@id": "simpl:X"}, "simpl:name": "Counts", "simpl:keywords": "a, b"},
    "simpl:dataProperties": {"simpl:format": "CSV"},
    "simpl:servicePolicy": {"simpl:usage-policy": json.dumps(USE)},
    "simpl:edcConnector": {"simpl:providerEndpointURL": "https://p.example/protocol"},
    "simpl:edcRegistration": {"simpl:assetId": "a", "simpl:contractDefinitionId": "c"},
}


def credential(**changes):
    subject = {**copy.deepcopy(SUBJECT), **changes}
    return {"type": "VerifiableCredential", "issuer": "did:web:x", "credentialSubject": subject}


def read(body):
    return read_description(json.dumps(body))


@pytest.mark.skipif(not REFERENCE, reason="DATALAB_REFERENCE_DATA is not set: the sample credentials are not here")
@pytest.mark.parametrize(
    ("name", "kind"), [("mockSDdata.json", "DataOffering"), ("mockSDInfra.json", "InfrastructureOffering")]
)
def test_the_published_samples_are_read(name, kind):
    text = (Path(REFERENCE) / "simpl" / "samples" / name).read_text()
    found = read_description(text)
    assert (found.kind, found.negotiable, found.signed, found.text) == (kind, True, True, text)
    assert {item.kind for item in found.documents} >= {"contractTemplate"}
    assert found.word("generalServiceProperties", "serviceAccessPoint").startswith("https://")
    policy = usage_policy(found, {"CONSUMER"})
    assert not policy.unknown
    assert [rule.action for rule in policy.permissions] == ["use"]
    assert json.loads(policy.verbatim)["uid"]


def test_an_offer_says_what_the_credential_says():
    text = json.dumps(credential())
    offer = offer_of("node", read_description(text), {"CONSUMER"})
    assert (offer.title, offer.offer_id, offer.keywords, offer.holder) == ("Counts", "c", ("a", "b"), "did:web:x")
    assert [(item.id, item.format, item.media_type, item.sha256) for item in offer.distributions] == [
        ("csv", "csv", "text/csv", None)
    ]
    assert offer.catalogue_record == text
    assert offer.personal_data, "nothing was said, so it is personal"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda body: body,
        lambda body: json.dumps(body),
        lambda body: [body],
        lambda body: {"type": "VerifiablePresentation", "verifiableCredential": [body]},
        lambda body: {"selfDescription": body},
        lambda body: {**body, "credentialSubject": [{"@id": "did:web:other"}, body["credentialSubject"]]},
        lambda body: json.loads(json.dumps(body).replace("simpl:", "http://w3id.org/gaia-x/simpl#")),
        lambda body: json.loads(
            json.dumps(body).replace('"rdf:type": {"@id": "simpl:DataOffering"}', '"@type": "simpl:DataOffering"')
        ),
    ],
)
def test_the_same_credential_in_many_forms(wrap):
    found = read(wrap(credential()))
    assert (found.id, found.kind, found.word("generalServiceProperties", "name")) == (SUBJECT["@id"], "DataOffering", "Counts")
    assert found.negotiable


@pytest.mark.parametrize("section", ["simpl:edcConnector", "simpl:edcRegistration"])
def test_what_no_connector_knows_cannot_be_negotiated_and_says_so(section):
    offer = offer_of("node", read(credential(**{section: {}})), ())
    assert any("not registered" in reason for reason in offer.policy.unknown)
    intent = Intent("https://w3id.org/dpv#ScientificResearch", "x", legal_basis="eu-gdpr:A6-1-e")
    assert not decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="s").permitted


def test_without_a_usage_policy_everything_is_unknown():
    assert usage_policy(read(credential(**{"simpl:servicePolicy": {}})), ()).unknown


@pytest.mark.parametrize(
    ("assignee", "attributes", "ours"),
    [
        ({"uid": "CONSUMER"}, {"CONSUMER"}, True),
        ("CONSUMER", {"CONSUMER", "RESEARCHER"}, True),
        ([{"@id": "OTHER"}, {"@id": "CONSUMER"}], {"CONSUMER"}, True),
        ({"uid": "RESEARCHER"}, {"CONSUMER"}, False),
        ({"uid": {"nested": 1}}, {"CONSUMER"}, False),
    ],
)
def test_a_rule_for_an_identity_attribute_of_ours_is_a_rule_for_us(assignee, attributes, ours):
    text = json.dumps({"@id": "p", "permission": [{"action": "use", "assignee": assignee}]})
    found = read(credential(**{"simpl:servicePolicy": {"simpl:usage-policy": text}}))
    offer = dataclasses.replace(offer_of("node", found, attributes), personal_data=False)
    intent = Intent("https://w3id.org/dpv#ScientificResearch", "x")
    decision = decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="s")
    assert decision.permitted is ours
    assert offer.policy.verbatim == text


BOMBS = {
    "deep": '{"credentialSubject":' + '{"a":' * 500 + "1" + "}" * 501,
    "deeper": "[" * 200_000,
    "wide": json.dumps({"credentialSubject": {str(number): number for number in range(60_000)}}),
    "long": '{"credentialSubject":"' + "x" * (3 << 20) + '"}',
    "text in text": json.dumps(json.dumps(json.dumps(credential()))),
    "no object": "7",
    "no subject": "{}",
    "empty subjects": '{"credentialSubject":[]}',
    "no id": '{"credentialSubject":{"simpl:x":{}}}',
    "a number as id": '{"credentialSubject":{"@id":7}}',
    "nothing": "",
    "markup": "<html>",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_and_rubbish_are_a_sentence(text):
    with pytest.raises(ProtocolError, match="self-description"):
        read_description(text)


@pytest.mark.parametrize(
    "policy", ["{", "[]", "{}", '{"permission":' * 5000, '{"permission":[],"permission":[{"action":"use"}]}']
)
def test_a_policy_that_cannot_be_read_is_no_policy(policy):
    with pytest.raises(ProtocolError):
        usage_policy(read(credential(**{"simpl:servicePolicy": {"simpl:usage-policy": policy}})), ())


@pytest.mark.parametrize(
    "sections", [{"simpl:dataProperties": {"dcat:distribution": [{"dcat:byteSize": -1, "spdx:checksum": "x"}, 7]}}]
)
def test_odd_distributions_promise_nothing(sections):
    [found] = offer_of("node", read(credential(**sections)), ()).distributions
    assert (found.bytes, found.sha256, found.file) == (None, None, "")


def document(url, data=b"terms", algorithm="SHA-256", value=""):
    return Document("contractTemplate", "Terms", url, algorithm, value or hashlib.sha256(data).hexdigest())


@pytest.fixture
def client():
    return lambda: NodeClient(Reach(frozenset({"127.0.0.1"}), loopback=True))


def test_a_linked_document_is_the_announced_one(stub, client):
    stub.says["GET", "/terms.pdf"] = b"terms"
    [found] = check_documents([document(f"{stub.url}/terms.pdf")], client)
    assert found["digest"] == hashlib.sha256(b"terms").hexdigest()
    assert "authorization" not in {name.lower() for name in stub.heard[0].headers}
    value = hashlib.sha512(b"terms").hexdigest().upper()
    assert check_documents([document(f"{stub.url}/terms.pdf", algorithm="sha512", value=value)], client)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"data": b"other terms"}, ProtocolError, "not the one that the offer announces"),
        ({"algorithm": "MD5"}, ProtocolError, "cannot be checked"),
        ({"algorithm": ""}, ProtocolError, "cannot be checked"),
        ({"url": "http://169.254.169.254/latest"}, SourceError, "cannot be had"),
        ({"url": Path("/etc/passwd").as_uri()}, SourceError, "cannot be had"),
        ({"url": "/gone"}, SourceError, "cannot be had"),
        ({"url": ""}, ProtocolError, "cannot be checked"),
    ],
)
def test_a_document_that_cannot_be_trusted_is_told(stub, client, changes, error, says):
    stub.says["GET", "/terms.pdf"] = b"terms"
    url = changes.get("url", "/terms.pdf")
    changes = {**changes, "url": f"{stub.url}{url}" if url.startswith("/") else url}
    with pytest.raises(error, match=says) as caught:
        check_documents([document(**changes)], client)
    assert caught.value.next


def test_a_connector_that_asks_for_more_than_its_description_is_refused():
    known = Policy("p", permissions=(Rule("use", (Constraint("purpose", "isA", ("x",)),)),))

    def offered(*conditions):
        return {"policy": {"policyConstraints": list(conditions)}}

    same = {"condition": "odrl:purpose", "conditionOperator": "ISA", "conditionValue": "x"}
    check_catalogue_terms(offered(same), known, "a")
    check_catalogue_terms({}, known, "a")
    check_catalogue_terms(offered("nonsense"), known, "a")
    other = {"leftOperand": "count", "operator": "lteq", "rightOperand": 5}
    with pytest.raises(PolicyRefusal, match="count lteq 5"):
        check_catalogue_terms(offered(same, other), known, "a")
