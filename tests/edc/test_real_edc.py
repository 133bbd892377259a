"""Against real EDC connectors (0.14.0, control plane and data plane): every protocol they speak, by pull and by push."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
from datalab_connectors.edc import EdcConnector
from datalab_connectors.edc.protocols import PROTOCOLS
from datalab_connectors.records import Records
from datalab_connectors.sandbox import start, stop

from datalab.errors import NotFound, PolicyRefusal, SourceError
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.policy import acquire_subject, decide_acquisition
from datalab.ports.landing import Landing
from tests.conformance.connectors.faulty import site
from tests.edc.running import KEY, cannot, running

pytestmark = [pytest.mark.java, pytest.mark.slow]
RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", legal_basis="eu-gdpr:A6-1-e", territory="LU")
DATA = b"hour,count\n" + b"12,34567\n" * 300_000
TERMS = {
    "permission": [{"action": "use"}],
    "prohibition": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:CommercialPurpose"}],
        }
    ],
}


PARTICIPANT = "did:web:sandbox.datalab.example"
OURS = """
id = "counts"
title = "Bicycle counts"
description = "One square, one day"
holder = "Ville de Luxembourg"
licence = "CC0-1.0"
personal_data = true

[[distribution]]
id = "csv"
file = "counts.csv"
format = "csv"
media_type = "text/csv"
"""
PURPOSE = {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": ["dpv:ScientificResearch"]}
RICHER = {
    "permission": [{"action": "use", "constraint": [PURPOSE]}, {"action": "distribute"}],
    "prohibition": TERMS["prohibition"],
    "obligation": [{"action": "anonymize"}],
}


class Source(http.server.BaseHTTPRequestHandler):
    """Where the provider has its data."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """A provider with one dataset on offer, and the connector of a consumer."""
    if reason := cannot():
        pytest.skip(reason)
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source) as source,
        running(tmp_path_factory.mktemp("edc"), "provider", "consumer") as (provider, consumer),
    ):
        thread = threading.Thread(target=source.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        offer(provider, "counts", f"http://127.0.0.1:{source.server_address[1]}/counts.csv")
        yield provider, consumer
        source.shutdown()
        thread.join()


def offer(provider, name, url):
    known = {"name": "Bicycle counts", "contenttype": "text/csv", "personalData": False}
    known |= {"byteSize": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest(), "fileName": "counts.csv"}
    provider.call("POST", "/v3/assets", {"@id": name, "properties": known, "dataAddress": {"type": "HttpData", "baseUrl": url}})
    policy = {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", **TERMS}
    provider.call("POST", "/v3/policydefinitions", {"@id": name, "policy": policy})
    picked = [{"operandLeft": "https://w3id.org/edc/v0.0.1/ns/id", "operator": "=", "operandRight": name}]
    provider.call(
        "POST",
        "/v3/contractdefinitions",
        {"@id": name, "accessPolicyId": name, "contractPolicyId": name, "assetsSelector": picked},
    )


@pytest.fixture
def connect(space, tmp_path, monkeypatch):
    provider, consumer = space
    monkeypatch.setenv("EDC_KEY", KEY)
    table = {"url": consumer.management, "api_key": "env:EDC_KEY", "provider": provider.protocol, "provider_id": "provider"}
    return lambda **more: EdcConnector("space", {**table, "patience": 30, **more}, tmp_path / "state")


def permit(found, intent=RESEARCH):
    return decide_acquisition(found, intent, moment=dt.datetime.now(dt.UTC), actor="steward")


@pytest.mark.parametrize("transport", ["pull", "push"])
@pytest.mark.parametrize("protocol", [*PROTOCOLS, ""])
def test_the_whole_way(connect, tmp_path, protocol, transport):
    connector = connect(protocol=protocol, transport=transport)
    [found] = connector.search(Query("bicycle"))
    assert found == connector.offer("counts")
    assert found.distributions[0].sha256 == hashlib.sha256(DATA).hexdigest()
    agreement = connector.negotiate(found, RESEARCH, permit(found))
    assert connector.negotiate(found, RESEARCH, permit(found)) == agreement
    assert (agreement.provider, agreement.consumer) == ("provider", "consumer")
    [landed] = connector.fetch(
        agreement, found, "csv", Landing(tmp_path / "landing"), permit(found), lambda what, done, total: None
    )
    assert landed.path.read_bytes() == DATA


def test_a_pull_leaves_no_token_behind(connect, space, tmp_path):
    connector = connect(transport="pull")
    found = connector.offer("counts")
    agreement = connector.negotiate(found, RESEARCH, permit(found))
    connector.fetch(agreement, found, "", Landing(tmp_path / "landing"), permit(found), lambda what, done, total: None)
    picked = [{"operandLeft": "contractId", "operator": "=", "operandRight": agreement.id}]
    [transfer] = space[1].call("POST", "/v3/transferprocesses/request", {"@type": "QuerySpec", "filterExpression": picked})
    assert transfer["state"] in {"TERMINATING", "TERMINATING_REQUESTED", "TERMINATED"}


CHILD = """
import datetime as dt, sys, json
from pathlib import Path
from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab_connectors.edc import EdcConnector
table, state, intent = json.loads(sys.argv[1])
connector = EdcConnector("space", table, Path(state))
found = connector.offer("counts")
decision = decide_acquisition(found, Intent(**intent), moment=dt.datetime.now(dt.UTC), actor="steward")
connector.negotiate(found, Intent(**intent), decision)
"""


@pytest.mark.parametrize("moment", ["begun", "negotiation"])
def test_a_negotiation_goes_on_after_a_kill(connect, space, tmp_path, moment):
    connector = connect()
    intent = dataclasses.replace(RESEARCH, purpose_text=f"killed when {moment} was written")
    found = connector.offer("counts")
    records, subject = Records(tmp_path / "state" / "contracts"), acquire_subject(found, intent)
    said = {
        "purpose": intent.purpose,
        "purpose_text": intent.purpose_text,
        "legal_basis": intent.legal_basis,
        "territory": "LU",
    }
    before = negotiations(space[1])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, json.dumps([connector._table.values, str(tmp_path / "state"), said])]
    )
    while moment not in records.get(subject):
        assert child.poll() is None
        time.sleep(0.0005)
    child.kill()
    child.wait()
    assert "agreement" not in records.get(subject)

    agreement = connector.negotiate(found, intent, permit(found, intent))

    after = negotiations(space[1])[len(before) :]
    assert [item.get("contractAgreementId") for item in after] == [agreement.id]


def negotiations(connector):
    """Return the negotiations of a connector, oldest first."""
    asked = {"@type": "QuerySpec", "limit": 100, "sortField": "createdAt", "sortOrder": "ASC"}
    return connector.call("POST", "/v3/contractnegotiations/request", asked)


def test_an_offer_that_is_gone_is_refused_in_the_providers_words(connect, space, tmp_path):
    provider, _ = space
    offer(provider, "gone", "http://127.0.0.1:9/")
    connector = connect()
    found = connector.offer("gone")
    provider.call("DELETE", "/v3/contractdefinitions/gone")
    with pytest.raises(PolicyRefusal, match="refused the contract"):
        connector.negotiate(found, RESEARCH, permit(found))
    with pytest.raises(NotFound, match="gone"):
        connector.offer("gone")


def test_a_source_that_is_down_ends_a_push_with_its_reason(connect, space, tmp_path):
    provider, _ = space
    offer(provider, "down", "http://127.0.0.1:9/")
    connector = connect(transport="push")
    found = connector.offer("down")
    agreement = connector.negotiate(found, RESEARCH, permit(found))
    with pytest.raises(SourceError, match="ended"):
        connector.fetch(agreement, found, "", Landing(tmp_path / "l"), permit(found), lambda what, done, total: None)
    provider.call("DELETE", "/v3/contractdefinitions/down")


def test_a_wrong_key_is_told_with_the_remedy(connect, monkeypatch):
    monkeypatch.setenv("EDC_KEY", "not-the-key-at-all")
    with pytest.raises(SourceError) as caught:
        connect().offer("counts")
    assert "api_key" in caught.value.next
    assert "not-the-key" not in json.dumps([caught.value.what, str(caught.value.where)])


def test_a_wrong_protocol_address_names_what_was_tried(connect, space):
    connector = connect(provider=space[0].management)
    with pytest.raises(SourceError, match="dataspace-protocol-http:2024/1"):
        connector.offer("counts")


@pytest.mark.parametrize(
    ("protocol", "path"), [("dataspace-protocol-http:2025-1", "2025-1"), ("dataspace-protocol-http:2024/1", "2024-1")]
)
def test_edc_reads_the_catalogue_of_our_own_provider(connect, tmp_path, protocol, path):
    url = start(tmp_path / "provider", holdings=[_holdings(tmp_path)]).url
    try:
        connector = connect(provider=f"{url}/{path}", protocol=protocol, provider_id="did:web:sandbox.datalab.example")
        [found] = connector.search(Query("bicycle"))
        assert found.policy.permissions
        assert [item.format for item in found.distributions] == ["csv"]
    finally:
        stop(tmp_path / "provider")


def _holdings(tmp_path):
    folder = tmp_path / "holdings" / "counts"
    folder.mkdir(parents=True)
    known = {"id": "counts", "title": "Bicycle counts", "description": "One square", "holder": "Us", "licence": "CC0-1.0"}
    file = {"id": "csv", "file": "counts.csv", "format": "csv", "media_type": "text/csv"}
    lines = [f'{key} = "{value}"' for key, value in known.items()]
    lines += ["personal_data = false", "[[distribution]]", *(f'{key} = "{value}"' for key, value in file.items())]
    (folder / "holding.toml").write_text("\n".join(lines))
    (folder / "policy.json").write_text(json.dumps(TERMS))
    (folder / "counts.csv").write_text("hour,count\n1,2\n")
    return folder.parent


@pytest.fixture
def our_provider(tmp_path, monkeypatch):
    """A provider of ours with one dataset, that shows its consumer the token which EDC's mock of an identity service wants."""
    file = tmp_path / "holdings" / "counts" / "counts.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    (file.parent / "holding.toml").write_text(OURS)
    (file.parent / "policy.json").write_text(json.dumps(RICHER))
    monkeypatch.setenv("SHOWN", json.dumps({"region": "eu", "audience": "consumer", "clientId": PARTICIPANT}))
    yield start(tmp_path / "ours", holdings=[tmp_path / "holdings"], options=["--token-env", "SHOWN"])
    stop(tmp_path / "ours")


