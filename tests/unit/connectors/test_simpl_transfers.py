"""Every way the data can come through a node: by a sandbox that does it right, and by a node that does it wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest
from datalab_connectors.simpl import connector as module
from datalab_connectors.simpl.transfers import filled

from datalab.errors import NotFound, ProtocolError, SettingsError, SourceError
from datalab.model.offer import Query
from datalab.ports.landing import Landing
from tests.unit.connectors.simpl_space import BASE, BICYCLES, OFFERS, agreed, asked_for, quiet


@pytest.mark.parametrize("transport", ["", "push", "pull"])
def test_data_comes(space, simpl, tmp_path, transport):
    connector = simpl(**({"transport": transport} if transport else {}))
    offer, decision, agreement = agreed(connector)
    told = []
    landing = Landing(tmp_path / "landing")
    [found] = connector.fetch(agreement, offer, "", landing, decision, lambda what, done, total: told.append(done))
    assert (found.sha256, found.bytes) == (offer.distributions[0].sha256, offer.distributions[0].bytes)
    assert told[-1] == found.bytes


def test_a_dead_token_of_a_pull_is_replaced(space, simpl, tmp_path):
    import dataclasses

    object.__setattr__(space.provider, "token_seconds", -1.0)
    connector = simpl(transport="pull")
    offer, decision, agreement = agreed(connector)
    with pytest.raises(SourceError, match="ended already"):
        connector.fetch(agreement, offer, "", Landing(tmp_path / "landing"), decision, quiet)
    object.__setattr__(space.provider, "token_seconds", 60.0)
    assert connector.fetch(agreement, offer, "", Landing(tmp_path / "landing"), decision, quiet)
    assert dataclasses.is_dataclass(agreement)


class Bucket:
    """A landing bucket that is a dictionary."""

    def __init__(self):
        self.objects = {}

    def lend(self, name):
        return {"bucketName": "ours", "objectName": name, "path": "in/", "endpoint": "https://s3.example", "keyName": "k"}

    def collect(self, name, landing, *, limit, sha256, progress):
        with landing.receive(name, limit=limit, sha256=sha256) as arrival:
            arrival.write(self.objects.pop(name))
        return arrival.landed


S3 = {
    "required": ["type", "bucketName"],
    "properties": {"type": {"const": "MinioS3"}, "bucketName": {}, "objectName": {}, "endpoint": {}},
}


@pytest.fixture
def delivering(stub, tmp_path):
    """A node that describes one offering of 5 bytes, agrees at once, and transfers as told."""
    from tests.unit.connectors.test_simpl_credential import credential

    body = credential(**{"simpl:dataProperties": {"simpl:format": "csv", "dpv:hasPersonalData": "false"}})
    body["credentialSubject"]["@id"] = BICYCLES
    stub.describes(body)
    stub.says["POST", f"{BASE}/connectorCatalog/assets"] = OFFERS
    stub.says["POST", f"{BASE}/contracts"] = {"contractNegotiationId": "n"}
    stub.says["GET", f"{BASE}/contracts/n"] = {"state": "FINALIZED", "contractAgreementId": "agreed"}
    for method, template in (("HTTPDATA_PUSH", "3"), ("IONOS_S3", "1"), ("REST_API", "14")):
        stub.says["GET", f"{BASE}/resourceAddresses/sharingMethods/{method}/templates"] = [{"id": template, "label": "x"}]
        stub.says["GET", f"{BASE}/resourceAddresses/templates/{template}/schema"] = {}
    stub.says["POST", f"{BASE}/transfers"] = {"transferProcessId": "t"}
    stub.says["GET", f"{BASE}/transfers/t"] = {"state": "COMPLETED", "finalState": "COMPLETED"}
    landing = Landing(tmp_path / "landing")

    def fetch(**more):
        connector = stub.connector(tmp_path / "consumer", **{"patience": 20, **more})
        offer, decision, agreement = agreed(connector)
        [found] = connector.fetch(agreement, offer, "", landing, decision, quiet)
        return found

    stub.fetch, stub.landing = fetch, landing
    return stub


def pushing(stub, act):
    """Have the node call ``act(base address)`` beside its answer to a transfer request, as a provider would."""

    def answer(handler):
        sent = json.loads(stub.heard[-1].body)
        threading.Thread(target=act, args=(sent["dataDestination"]["baseUrl"],)).start()
        return {"transferProcessId": "t"}

    stub.says["POST", f"{BASE}/transfers"] = answer
    arrived = threading.Event()
    stub.says["GET", f"{BASE}/transfers/t"] = lambda _: {"state": "COMPLETED" if arrived.wait(0.02) else "STARTED"}
    return arrived


def test_an_edc_pushes_by_post_in_pieces(delivering):
    def act(url):
        strangers = url.rpartition("/")[0] + "/guessed"
        assert httpx.post(strangers, content=b"evil!", trust_env=False).status_code == 404
        assert httpx.post(url, content=iter([b"12", b"345"]), trust_env=False).status_code == 201
        assert httpx.post(url, content=b"again", trust_env=False).status_code == 409
        arrived.set()

    arrived = pushing(delivering, act)
    found = delivering.fetch()
    assert found.path.read_bytes() == b"12345"


def break_off(url, data=b"1234"):
    """Begin a push of 9 bytes, hang up after ``data``, and wait until that much is there."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as wire:
        wire.sendall(f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode() + data)
    for _ in range(200):
        if httpx.get(url, trust_env=False).json()["bytes"] == len(data):
            return
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("content", "headers"), [(b"12345", {}), (b"5", {"content-range": "bytes 4-4/5"})], ids=["from the start", "from there"]
)
def test_a_push_that_broke_off_is_said_again(delivering, content, headers):
    def act(url):
        break_off(url)
        assert httpx.put(url, content=b"?", headers={"content-range": "bytes 7-7/9"}, trust_env=False).status_code == 416
        assert httpx.put(url, content=content, headers=headers, trust_env=False).status_code == 201
        arrived.set()

    arrived = pushing(delivering, act)
    assert delivering.fetch().path.read_bytes() == b"12345"


