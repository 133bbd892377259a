"""Consumer and provider over real HTTP, in one process, with every message on record."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from pathlib import Path

import httpx
import pytest
from datalab_connectors.dsp.messages import CONTEXT, message
from datalab_connectors.sandbox import SandboxConnector

from datalab.errors import NotFound, PolicyRefusal, ProtocolError, SourceError
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing

RESEARCH = Intent("dpv:ScientificResearch", "counting", territory="LU")
NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
REFERENCE = os.environ.get("DATALAB_REFERENCE_DATA", "")


@pytest.fixture
def connector(provider, tmp_path):
    return SandboxConnector("space", {"url": provider.url, "patience": 5}, tmp_path / "consumer")


def permit(offer, intent=RESEARCH):
    return decide_acquisition(offer, intent, moment=NOW, actor="steward")


def nothing(*_):
    pass


def test_an_offer_says_what_the_catalogue_says(provider, connector):
    offer = connector.offer("bicycles")
    assert (offer.title, offer.holder, offer.languages) == ("Vélos in Luxembourg", "Ville de Luxembourg", ("fr", "de"))
    assert offer.columns == (("hour", "Hour of the day"),)
    assert not offer.policy.unknown
    assert "credentialSubject" in json.loads(offer.catalogue_record)["selfDescription"]


def test_search_goes_through_all_pages(provider, connector):
    shelf = provider.shelf
    for number in range(45):
        shelf[f"more-{number}"] = dataclasses.replace(shelf["bicycles"], id=f"more-{number}")
    assert [offer.dataset_id for offer in connector.search(Query("vélos bicycle", limit=50))][:1] == ["bicycles"]
    assert len(list(connector._hits("square"))) == 46
    assert len(list(connector._catalogue())) == 46
    assert len(list(connector.search(Query(limit=2)))) == 2
    assert not list(connector.search(Query("submarine")))


def test_an_unknown_dataset_has_a_hint(connector):
    with pytest.raises(NotFound, match="bicycels") as caught:
        connector.offer("bicycels")
    assert "bicycles" in str(caught.value)


def test_the_whole_way_and_every_message_fits_the_official_schemas(provider, connector, tmp_path):
    provider.post.start()
    offer = connector.offer("bicycles")
    decision = permit(offer)
    landing = Landing(tmp_path / "landing")
    agreement = connector.negotiate(offer, RESEARCH, decision)
    [found] = connector.fetch(agreement, offer, "bicycles-csv", landing, decision, nothing)

    assert found.path.read_text().startswith("hour,count\n")
    assert (found.name, found.dataset) == (offer.distributions[0].file, offer.dataset)
    assert found.name.endswith(".csv"), "a file's name, not the distribution's id"
    assert json.loads(agreement.verbatim)["agreement"]["@id"] == agreement.id
    kept = json.loads(next((tmp_path / "consumer" / "agreements").glob("*.json")).read_text())
    assert kept["policy_sha256"] == agreement.policy.sha256
    said = [body for _, body in provider.recorder.messages]
    assert [body["@type"] for body in said if body["@type"].startswith(("Contract", "Transfer"))] == [
        "ContractRequestMessage",
        "ContractNegotiation",
        "ContractAgreementMessage",
        "ContractAgreementVerificationMessage",
        "ContractNegotiationEventMessage",
        "TransferRequestMessage",
        "TransferProcess",
        "TransferStartMessage",
        "TransferCompletionMessage",
    ]
    if REFERENCE:
        validators = official()
        for body in said:
            assert validators[body["@type"].lower()].is_valid(body), body["@type"]


def official():
    import jsonschema_rs

    schemas = {}
    for path in (Path(REFERENCE) / "dsp-2025-1").glob("*/*-schema.json"):
        text = path.read_text().replace(".json#definitions/", ".json#/definitions/")
        schemas[path.stem.removesuffix("-schema").replace("-", "")] = json.loads(text)
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas.values()])
    return {name: jsonschema_rs.Draft201909Validator(schema, registry=registry) for name, schema in schemas.items()}


def test_a_token_dies_with_its_transfer(provider, connector, tmp_path):
    provider.post.start()
    offer = connector.offer("bicycles")
    agreement = connector.negotiate(offer, RESEARCH, permit(offer))
    connector.fetch(agreement, offer, "", Landing(tmp_path / "landing"), permit(offer), nothing)
    [start] = [body for _, body in provider.recorder.messages if body["@type"] == "TransferStartMessage"]
    address = start["dataAddress"]
    token = address["endpointProperties"][0]["value"]
    answer = httpx.get(f"{address['endpoint']}/bicycles-csv", headers={"authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 403
    files = [path for path in (tmp_path / "consumer").iterdir() if path.is_file()]
    assert token.encode() not in b"".join(path.read_bytes() for path in files if path.suffix == ".json")


def test_an_expired_token_is_replaced_once_and_then_an_error(provider, connector, tmp_path, monkeypatch):
    monkeypatch.setattr(dt, "timedelta", lambda seconds=0, **more: _delta(seconds=-1 if seconds == 60.0 else seconds, **more))
    provider.post.start()
    offer = connector.offer("bicycles")
    agreement = connector.negotiate(offer, RESEARCH, permit(offer))
    with pytest.raises(SourceError, match="403"):
        connector.fetch(agreement, offer, "", Landing(tmp_path / "landing"), permit(offer), nothing)
    assert sum(body["@type"] == "TransferRequestMessage" for _, body in provider.recorder.messages) == 2


_delta = dt.timedelta


def test_an_unfinished_negotiation_goes_on(provider, tmp_path):
    hasty = SandboxConnector("space", {"url": provider.url, "patience": 1}, tmp_path / "consumer")
    offer = hasty.offer("bicycles")
    with pytest.raises(SourceError, match="in time"):
        hasty.negotiate(offer, RESEARCH, permit(offer))
    provider.post.start()
    patient = SandboxConnector("space", {"url": provider.url, "patience": 5}, tmp_path / "consumer")
    agreement = patient.negotiate(offer, RESEARCH, permit(offer))
    again = patient.negotiate(offer, RESEARCH, permit(offer))
    assert agreement == again
    finals = [body for who, body in provider.recorder.messages if body.get("eventType") == "FINALIZED" and who == "sent"]
    assert len(finals) >= 1
    assert sum(who == "sent" and body["@type"] == "ContractAgreementMessage" for who, body in provider.recorder.messages) >= 1
    assert len(provider.store.about("negotiation", agreement.id)) == 1


def test_other_terms_than_those_decided_on_end_the_negotiation(provider, connector):
    offer = connector.offer("bicycles")
    original = provider.shelf["bicycles"]
    provider.shelf["bicycles"] = dataclasses.replace(original, policy={"permission": [{"action": "use"}]})
    provider.post.start()
    with pytest.raises(ProtocolError, match="other terms"):
        connector.negotiate(offer, RESEARCH, permit(offer))
    kinds = [body["@type"] for _, body in provider.recorder.messages]
    assert "ContractOfferMessage" in kinds
    assert "ContractNegotiationTerminationMessage" in kinds


def test_a_provider_that_reads_the_claims_refuses_too(provider, connector):
    """The lab's own decision is forged here: the provider measures the declared intent itself."""
    provider.post.start()
    offer = connector.offer("bicycles")
    marketing = Intent("dpv:Marketing", "selling")
    with pytest.raises(PolicyRefusal, match="purpose isA"):
        connector.negotiate(offer, marketing, permit(offer, marketing))
    forged = dataclasses.replace(permit(offer, marketing), permitted=True)
    with pytest.raises(PolicyRefusal, match="the provider refused"):
        connector.negotiate(offer, marketing, forged)


