"""Data on its way: pushed and resumed, suspended in the middle, landed where nobody expects it."""

from __future__ import annotations

import datetime as dt
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.dsp.exchange import Turn

from datalab.errors import SourceError
from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab.ports.http import HttpClient, HttpRefused, Limits
from datalab.ports.landing import Landing
from datalab.ports.reach import Reach

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", territory="LU")
LARGE = bytes(range(256)) * (1 << 17)


@pytest.fixture
def agreed(provider, tmp_path):
    """A running provider and an agreement with it: (connect, offer, agreement, decision, landing)."""
    provider.post.start()

    def connect(**changes):
        return DspConnector("space", {"url": provider.url, "patience": 5, **changes}, tmp_path / "consumer")

    offer = connect().offer("bicycles")
    decision = decide_acquisition(offer, RESEARCH, moment=dt.datetime.now(dt.UTC), actor="steward")
    return connect, offer, connect().negotiate(offer, RESEARCH, decision), decision, Landing(tmp_path / "landing")


@pytest.mark.parametrize("version", ["2025-1", "2024-1"])
def test_a_push_lands(provider, agreed, holding, version):
    connect, offer, agreement, decision, landing = agreed
    pusher = connect(transport="push", version=version)
    [found] = pusher.fetch(agreement, offer, "", landing, decision, lambda *_: None)
    assert found.path.read_bytes() == (holding / "counts.csv").read_bytes()
    [transfer] = provider.store.under_way("transfer") or [None]
    assert transfer is None


def test_a_push_that_never_comes_is_an_error_and_leaves_nothing(provider, agreed):
    connect, offer, agreement, decision, landing = agreed
    provider.client.upload = lambda *_, **__: (_ for _ in ()).throw(SourceError("no way there"))
    with pytest.raises(SourceError, match="no way there"):
        connect(transport="push").fetch(agreement, offer, "", landing, decision, lambda *_: None)
    assert not [path for path in landing.root.rglob("*") if path.is_file()]


def test_suspended_in_the_middle_and_resumed_under_a_new_token(provider, agreed, holding, tmp_path):
    (holding / "counts.csv").write_bytes(LARGE)
    from datalab_connectors.sandbox.shelf import read_shelf

    provider.shelf.update(read_shelf([holding.parent]))
    connect, _, _, _, landing = agreed
    connector = connect()
    offer = connector.offer("bicycles")
    decision = decide_acquisition(offer, RESEARCH, moment=dt.datetime.now(dt.UTC), actor="steward")
    agreement = connector.negotiate(offer, RESEARCH, decision)
    seen = []

    def suspend_once(what, done, total):
        if not seen:
            [transfer] = provider.store.under_way("transfer")
            reason = {"code": "pause", "reason": ["back in a moment"]}
            assert provider.exchange.make(transfer, Turn("suspension", reason))
            threading.Timer(0.4, resume).start()
        seen.append(done)

    def resume():
        [transfer] = provider.store.under_way("transfer")
        provider.exchange.make(transfer, provider.side.resuming(transfer))

    [found] = connector.fetch(agreement, offer, "", landing, decision, suspend_once)

    assert found.path.read_bytes() == LARGE
    assert seen == sorted(seen)
    said = [body["@type"] for who, body in provider.recorder.messages if who == "sent"]
    assert said.count("TransferStartMessage") == 2
    assert "TransferSuspensionMessage" in said


