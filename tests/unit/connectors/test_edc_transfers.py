"""The EDC connector asks and recovers: tokens, transfers, negotiations, versions of the protocol."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from datalab_connectors.edc import EdcConnector
from datalab_connectors.edc.protocols import PROTOCOLS
from datalab_connectors.records import Records

from datalab.errors import DatalabError, PolicyRefusal, ProtocolError, SettingsError, SourceError
from datalab.model.offer import Query
from datalab.policy import acquire_subject
from datalab.ports.landing import Landing
from tests.edc.stand_in import KEY, problem, stand_in
from tests.unit.connectors.edc_shapes import NEWER, ODRL, OLDER, RESEARCH, TABLE, permit


class Plane:
    """A data plane that takes ``tokens`` only, and cuts the first answer after ``cut`` bytes, with the token then dead."""

    def __init__(self, data, *, tokens, cut=0):
        self.data, self.tokens, self.cut, self.seen = data, tokens, cut, []


@pytest.fixture
def plane():
    plane = Plane(b"0123456789" * 50_000, tokens=set())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            token = self.headers.get("authorization", "")
            start = int(self.headers.get("range", "bytes=0-")[6:-1])
            plane.seen.append((token, start))
            if token not in plane.tokens:
                self.send_response(403)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("content-range", f"bytes {start}-{len(plane.data) - 1}/{len(plane.data)}")
            self.send_header("content-length", str(len(plane.data) - start))
            self.end_headers()
            if plane.cut:
                self.wfile.write(plane.data[: plane.cut])
                plane.cut = 0
                plane.tokens.discard(token)
                return
            self.wfile.write(plane.data[start:])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        plane.url = f"http://127.0.0.1:{server.server_address[1]}/public"
        yield plane
        server.shutdown()
        thread.join()


@pytest.fixture
def edc(tmp_path, monkeypatch, plane):
    """A connector before a management API whose provider is made of answers; ``api.asked`` is what it was asked."""
    monkeypatch.setenv("EDC_KEY", KEY)
    with stand_in(tmp_path / "stand-in") as (url, api):
        api._datasets = lambda asked: [NEWER | {"edc:sha256": "", "edc:byteSize": len(plane.data)}]

        def negotiate(name, asked):
            api.agreements[name] = {
                "@id": f"agreement-{name}", "assetId": "counts", "providerId": "provider", "consumerId": "us",
                "contractSigningDate": 1795250313, "policy": ODRL | {"@type": "odrl:Agreement", "odrl:target": {"@id": "counts"}},
            }  # fmt: skip
            api.things[name]["state"] = "FINALIZED"

        def transfer(name, asked):
            token = f"token-{len(api.sources)}-{name}"
            plane.tokens.add(token)
            api.sources[name] = (plane.url, token)
            api.things[name]["state"] = "STARTED"

        api._negotiate, api._transfer = negotiate, transfer
        table = {**TABLE, "url": url, "api_key": "env:EDC_KEY", "patience": 3, "transport": "pull"}
        api.table = table
        yield EdcConnector("space", table, tmp_path / "state"), api


def fetched(connector, tmp_path):
    offer = connector.offer("counts")
    agreement = connector.negotiate(offer, RESEARCH, permit(offer))
    landing = Landing(tmp_path / "landing")
    [landed] = connector.fetch(agreement, offer, "", landing, permit(offer), lambda what, done, total: None)
    return landed.path.read_bytes()


def test_a_token_that_dies_on_the_way_is_replaced_and_the_pull_goes_on(edc, plane, tmp_path):
    connector, api = edc
    plane.cut = 200_000
    assert fetched(connector, tmp_path) == plane.data
    tokens = [token for token, _ in plane.seen]
    assert plane.seen[0][1] == 0
    assert plane.seen[-1][1] == 200_000
    assert len(set(tokens)) == 2
    transfers = [item for item in api.things.values() if item["@type"] == "TransferProcess"]
    assert [item["state"] for item in transfers] == ["TERMINATED", "TERMINATED"]


def test_a_token_that_edc_renewed_is_taken_without_another_transfer(edc, plane, tmp_path):
    connector, api = edc
    given = iter(("old", "new"))
    ask = api.answer

    def answer(path, asked):
        if path.endswith("dataaddress"):
            return 200, {"endpoint": plane.url, "authorization": f"token-{next(given)}"}
        return ask(path, asked)

    api.answer = answer
    plane.tokens |= {"token-new"}
    assert fetched(connector, tmp_path) == plane.data
    assert len([item for item in api.things.values() if item["@type"] == "TransferProcess"]) == 1


def test_a_data_plane_that_wants_bearer_gets_it(edc, plane, tmp_path):
    connector, api = edc

    def transfer(name, asked):
        plane.tokens.add("Bearer secret-of-the-plane")
        api.sources[name] = (plane.url, "secret-of-the-plane")
        api.things[name]["state"] = "STARTED"

    api._transfer = transfer
    assert fetched(connector, tmp_path) == plane.data


def test_a_data_plane_that_takes_no_token_is_given_up(edc, plane, tmp_path):
    connector, api = edc
    api._transfer = lambda name, asked: (
        api.sources.update({name: (plane.url, "secret-that-opens-nothing")}),
        api.things[name].update(state="STARTED"),
    )
    with pytest.raises(SourceError) as caught:
        fetched(connector, tmp_path)
    assert "403" in caught.value.what
    assert "opens-nothing" not in str(caught.value)
    assert len(plane.seen) < 9


@pytest.mark.parametrize(
    ("state", "detail", "words"),
    [
        ("SUSPENDED", "maintenance until noon", "suspended the transfer: maintenance until noon"),
        ("TERMINATED", "policy monitor: the contract has ended", "ended: policy monitor"),
        ("REQUESTED", "", "it is REQUESTED"),
    ],
)
def test_a_transfer_that_does_not_start_says_why(edc, tmp_path, state, detail, words):
    connector, api = edc
    connector._patience = 1
    api._transfer = lambda name, asked: api.things[name].update(state=state, errorDetail=detail)
    with pytest.raises(SourceError) as caught:
        fetched(connector, tmp_path)
    assert words in caught.value.what
    assert caught.value.next


def test_an_endpoint_on_another_host_is_not_asked(edc, tmp_path):
    connector, api = edc
    api._transfer = lambda name, asked: (
        api.sources.update({name: ("http://169.254.169.254/latest", "secret-token-value")}),
        api.things[name].update(state="STARTED"),
    )
    with pytest.raises(SourceError, match="not one of those allowed"):
        fetched(connector, tmp_path)


def test_a_refusal_is_told_in_the_providers_words_and_can_be_asked_again(edc, tmp_path):
    connector, api = edc
    good = api._negotiate
    said = {"@type": "ContractNegotiationError", "code": "409", "reason": ["You are not on the list"]}
    api._negotiate = lambda name, asked: api.things[name].update(state="TERMINATED", errorDetail=json.dumps(said))
    offer = connector.offer("counts")
    with pytest.raises(PolicyRefusal, match="409: You are not on the list"):
        connector.negotiate(offer, RESEARCH, permit(offer))
    api._negotiate = good
    assert connector.negotiate(offer, RESEARCH, permit(offer)).id


@pytest.mark.parametrize("times", [1, 2])
def test_connectors_that_miss_each_other_are_tried_once_more_and_nobody_said_no(edc, tmp_path, times):
    """EDC answers 409 to a verification that overtakes its own writing down of the agreement, and the other EDC gives up."""
    connector, api = edc
    good, left = api._negotiate, [None] * times
    said = {"@type": "ContractNegotiationError", "code": "409", "reason": ["Cannot process X because it cannot be verified"]}

    def crossed(name, asked):
        if not left:
            return good(name, asked)
        left.pop()
        return api.things[name].update(state="TERMINATED", errorDetail=json.dumps(said))

    api._negotiate = crossed
    offer = connector.offer("counts")
    if times == 1:
        assert connector.negotiate(offer, RESEARCH, permit(offer)).id
    else:
        with pytest.raises(SourceError, match="missed each other") as caught:
            connector.negotiate(offer, RESEARCH, permit(offer))
        assert caught.value.next == "try again"
        assert connector.negotiate(offer, RESEARCH, permit(offer)).id


def test_a_provider_that_could_not_be_reached_is_no_refusal(edc, tmp_path):
    connector, api = edc
    api._negotiate = lambda name, asked: api.things[name].update(
        state="TERMINATED", errorDetail="Failed to send request to provider: Connection refused"
    )
    offer = connector.offer("counts")
    with pytest.raises(SourceError, match="could not reach"):
        connector.negotiate(offer, RESEARCH, permit(offer))


def test_an_agreement_on_other_terms_is_not_taken(edc, tmp_path):
    connector, api = edc
    good = api._negotiate

    def negotiate(name, asked):
        good(name, asked)
        api.agreements[name]["policy"] = {key: item for key, item in ODRL.items() if key != "odrl:prohibition"}

    api._negotiate = negotiate
    offer = connector.offer("counts")
    with pytest.raises(ProtocolError, match="something else"):
        connector.negotiate(offer, RESEARCH, permit(offer))


@pytest.mark.parametrize("kept", ["begun", "negotiation"])
def test_an_unfinished_negotiation_is_continued(edc, tmp_path, kept):
    connector, api = edc
    offer = connector.offer("counts")
    first = connector.negotiate(offer, RESEARCH, permit(offer))
    [negotiation] = api.agreements
    mark = api.things[negotiation]["callbackAddresses"]["uri"]
    left = {"begun": mark} | ({"negotiation": negotiation} if kept == "negotiation" else {})
    Records(tmp_path / "state" / "contracts").put(acquire_subject(offer, RESEARCH), left)
    assert connector.negotiate(offer, RESEARCH, permit(offer)) == first
    assert len(api.agreements) == 1


def test_an_agreement_that_edc_forgot_is_concluded_anew(edc, tmp_path):
    connector, api = edc
    offer = connector.offer("counts")
    first = connector.negotiate(offer, RESEARCH, permit(offer))
    api.agreements.clear()
    assert connector.negotiate(offer, RESEARCH, permit(offer)).id != first.id


def test_a_transfer_that_a_killed_process_left_is_ended_first(edc, plane, tmp_path):
    connector, api = edc
    offer = connector.offer("counts")
    agreement = connector.negotiate(offer, RESEARCH, permit(offer))
    api.things["left"] = {"@type": "TransferProcess", "@id": "left", "state": "STARTED"}
    api.ends["left"] = threading.Event()
    import hashlib

    Records(tmp_path / "state" / "transfers").put(hashlib.sha256(agreement.id.encode()).hexdigest(), {"transfer": "left"})
    assert fetched(connector, tmp_path) == plane.data
    assert api.things["left"]["state"] == "TERMINATED"


def test_the_catalogue_comes_in_pages_and_a_broken_entry_hides_no_other(edc, tmp_path, caplog):
    connector, api = edc
    connector._management._page = 2
    api._datasets = lambda asked: [NEWER | {"@id": f"d{number}"} for number in range(4)] + [{"@id": "broken"}]
    assert [offer.dataset_id for offer in connector.search(Query(""))] == ["d0", "d1", "d2", "d3"]
    assert [asked["querySpec"]["offset"] for path, asked in api.asked if path == "/v3/catalog/request"] == [0, 0, 2, 4]
    assert "left out" in caplog.text


def test_the_older_protocol_is_found_by_trying(edc, tmp_path):
    connector, api = edc
    ask = api.answer

    def answer(path, asked):
        if path == "/v3/catalog/request" and asked["protocol"] == "dataspace-protocol-http:2025-1":
            return problem(502, "No provider dispatcher registered for protocol: dataspace-protocol-http:2025-1")
        if path == "/v3/catalog/request":
            return 200, {"@type": "dcat:Catalog", "dcat:dataset": OLDER}
        return ask(path, asked)

    api.answer = answer
    [found] = connector.search(Query(""))
    assert found.dataset_id == "counts"
    assert connector._management.spoken().protocol == "dataspace-protocol-http:2024/1"


def test_where_no_protocol_works_each_try_is_named(edc, tmp_path):
    connector, api = edc
    api.answer = lambda path, asked: problem(502, f"No provider dispatcher registered for protocol: {asked['protocol']}")
    with pytest.raises(SourceError) as caught:
        list(connector.search(Query("")))
    assert all(protocol in caught.value.what for protocol in PROTOCOLS)


def test_errors_name_their_field_and_hide_the_key(edc, tmp_path):
    connector, api = edc
    said = [
        {"message": f"it is missing; key {KEY}", "type": "ValidationFailure", "path": "https://w3id.org/edc/v0.0.1/ns/protocol"}
    ]
    api.answer = lambda path, asked: (422, said)
    with pytest.raises(DatalabError) as caught:
        connector.offer("counts")
    assert "(protocol)" in caught.value.what
    assert KEY not in str(caught.value)


def test_a_transport_that_the_provider_does_not_offer_is_a_setting_to_change(edc, tmp_path):
    connector, api = edc
    ways = [{"@type": "Distribution", "format": "AmazonS3-PUSH"}]
    api._datasets = lambda asked: [NEWER | {"distribution": ways}]
    with pytest.raises(SettingsError, match="AmazonS3-PUSH"):
        fetched(connector, tmp_path)


class Bucket:
    """A landing bucket that a provider's data plane writes to."""

    def __init__(self, data):
        self.data = data

    def lend(self, name):
        return {
            "bucketName": "landing", "objectName": name, "region": "eu", "accessKey": "access-for-one", "secretKey": "secret-for-one"
        }  # fmt: skip

    def collect(self, name, landing, *, limit, sha256, progress):
        with landing.receive(name, limit=limit, sha256=sha256) as arrival:
            arrival.write(self.data)
        return arrival.landed