def test_a_push_that_says_something_else_the_second_time_does_not_land(delivering):
    def act(url):
        break_off(url)
        assert httpx.post(url, content=b"zzzzz", trust_env=False).status_code == 413

    pushing(delivering, act)
    with pytest.raises(SourceError, match="changed while it was being pushed"):
        delivering.fetch()
    assert not list(delivering.landing.root.rglob("*-*"))


def test_a_push_that_drips_is_stopped(delivering):
    def drip():
        for _ in range(100):
            time.sleep(0.05)
            yield b"x"

    def act(url):
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(url, content=drip(), trust_env=False)

    pushing(delivering, act)
    with pytest.raises(SourceError, match="slower than 1024 bytes a second"):
        delivering.fetch(patience=1)
    assert not list(delivering.landing.root.rglob("*-*"))


def test_an_endless_push_is_stopped_at_the_limit(delivering):
    def act(url):
        with httpx.Client(trust_env=False) as client:
            client.post(url, content=(b"x" * 1000 for _ in range(100)))

    pushing(delivering, act)
    with pytest.raises(SourceError, match="larger than the 100 bytes"):
        delivering.fetch(max_bytes=100)
    assert not list(delivering.landing.root.rglob("*-*"))


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"state": "COMPLETED"}, "nothing whole has arrived"),
        ({"state": "TERMINATED", "errorDetail": "no route"}, "no route"),
        ({"state": "DEPROVISIONED", "finalState": "TERMINATED"}, "ended"),
        ({"state": "INITIAL"}, "not completed in time"),
        ({}, "without its state"),
        ([], "without its state"),
    ],
)
def test_a_transfer_that_brings_nothing_is_told(delivering, told, says):
    delivering.says["GET", f"{BASE}/transfers/t"] = told
    with pytest.raises(SourceError, match=says) as caught:
        delivering.fetch(patience=1)
    secret = json.loads(asked_for(delivering, "/transfers")[-1].body)["dataDestination"]["baseUrl"].rpartition("/")[2]
    assert secret not in str(caught.value)
    assert not list(delivering.landing.root.rglob("*-*"))