def test_a_real_consumer_concludes_a_contract_with_our_provider_and_fetches_the_data(
    tmp_path_factory, our_provider, tmp_path, monkeypatch
):
    """EDC compares the agreement with the offer, both as JSON-LD: a word that the protocol's context does not know would be lost.

    Its mock of an identity service takes no ``Bearer``: the door before it takes the word away.
    """
    if reason := cannot():
        pytest.skip(reason)
    monkeypatch.setenv("EDC_KEY", KEY)
    with site() as door, running(tmp_path_factory.mktemp("edc"), "consumer", callback=f"{door.url}/protocol") as (consumer,):
        door.upstream = "http://" + urlsplit(consumer.protocol).netloc
        door.passed_on = lambda headers: {name: value.removeprefix("Bearer ") for name, value in headers.items()}
        table = {"url": consumer.management, "api_key": "env:EDC_KEY", "provider": f"{our_provider.url}/2025-1"}
        connector = EdcConnector(
            "space", {**table, "provider_id": PARTICIPANT, "patience": 30, "transport": "pull"}, tmp_path / "state"
        )
        found = connector.offer("counts")
        agreement = connector.negotiate(found, RESEARCH, permit(found))
        [landed] = connector.fetch(agreement, found, "", Landing(tmp_path / "landing"), permit(found), lambda *_: None)
    assert landed.path.read_bytes() == DATA
    assert agreement.provider == PARTICIPANT
    told = (agreement.policy.permissions, agreement.policy.prohibitions, agreement.policy.obligations)
    assert told == (found.policy.permissions, found.policy.prohibitions, found.policy.obligations)
    assert not agreement.policy.unknown