@pytest.fixture
def stored(edc, plane, tmp_path, monkeypatch):
    """The same connector with a bucket, before a provider that pushes to S3 only."""
    _, api = edc
    ways = [{"@type": "Distribution", "format": "AmazonS3-PUSH"}]
    known = NEWER | {"distribution": ways, "edc:sha256": "", "edc:byteSize": len(plane.data)}
    api._datasets = lambda asked: [known]
    connector = EdcConnector("space", {**api.table, "transport": "", "bucket": {"kind": "fake"}}, tmp_path / "state")
    monkeypatch.setattr("datalab_connectors.edc.connector.open_bucket", lambda table, where: Bucket(plane.data))
    return connector, api


def test_a_bucket_is_lent_in_edcs_words_and_emptied(stored, plane, tmp_path):
    connector, api = stored
    api._transfer = lambda name, asked: api.things[name].update(state="COMPLETED")
    assert fetched(connector, tmp_path) == plane.data
    [asked] = [asked for path, asked in api.asked if path == "/v3/transferprocesses"]
    assert asked["transferType"] == "AmazonS3-PUSH"
    assert asked["dataDestination"] == {
        "@type": "DataAddress", "type": "AmazonS3", "bucketName": "landing", "objectName": "csv", "region": "eu",
        "accessKeyId": "access-for-one", "secretAccessKey": "secret-for-one",
    }  # fmt: skip


def test_keys_of_a_bucket_are_in_no_error(stored, tmp_path):
    connector, api = stored
    api._transfer = lambda name, asked: api.things[name].update(state="TERMINATED", errorDetail="403 for secret-for-one")
    with pytest.raises(SourceError, match="403 for") as caught:
        fetched(connector, tmp_path)
    assert "secret-for-one" not in str(caught.value)
