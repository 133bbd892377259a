"""A counterparty that means harm, met by every connector that talks HTTP: each time a clear error of ours, within seconds."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import socketserver
import threading
import time
from pathlib import Path

import pytest
from datalab_connectors.dcat import DcatConnector
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.edc import EdcConnector
from datalab_connectors.rest import RestConnector
from datalab_connectors.s3 import S3Connector
from datalab_connectors.simpl import SimplConnector

from datalab.errors import DatalabError, SourceError
from datalab.model.offer import Query
from datalab.ports.documents import DocumentClient
from datalab.ports.http import HttpClient, Limits, Reach
from datalab.ports.landing import Landing

SECONDS = 15.0
ESC = "\x1b[2J"


def _answer(body=b"{}", status="200 OK", length=True, **headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if length:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + body


def _for_ever(start, block, pause=0.0):
    yield start
    while True:
        yield block
        time.sleep(pause)


PACKED = gzip.compress(gzip.compress(b"\0" * (256 << 20), 6), 9)
HARM = {
    "redirect to metadata": lambda: [_answer(status="302 Found", location="http://169.254.169.254/latest/meta-data/")],
    "redirect to metadata, mapped": lambda: [_answer(status="302 Found", location="http://[::ffff:a9fe:a9fe]/latest/")],
    "redirect to a file": lambda: [_answer(status="302 Found", location=Path("/etc/passwd").as_uri())],
    "redirect with commands": lambda: [_answer(status="302 Found", location=f"http://127.0.0.1:1/\x9b2J{ESC}")],
    "redirect in a circle": lambda: [_answer(status="302 Found", location="/")],
    "endless body": lambda: _for_ever(_answer(b"", length=False), b"a" * (1 << 16)),
    "endless headers": lambda: _for_ever(b"HTTP/1.1 200 OK\r\n", b"x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 99),
    "endless hints": lambda: _for_ever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.001),
    "drip": lambda: _for_ever(_answer(b"", length=False), b" ", 0.05),
    "gzip in gzip": lambda: [_answer(PACKED, content_encoding="gzip, gzip", content_type="application/json")],
    "packed otherwise": lambda: [_answer(b"(\xb5/\xfd" + b"\0" * 99, content_encoding="zstd", content_type="application/json")],
    "header injection": lambda: [_answer(status="503 Busy", retry_after="\xb2\xb3")],
    "a date beyond all": lambda: [_answer(status="429 Busy", retry_after="Mon, 01 Jan 0001 00:00:00 +1400")],
    "wrong content type": lambda: [_answer(b"<!DOCTYPE html><p>Sign in", content_type=f"text/html{ESC}")],
    "deep": lambda: [_answer(b'{"a":' * 600 + b"1" + b"}" * 600, content_type="application/ld+json")],
    "a huge number": lambda: [_answer(b'{"n": ' + b"9" * 9000 + b"}", content_type="application/json")],
    "half a sign": lambda: [_answer(b'{"reason": ["\\ud800"], "@type": "\\ud800"}', content_type="application/json")],
    "a reason with commands": lambda: [
        _answer(json.dumps({"reason": [ESC, "\x9b2J"]}, ensure_ascii=False).encode(), status="409 No")
    ],
    "garbage": lambda: [b"\x00\xff\x1b[2J not HTTP at all\r\n\r\n"],
}


@contextlib.contextmanager
def hostile(harm):
    """Serve one harm (a name, or blocks) on loopback, whatever is asked for; yield the address and what was asked."""
    asked = []
    blocks = HARM[harm] if isinstance(harm, str) else lambda: harm

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                asked.append(self.request.recv(65536))
                for block in blocks():
                    self.request.sendall(block)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def _dsp(url, state):
    return DspConnector("space", {"url": url, "patience": 2}, state)


def _dcat(url, state):
    return DcatConnector("space", {"url": f"{url}/catalog", "patience": 2}, state)


def _ckan(url, state):
    return DcatConnector("space", {"url": url, "api": "ckan", "harvest": False, "patience": 2}, state)


def _piveau(url, state):
    return DcatConnector("space", {"url": url, "api": "piveau", "harvest": False, "patience": 2}, state)


def _sparql(url, state):
    return DcatConnector("space", {"url": url, "api": "sparql", "harvest": False, "patience": 2}, state)


def _rest(url, state):
    return RestConnector("space", {"profile": "stac", "url": url, "patience": 2}, state)


def _simpl(url, state):
    return SimplConnector("space", {"url": url, "dialect": "v1", "patience": 2}, state)


def _edc(url, state):
    table = {"url": f"{url}/management", "provider": f"{url}/protocol", "provider_id": "did:web:hostile", "patience": 2}
    return EdcConnector("space", table, state)


CONNECTORS = {
    "dsp": _dsp, "dcat": _dcat, "ckan": _ckan, "piveau": _piveau, "sparql": _sparql, "rest": _rest, "simpl": _simpl, "edc": _edc,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Give up soon: what is bounded by minutes in use is bounded by seconds here."""
    quick = {"seconds": 1.0, "idle": 0.5, "attempts": 2, "longest_wait": 1.0, "download_seconds": 2.0}
    for kind in (HttpClient, DocumentClient):
        before = kind.__init__

        def init(self, reach, limits=None, *, sleep=time.sleep, before=before):
            import dataclasses

            limits = limits or Limits()
            least = {name: min(value, getattr(limits, name)) for name, value in quick.items()}
            before(self, reach, dataclasses.replace(limits, **least), sleep=sleep)

        monkeypatch.setattr(kind, "__init__", init)


