"""The EDC connector's reading, asking and recovering; the shapes are those that EDC 0.14.0 answered with."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from datalab_connectors.dsp.service import _window
from datalab_connectors.edc import EdcConnector
from datalab_connectors.edc.client import peer_error
from datalab_connectors.edc.protocols import PROTOCOLS, candidates
from datalab_connectors.edc.reading import entries_in, offer_in, request_policy
from datalab_connectors.simpl.records import Records

from datalab.errors import DatalabError, NotFound, PolicyRefusal, ProtocolError, SettingsError, SourceError
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.policy import acquire_subject, decide_acquisition
from datalab.ports.landing import Landing
from tests.edc.stand_in import KEY, problem, stand_in

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", legal_basis="eu-gdpr:A6-1-e", territory="LU")
ID = "ZDE=:Y291bnRz:ZDk5NDZlMmYtNWRlZi00YzhhLWI2OTQtMDg4ZDI0ZjQzZWJm"
ODRL = {
    "@id": ID,
    "@type": "odrl:Offer",
    "odrl:permission": {"odrl:action": {"@id": "odrl:use"}},
    "odrl:prohibition": {
        "odrl:action": {"@id": "odrl:use"},
        "odrl:constraint": {
            "odrl:leftOperand": {"@id": "odrl:purpose"},
            "odrl:operator": {"@id": "odrl:isA"},
            "odrl:rightOperand": "dpv:CommercialPurpose",
        },
    },
    "odrl:obligation": [],
}
OLDER = {
    "@id": "counts",
    "@type": "dcat:Dataset",
    "odrl:hasPolicy": ODRL,
    "dcat:distribution": [
        {
            "@type": "dcat:Distribution",
            "dct:format": {"@id": way},
            "dcat:accessService": {"@id": "a", "@type": "dcat:DataService"},
        }
        for way in ("HttpData-PULL", "HttpData-PUSH")
    ],
    "dct:license": "CC0",
    "dcat:keyword": ["a", "b"],
    "sha256": "ab" * 32,
    "name": "Bicycle counts",
    "description": "One square",
    "id": "counts",
    "contenttype": "text/csv",
    "byteSize": 12.0,
    "personalData": False,
}
NEWER = {
    "@id": "counts",
    "@type": "Dataset",
    "hasPolicy": [
        {
            "@id": ID,
            "@type": "Offer",
            "permission": [{"action": "use"}],
            "prohibition": [
                {
                    "action": "use",
                    "constraint": [{"leftOperand": "odrl:purpose", "operator": "isA", "rightOperand": "dpv:CommercialPurpose"}],
                }
            ],
        }
    ],
    "distribution": [
        {"@type": "Distribution", "format": way, "accessService": {"@id": "b", "@type": "DataService"}}
        for way in ("HttpData-PULL", "HttpData-PUSH")
    ],
    "dct:license": "CC0",
    "dcat:keyword": ["a", "b"],
    "edc:sha256": "ab" * 32,
    "edc:name": "Bicycle counts",
    "description": "One square",
    "id": "counts",
    "edc:contenttype": "text/csv",
    "edc:byteSize": 12.0,
    "edc:personalData": False,
}


def permit(offer, intent=RESEARCH):
    return decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="steward")


def test_both_shapes_are_the_same_offer():
    older, newer = offer_in("space", OLDER, "provider"), offer_in("space", NEWER, "provider")
    assert dataclasses.replace(older, catalogue_record="") == dataclasses.replace(newer, catalogue_record="")
    [file] = older.distributions
    assert (file.id, file.format, file.bytes, file.sha256) == ("csv", "csv", 12, "ab" * 32)
    assert (older.title, older.licence, older.keywords, older.holder) == ("Bicycle counts", "CC0", ("a", "b"), "provider")
    assert json.loads(older.catalogue_record)["transferTypes"] == ["HttpData-PULL", "HttpData-PUSH"]
    assert permit(older).permitted
    assert not permit(older, dataclasses.replace(RESEARCH, commercial=True)).permitted


def test_one_offer_keeps_its_id_whatever_edc_adds_at_each_request():
    again = {**NEWER, "hasPolicy": [{**NEWER["hasPolicy"][0], "@id": ID[:13] + base64.b64encode(b"0" * 8).decode()}]}
    other = {**NEWER, "hasPolicy": [{**NEWER["hasPolicy"][0], "@id": "ZDI=:Y291bnRz:" + ID.rsplit(":", 1)[1]}]}
    assert offer_in("space", NEWER, "p").offer_id == "ZDE=:Y291bnRz"
    assert offer_in("space", other, "p").offer_id == "ZDI=:Y291bnRz"
    assert offer_in("space", again, "p").offer_id == again["hasPolicy"][0]["@id"]  # not EDC's form: left alone


def test_a_request_says_the_rules_the_parties_and_a_whole_id():
    asked = request_policy(offer_in("space", OLDER, "provider"), "provider", "subject")
    assert asked["permission"] == [{"action": "use"}]
    assert (asked["assigner"], asked["target"]) == ({"@id": "provider"}, {"@id": "counts"})
    assert asked["@id"].startswith("ZDE=:Y291bnRz:")
    assert len(base64.b64decode(asked["@id"].split(":")[2])) == 36
    assert asked == request_policy(offer_in("space", NEWER, "provider"), "provider", "subject")


def test_a_vocabularys_word_counts_more_than_edcs_own():
    found = offer_in("space", {**OLDER, "dct:description": {"@value": "Better", "@language": "en"}}, "p")
    assert found.description == "Better"


def test_nothing_said_about_persons_means_personal_data():
    assert offer_in("space", {key: item for key, item in OLDER.items() if key != "personalData"}, "p").personal_data


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"@id": 3},
        {"@id": "x"},
        {"@id": "x", "hasPolicy": []},
        {"@id": "x", "hasPolicy": "y"},
        {"@id": "x", "hasPolicy": {"permission": []}},
        {"@id": "x", "hasPolicy": {"@id": [1]}},
    ],
)
def test_a_broken_entry_is_a_clear_error(entry):
    with pytest.raises(ProtocolError):
        offer_in("space", entry, "p")


@pytest.mark.parametrize("entry", [{"byteSize": -1}, {"byteSize": True}, {"sha256": "../.."}, {"fileName": "../../etc/passwd"}])
def test_hostile_facts_are_not_believed(entry):
    [file] = offer_in("space", {**OLDER, "sha256": "", "byteSize": None, **entry}, "p").distributions
    assert (file.bytes, file.sha256) == (None, None)
    assert "/" not in file.file


def test_facts_of_the_one_file_may_stand_in_the_distributions():
    bare = {key: item for key, item in OLDER.items() if key not in {"sha256", "byteSize", "contenttype"}}
    facts = {"dcat:mediaType": "text/csv", "dcat:byteSize": 7}
    ways = [{"dct:format": way, **facts} for way in ("HttpData-PULL", "HttpData-PUSH")]
    [file] = offer_in("space", {**bare, "dcat:distribution": ways}, "p").distributions
    assert (file.id, file.bytes) == ("csv", 7)
    [file] = offer_in("space", {**bare, "dcat:distribution": [*ways, {"dcat:mediaType": "text/html"}]}, "p").distributions
    assert (file.id, file.bytes) == ("data", None)


QUERY = {"@type": "QuerySpec", "offset": 0, "limit": 50, "filterExpression": [], "sortOrder": "ASC"}


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        (None, None),
        ([], None),
        (QUERY, (0, 50)),
        ([QUERY], (0, 50)),
        ({f"edc:{key}" if key[0] != "@" else key: item for key, item in QUERY.items()}, (0, 50)),
        ({**QUERY, "limit": 10**6, "offset": 3.0}, (3, 1000)),
    ],
)
def test_our_provider_takes_the_query_that_edc_sends_with_every_catalogue_request(asked, window):
    assert _window(asked) == window


@pytest.mark.parametrize(
    "asked",
    ["x", [QUERY, QUERY], {**QUERY, "offset": -1}, {**QUERY, "limit": "9"}, {**QUERY, "filterExpression": [{}]}, {"a": 1}],
)
def test_our_provider_does_not_filter(asked):
    with pytest.raises(ProtocolError, match="filter"):
        _window(asked)


@pytest.mark.parametrize("body", [None, [], {}, {"@type": "Dataset"}])
def test_what_is_no_catalogue_is_said_to_be_none(body):
    with pytest.raises(ProtocolError, match="catalogue"):
        entries_in(body)


def test_one_dataset_comes_without_a_list():
    assert entries_in({"@type": "dcat:Catalog", "dcat:dataset": OLDER}) == [OLDER]
    assert entries_in({"@type": "dcat:Catalog", "dcat:dataset": []}) == []
    assert entries_in({"@type": "Catalog"}) == []


def test_protocols_are_tried_newest_first_at_edcs_paths():
    assert [way.address for way in candidates("http://p/protocol/")] == [
        "http://p/protocol/2025-1",
        "http://p/protocol/2024/1",
        "http://p/protocol",
    ]
    wanted = [way.address for way in candidates("http://p/dsp", "dataspace-protocol-http:2025-1")]
    assert wanted == ["http://p/dsp/2025-1", "http://p/dsp"]
    [only] = candidates("http://p/protocol/2024/1")
    assert only.protocol == "dataspace-protocol-http:2024/1"
    assert not list(candidates("http://p/protocol/2024/1", "dataspace-protocol-http:2025-1"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"@type":"CatalogError","code":"404","reason":["Dataset x does not exist"]}', ("404", "Dataset x does not exist")),
        ('Failed: {"@type":"dspace:ContractNegotiationError","dspace:code":"409","dspace:reason":"No"}', ("409", "No")),
        ("plain  words", ("", "plain words")),
        ("{broken", ("", "{broken")),
        ("", ("", "no reason given")),
    ],
)
def test_the_other_connectors_error_is_unpacked(said, told):
    assert peer_error(said) == told


TABLE = {"url": "http://127.0.0.1:9/management", "provider": "http://127.0.0.1:9/protocol", "provider_id": "provider"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"providr": "x"}, "provider"),
        ({"transport": "pul"}, "pull"),
        ({"protocol": "dataspace-protocol-http:2025"}, "2025-1"),
        ({"url": ""}, "url"),
        ({"provider_id": ""}, "provider_id"),
        ({"patience": 0}, "whole number"),
        ({"listen": "8080"}, "0.0.0.0"),
    ],
)
def test_a_mistake_in_the_settings_is_told_with_the_remedy(tmp_path, more, words):
    with pytest.raises((NotFound, SettingsError)) as caught:
        EdcConnector("space", {**TABLE, **more}, tmp_path)
    assert words in str(caught.value)
    assert "connectors.space" in str(caught.value)


def test_a_key_is_a_reference_and_nothing_else(tmp_path):
    with pytest.raises(SettingsError, match="reference") as caught:
        EdcConnector("space", {**TABLE, "api_key": "hunter-two-hunter"}, tmp_path).offer("counts")
    assert "hunter-two" not in str(caught.value)


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
