"""Whoever keeps a door of ours open without coming in: with real sockets, at each door."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.dsp.session import Session
from datalab_connectors.landing.point import LandingPoint
from datalab_connectors.sandbox import start, stop

from datalab.ports import listening
from datalab.ports.landing import Landing
from datalab.ports.listening import Bounds
from datalab.ports.reach import Reach
from tests.unit.ports.test_listening import dripped

QUICK = Bounds(head=0.4, idle=0.4, slowest=1000, body_seconds=2.0, connections=8, tick=0.05)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(listening, "FILES", QUICK)


def door(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=5)


def gone(link):
    link.setblocking(False)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_a_callback_that_drips_ends_and_the_next_is_heard(quick, tmp_path):
    session = Session(tmp_path / "c.sqlite", Reach(loopback=True), Doorstep(), "")
    try:
        with door(session.address) as link:
            link.sendall(b"POST /negotiations/offers HTTP/1.1\r\nhost: a\r\n")
            assert dripped(link, b"x") < 2
        with door(session.address) as link:
            link.sendall(b"POST /negotiations/offers HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n")
            assert dripped(link, b" ") < 2
        idle = [door(session.address) for _ in range(100)]
        assert httpx.get(f"{session.address}/negotiations/urn:uuid:none", timeout=5).status_code == 404
        for link in idle:
            link.close()
    finally:
        session.close()


def test_a_push_that_drips_ends_and_goes_on_where_it_was(quick, tmp_path):
    landing = Landing(tmp_path / "landing")
    with landing.receive("a.bin", limit=10_000) as arrival, LandingPoint(Doorstep(), arrival) as point:
        path = urlsplit(point.url).path
        with door(point.url) as link:
            link.sendall(f"PUT {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n".encode() + b"x" * 100)
            assert dripped(link, b"x") < 2
        came = httpx.get(point.url, timeout=5).json()["bytes"]
        assert 100 <= came < 1000
        rest = {"content-range": f"bytes {came}-4999/5000"}
        assert httpx.put(point.url, content=b"x" * (5000 - came), headers=rest, timeout=5).status_code == 201
        assert point.arrived.wait(1)
        assert point.failure is None
    assert arrival.landed.bytes == 5000


def test_a_push_without_end_is_refused(quick, tmp_path):
    landing = Landing(tmp_path / "landing")
    with contextlib.suppress(Exception), landing.receive("a.bin", limit=10_000) as arrival:
        with LandingPoint(Doorstep(), arrival) as point, door(point.url) as link:
            path = urlsplit(point.url).path
            link.sendall(f"PUT {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".encode())
            assert dripped(link, b"1000\r\n" + bytes(0x1000) + b"\r\n", every=0) < 4
            assert "larger than" in point.failure.what
        raise point.failure
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_thousand_idle_callers_do_not_shut_out_the_next(tmp_path):
    running = start(tmp_path / "sandbox")
    idle = []
    try:
        for number in range(1, 901):
            idle.append(door(running.url))
            if number % 300 == 0:
                began = time.monotonic()
                assert httpx.get(f"{running.url}/health", timeout=10).status_code == 200
                assert time.monotonic() - began < 5
        assert sum(map(gone, idle)) >= len(idle) - listening.MESSAGES.connections
    finally:
        for link in idle:
            link.close()
        stop(tmp_path / "sandbox")