def _is_ours(error, began):
    assert error.what
    assert not set(str(error)) & {"\x1b", "\x9b", "\ud800"}
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_hostile_counterparty_is_stopped(kind, harm, tmp_path):
    with hostile(harm) as (url, _):
        connector = CONNECTORS[kind](url, tmp_path)
        began = time.monotonic()
        # what half a sign spoils can still be an answer: that there is no such dataset
        with pytest.raises(DatalabError if harm == "half a sign" else SourceError) as caught:
            connector.offer("urn:one" if kind == "sparql" else "counts/one")
            list(connector.search(Query("counts")))
        _is_ours(caught.value, began)


@pytest.mark.parametrize(
    "harm", [name for name in HARM if name not in {"deep", "a huge number", "half a sign", "wrong content type"}]
)
def test_a_hostile_file_server_is_stopped_and_leaves_nothing(harm, tmp_path):
    landing = Landing(tmp_path)
    with hostile(harm) as (url, _), HttpClient(Reach(loopback=True)) as client:
        began = time.monotonic()
        with pytest.raises(SourceError) as caught:
            client.download(url, landing, "../../etc/cron.d/\x00evil", limit=1 << 20)
        _is_ours(caught.value, began)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("HOSTILE_KEY", "AKIAHOSTILE00000")
    monkeypatch.setenv("HOSTILE_SECRET", "s" * 40)
    terms = {"attestation": "Made by us, free of rights.", "attested_by": "steward"}
    return {"kind": "s3", "bucket": "b", "access_key": "env:HOSTILE_KEY", "secret_key": "env:HOSTILE_SECRET", **terms}


@pytest.fixture
def aborted():
    """aiohttp leaves the transports of aborted connections to the garbage collector, which complains: let it do so here."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("aborted")
@pytest.mark.slow
@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_a_store_sends_the_lab_nowhere_else(status, keys, tmp_path):
    with hostile([_answer()]) as (elsewhere, asked_there):
        redirect = _answer(b"", status=status, location=f"{elsewhere}/latest/meta-data")
        with hostile([redirect]) as (url, asked), pytest.raises(SourceError) as caught:
            S3Connector("own", {**keys, "endpoint": url}, tmp_path).offer("counts.csv")
        _is_ours(caught.value, time.monotonic())
    assert asked
    assert not asked_there


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("aborted")
@pytest.mark.slow
def test_a_listing_without_end_is_stopped(keys, tmp_path):
    with hostile("endless body") as (url, _), pytest.raises(SourceError, match="longer than"):
        S3Connector("own", {**keys, "endpoint": url}, tmp_path).offer("counts.csv")


@pytest.mark.parametrize("place", ["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"])
def test_what_tells_a_machine_its_secrets_is_never_reached(place):
    for reach in (Reach(), Reach(frozenset(("inside.example",)), loopback=True)):
        with pytest.raises(SourceError, match="out of reach"):
            reach.check_address("inside.example", place)


def test_private_addresses_of_old_are_private():
    with pytest.raises(SourceError, match="out of reach"):
        Reach().check_address("outside.example", "fec0::1")


def test_a_catalogue_page_elsewhere_is_not_told_the_token(monkeypatch, tmp_path):
    """The next page of a DSP catalogue on another server is refused; that of an RDF catalogue is read, without the token."""
    monkeypatch.setenv("HOSTILE_TOKEN", "a-token-of-ours")
    page = _answer(b"<urn:x> a <http://www.w3.org/ns/dcat#Dataset> .", content_type="text/turtle")
    with hostile([page]) as (elsewhere, asked):
        first = f"<> <http://www.w3.org/ns/hydra/core#next> <{elsewhere}/2> ; a <http://www.w3.org/ns/hydra/core#PartialCollectionView> .".encode()
        with hostile([_answer(first, content_type="text/turtle")]) as (url, own):
            table = {"url": f"{url}/catalog", "token_env": "HOSTILE_TOKEN", "patience": 2}
            list(DcatConnector("space", table, tmp_path).search(Query("")))
    assert b"a-token-of-ours" in own[0]
    assert asked
    assert not any(b"a-token-of-ours" in each for each in asked)


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_the_key_of_a_management_api_goes_nowhere_else(status, monkeypatch, tmp_path):
    monkeypatch.setenv("HOSTILE_KEY", "a-key-of-ours")
    with contextlib.ExitStack() as servers:
        elsewhere, asked_there = servers.enter_context(hostile([_answer()]))
        redirect = _answer(b"", status=status, location=f"{elsewhere}/management")
        url, asked = servers.enter_context(hostile([redirect]))
        table = {"url": f"{url}/management", "provider": f"{url}/protocol", "provider_id": "p", "api_key": "env:HOSTILE_KEY"}
        with pytest.raises(SourceError, match="redirect"):
            EdcConnector("space", table, tmp_path).offer("counts")
    assert b"a-key-of-ours" in asked[0]
    assert not asked_there


def test_a_token_that_no_header_can_carry_is_not_sent():
    with hostile([_answer()]) as (url, asked), HttpClient(Reach(loopback=True)) as client:
        for token in ("one\r\nx-more: two", "\N{SNOWMAN}"):
            with pytest.raises(SourceError, match="characters") as caught:
                client.get(url, token=token)
            assert "two" not in str(caught.value)
    assert not asked


def test_a_title_commands_nothing_on_the_terminal(capsys):
    from datalab.cli.output import echo, print_json, print_table

    echo(f"Counts {ESC}\x9b2J\u202e\ud800\n  from Luxembourg")
    print_table(["title"], [[f"Counts {ESC}"]])
    print_json({"title": f"Counts {ESC}\x9b2J\ud800"})
    said = capsys.readouterr().out
    assert not set(said) & set("\x1b\x9b\u202e\ud800")
    assert said.count("Counts") == 3
    assert "\n  from Luxembourg" in said