def test_a_landing_bucket_is_lent_and_emptied(delivering, monkeypatch):
    bucket = Bucket()
    monkeypatch.setattr(module, "open_bucket", lambda table, where: bucket)
    delivering.says["GET", f"{BASE}/resourceAddresses/templates/1/schema"] = S3

    def answer(handler):
        sent = json.loads(delivering.heard[-1].body)["dataDestination"]
        assert set(sent) == {"type", "bucketName", "objectName", "endpoint"}
        bucket.objects[sent["objectName"]] = b"12345"
        return {"transferProcessId": "t"}

    delivering.says["POST", f"{BASE}/transfers"] = answer
    assert delivering.fetch(transport="bucket").path.read_bytes() == b"12345"
    assert bucket.objects == {}


@pytest.mark.server
@pytest.mark.parametrize("path", ["in/", ""])
def test_a_bucket_on_a_real_store_is_lent_under_keys_of_its_own(delivering, s3server, tmp_path, monkeypatch, path):
    from datalab.ports.objectput import put_verified

    monkeypatch.setenv("LENT_KEY", "AKIALENTLENTLENTLENT")
    monkeypatch.setenv("LENT_SECRET", "lent-secret-lent-secret-lent")
    table = {
        **s3server.table("landing"),
        "prefix": "in",
        "lent_access_key": "env:LENT_KEY",
        "lent_secret_key": "env:LENT_SECRET",
    }
    fields = {key: {} for key in ("bucketName", "objectName", "path", "accessKey", "secretKey", "endpoint")}
    delivering.says["GET", f"{BASE}/resourceAddresses/templates/1/schema"] = {"properties": fields}
    (tmp_path / "made").write_bytes(b"12345")

    def answer(handler):
        sent = json.loads(delivering.heard[-1].body)["dataDestination"]
        assert (sent["accessKey"], sent["bucketName"]) == ("AKIALENTLENTLENTLENT", "landing")
        with s3server.store() as store:
            put_verified(store, tmp_path / "made", sent["bucketName"], path + sent["objectName"])
        return {"transferProcessId": "t"}

    delivering.says["POST", f"{BASE}/transfers"] = answer
    assert delivering.fetch(transport="bucket", bucket=table).path.read_bytes() == b"12345"
    with s3server.store() as store:
        assert not list(store.listing("landing"))

    delivering.says["POST", f"{BASE}/transfers"] = (
        400,
        {"title": "Invalid", "detail": "no such user lent-secret-lent-secret-lent"},
    )
    with pytest.raises(SourceError, match="no such user") as caught:
        delivering.fetch(transport="bucket", bucket=table)
    assert "lent-secret" not in str(caught.value)

    delivering.says["POST", f"{BASE}/transfers"] = {"transferProcessId": "t"}
    with pytest.raises(SourceError, match="nothing is in the bucket"):
        delivering.fetch(transport="bucket", bucket=table)


def test_without_a_bucket_the_error_says_what_to_do(delivering):
    with pytest.raises(SettingsError, match="no landing bucket"):
        delivering.fetch(transport="bucket")
    with pytest.raises(NotFound, match="'tape'"):
        delivering.fetch(transport="bucket", bucket={"kind": "tape"})