def ask(provider, method, path, body=None, **headers):
    return httpx.request(method, f"{provider.url}/2025-1{path}", json=body, headers=headers, trust_env=False)


def request_message(**changes):
    offer = {"@id": "?", "@type": "Offer", "target": "bicycles", "permission": [{"action": "use"}]} | changes.pop("offer", {})
    return message(
        "ContractRequestMessage",
        **{"consumerPid": "urn:c", "callbackAddress": "http://127.0.0.1:9/cb", "offer": offer} | changes,
    )


def test_illegal_moves_are_400_and_unknown_things_404_each_with_an_error_body(provider):
    offer_id = provider.shelf["bicycles"].offer_id
    assert ask(provider, "GET", "/negotiations/none").status_code == 404
    assert ask(provider, "POST", "/negotiations/request", request_message()).status_code == 404
    created = ask(provider, "POST", "/negotiations/request", request_message(offer={"@id": offer_id}))
    assert created.status_code == 201
    pids = {"providerPid": created.json()["providerPid"], "consumerPid": "urn:c"}
    path = f"/negotiations/{pids['providerPid']}"

    again = ask(provider, "POST", "/negotiations/request", request_message(offer={"@id": offer_id}))
    assert again.json()["providerPid"] == pids["providerPid"]
    early = ask(provider, "POST", f"{path}/agreement/verification", message("ContractAgreementVerificationMessage", **pids))
    assert (early.status_code, early.json()["@type"]) == (400, "ContractNegotiationError")
    assert early.json()["providerPid"] == pids["providerPid"]
    other = message("ContractAgreementVerificationMessage", **pids | {"consumerPid": "urn:x"})
    assert ask(provider, "POST", f"{path}/agreement/verification", other).status_code == 400
    assert ask(provider, "GET", path, authorization="Bearer eyJwYXJ0aWNpcGFudCI6ICJ4In0=").status_code == 404
    ended = ask(provider, "POST", f"{path}/termination", message("ContractNegotiationTerminationMessage", **pids))
    assert ended.status_code == 200
    assert ask(provider, "GET", path).json()["state"] == "TERMINATED"
    transfer = message(
        "TransferRequestMessage",
        consumerPid="urn:t",
        agreementId="?",
        format="HttpData-PULL",
        callbackAddress="http://127.0.0.1:9/",
    )
    unknown = ask(provider, "POST", "/transfers/request", transfer)
    assert (unknown.status_code, unknown.json()["@type"]) == (404, "TransferError")