class Cutting(BaseHTTPRequestHandler):
    """Takes part of the first body, then hangs up; tells what is there; takes the rest where it is told to go on."""

    there = b""
    cuts = 1
    ranges: list[str | None] = []  # noqa: RUF012 - of one test

    def do_GET(self):
        self.answer(200, b'{"bytes": %d}' % len(self.there))

    def do_PUT(self):
        kind = type(self)
        kind.ranges.append(self.headers.get("content-range"))
        left = int(self.headers["content-length"])
        if kind.cuts:
            kind.cuts -= 1
            kind.there += self.rfile.read(100_000)
            self.connection.close()
            return
        kind.there += self.rfile.read(left)
        self.answer(201, b"{}")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_cut_upload_goes_on_where_it_was(tmp_path):
    (tmp_path / "f").write_bytes(LARGE[:3_000_000])
    with ThreadingHTTPServer(("127.0.0.1", 0), Cutting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/x"
        with HttpClient(Reach(loopback=True), Limits(seconds=5, backoff=0.01)) as client:
            client.upload(url, tmp_path / "f")
            assert Cutting.there == LARGE[:3_000_000]
            assert Cutting.ranges == [None, "bytes 100000-2999999/3000000"]
            with pytest.raises(SourceError, match="no longer wanted"):
                Cutting.there = b""
                client.upload(url, tmp_path / "f", wanted=lambda: False)
        server.shutdown()
        thread.join()


def test_what_nobody_expects_does_not_land(tmp_path):
    from datalab_connectors.doorstep import Doorstep
    from datalab_connectors.dsp.callbacks import Delivery
    from datalab_connectors.dsp.session import Session

    session = Session(tmp_path / "c.sqlite", Reach(loopback=True), Doorstep(), "")
    try:
        with pytest.raises(SourceError), Landing(tmp_path / "landing").receive("f", limit=10) as arrival:
            session.deliveries["p", "f"] = Delivery("secret", arrival, threading.Lock())
            place = f"{session.address}/landing/p/f"
            right = {"authorization": "Bearer secret"}

            def put(url=place, **more):
                return httpx.put(url, trust_env=False, **more).status_code

            assert put(content=b"x") == 404
            assert put(content=b"x", headers={"authorization": "Bearer wrong"}) == 404
            assert put(place + "g", content=b"x", headers=right) == 404
            assert put(content=b"12345", headers=right) == 201
            assert put(content=b"12345", headers=right) == 416
            assert put(content=b"67", headers={**right, "content-range": "bytes 5-6/7"}) == 201
            assert httpx.get(place, headers=right, trust_env=False).json() == {"bytes": 7}
            assert put(content=b"8" * 9, headers={**right, "content-range": "bytes 7-15/16"}) == 413
            raise SourceError("enough")
    finally:
        session.close()
    time.sleep(0.05)
    assert not [path for path in (tmp_path / "landing").rglob("*") if path.is_file()]


def test_what_is_owed_from_before_is_said_under_the_name_of_who_owes_it(tmp_path, monkeypatch):
    from datalab_connectors.doorstep import Doorstep
    from datalab_connectors.dsp.session import Session
    from datalab_connectors.dsp.sessions import Key, close_idle, lend
    from datalab_connectors.dsp.store import Store

    names, speak = [], Session.speak_as

    class Hearing(Cutting):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            names.append(self.headers["authorization"])
            self.answer(200, b"")

    def late(session, token):  # the post has had time to deliver
        time.sleep(0.5)
        speak(session, token)

    monkeypatch.setattr(Session, "speak_as", late)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hearing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        before = Store(tmp_path / "c.sqlite")
        before.post(
            "p", f"http://127.0.0.1:{server.server_port}/transfers/p/completion", {"@type": "TransferCompletionMessage"}
        )
        before.close()
        with lend(Key(tmp_path / "c.sqlite", Reach(loopback=True), Doorstep()), "me"):
            pass
        close_idle()
        server.shutdown()
        thread.join()
    assert names == ["Bearer me"]


def test_a_landing_point_that_refuses_is_an_error(tmp_path):
    (tmp_path / "f").write_bytes(b"x")

    class Refusing(Cutting):
        def do_PUT(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.answer(403, b"{}")

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        Refusing.there = b""
        with HttpClient(Reach(loopback=True), Limits(seconds=5)) as client, pytest.raises(HttpRefused):
            client.upload(f"http://127.0.0.1:{server.server_address[1]}/x", tmp_path / "f")
        server.shutdown()
        thread.join()