@pytest.mark.parametrize(
    ("given", "orders"), [(["raw-2"], 1), (["raw-1", "raw-2"], 1), (["raw-1", "raw-1", "raw-2"], 2)], ids=str
)
def test_a_pull_renews_its_reference_and_sends_the_value_as_given(delivering, given, orders):
    values = iter(given)
    delivering.says["GET", f"{BASE}/transfers/t"] = {"state": "STARTED"}
    delivering.says["GET", f"{BASE}/transfers/t/edr"] = lambda _: {
        "baseUrl": f"{delivering.url}/data",
        "authorizationHeaderValue": next(values),
        "expiresAt": (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).isoformat(),
    }
    delivering.says["GET", "/data"] = lambda handler: (
        b"12345" if handler.headers["authorization"] == "raw-2" else (403, {"detail": "expired"})
    )
    assert delivering.fetch(transport="pull").path.read_bytes() == b"12345"
    assert len(asked_for(delivering, "/transfers")) == orders


def test_a_pull_that_is_refused_for_ever_ends(delivering):
    numbers = iter(range(1000))
    delivering.says["GET", f"{BASE}/transfers/t"] = {"state": "STARTED"}
    delivering.says["GET", f"{BASE}/transfers/t/edr"] = lambda _: {
        "baseUrl": f"{delivering.url}/data",
        "authorizationHeaderValue": f"raw-{next(numbers)}",
    }
    delivering.says["GET", "/data"] = (403, {"detail": "no"})
    with pytest.raises(SourceError, match="403"):
        delivering.fetch(transport="pull")


@pytest.mark.parametrize(
    "reference",
    [{}, {"baseUrl": "http://x"}, {"baseUrl": "http://x", "authorizationHeaderValue": "a\r\nx: y"}, []],
    ids=str,
)
def test_a_reference_that_is_none(delivering, reference):
    delivering.says["GET", f"{BASE}/transfers/t"] = {"state": "STARTED"}
    delivering.says["GET", f"{BASE}/transfers/t/edr"] = reference
    with pytest.raises(ProtocolError, match="reference"):
        delivering.fetch(transport="pull")


def test_a_node_without_a_template_for_it(delivering):
    for answer in ([], {}, [{"label": "x"}], [7]):
        delivering.says["GET", f"{BASE}/resourceAddresses/sharingMethods/HTTPDATA_PUSH/templates"] = answer
        with pytest.raises(SourceError, match="no destination template"):
            delivering.fetch()


SCHEMA = {
    "required": ["type", "baseUrl", "region"],
    "properties": {"type": {"const": "HttpData"}, "baseUrl": {}, "deprovisioningEnabled": {"default": "false"}, "region": {}},
}


def test_a_template_is_filled_in_by_the_names_of_its_fields():
    known = {"type": "other", "baseUrl": "http://x", "secret": "y"}
    assert filled({}, known, "") == known
    assert filled(SCHEMA, {**known, "region": "de"}, "") == {
        "type": "HttpData", "baseUrl": "http://x", "deprovisioningEnabled": "false", "region": "de",
    }  # fmt: skip
    with pytest.raises(SettingsError, match="region") as caught:
        filled(SCHEMA, known, "")
    assert "destination" in caught.value.next


def test_settings_that_are_wrong_are_told(tmp_path):
    make = module.SimplConnector
    for table, says in (
        ({}, "url"),
        ({"url": "https://n.example", "tranport": "push"}, "tranport"),
        ({"url": "https://n.example", "transport": "pigeon"}, "pigeon"),
        ({"url": "https://n.example", "dialect": "v9"}, "v9"),
        ({"url": "https://n.example", "patience": "long"}, "patience"),
        ({"url": "https://n.example", "listen": "everywhere"}, "listen"),
    ):
        with pytest.raises((SettingsError, NotFound), match=says):
            make("node", table, tmp_path)
    with pytest.raises(SettingsError, match="no login"):
        make("node", {"url": "https://n.example"}, tmp_path).log_in(print)


def test_search_reaches_every_page(space, simpl):
    import dataclasses

    for number in range(45):
        space.shelf[f"more-{number}"] = dataclasses.replace(space.shelf["bicycles"], id=f"more-{number}")
    assert len(list(simpl().search(Query("square", limit=100)))) == 46
    assert len(list(simpl().search(Query("", limit=3)))) == 3