@pytest.mark.parametrize(
    "callback",
    ["http://169.254.169.254/", "http://10.0.0.1/x", Path("/etc/passwd").as_uri(), "http://evil.example/", "ftp://127.0.0.1/"],
)
def test_callbacks_stay_on_this_machine(provider, callback):
    body = request_message(offer={"@id": provider.shelf["bicycles"].offer_id}, callbackAddress=callback)
    assert ask(provider, "POST", "/negotiations/request", body).status_code == 400


@pytest.mark.parametrize("body", [None, [], {}, {"@context": [CONTEXT], "@type": "ContractRequestMessage"}, "x" * 2_000_000])
def test_hostile_bodies_are_400(provider, body):
    for path in ("/negotiations/request", "/transfers/request", "/catalog/request"):
        assert ask(provider, "POST", path, body).status_code == 400


def test_the_facade_answers_as_simpl_does(provider):
    def search(query):
        return httpx.get(f"{provider.url}/v1/selfDescriptions?{query}", trust_env=False)

    body = search("q=vélos,bicycle&page=1&pageSize=5").json()
    assert body["totalCount"] == 1
    assert body["items"][0]["n"]["claimsGraphUri"] == ["did:web:registry.sandbox.datalab.example:DataOffering:bicycles"]
    assert search("q=bicycle&page=2").json() == {"totalCount": 1, "items": []}
    for wrong in ("", "q=", "q=a&page=0", "q=a&pageSize=1000000", "q=a&page=x"):
        assert search(wrong).status_code == 400
        assert search(wrong).headers["content-type"] == "application/problem+json"
    described = httpx.get(
        f"{provider.url}/v1/selfDescriptions/did:web:registry.sandbox.datalab.example:DataOffering:bicycles", trust_env=False
    ).json()
    assert "proof" not in described
    assert "not signed" in described["description"]
