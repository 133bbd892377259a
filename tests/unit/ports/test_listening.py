"""Real sockets against a real server: whoever sends or reads slowly holds nothing for long."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time

import pytest

from datalab.ports.listening import FILES, MESSAGES, Bounds, server

QUICK = Bounds(head=0.4, idle=0.4, slowest=1000, body_seconds=2.0, body=100_000, connections=8, linger=0.3, tick=0.05)
MUCH = 64 << 20


class App:
    """Answers what it was sent; ``/much`` sends a lot, ``/deaf`` reads nothing."""

    def __init__(self):
        self.ended = []

    async def __call__(self, scope, receive, send):
        size, more = 0, scope["path"] != "/deaf"
        try:
            while more:
                event = await receive()
                if event["type"] == "http.disconnect":
                    return
                size, more = size + len(event.get("body", b"")), event.get("more_body", False)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if scope["path"] == "/much":
                for _ in range(MUCH >> 20):
                    await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
            await send({"type": "http.response.body", "body": str(size).encode()})
        finally:
            self.ended.append(scope["path"])


@contextlib.contextmanager
def serving(bounds, protocol):
    app = App()
    listener = socket.create_server(("127.0.0.1", 0))
    running = server(app, bounds, protocol=protocol, log_level="critical", timeout_graceful_shutdown=1)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield running, app, listener.getsockname()
    finally:
        running.should_exit = True
        thread.join(5)
        listener.close()


@pytest.fixture(params=["h11", "httptools"])
def served(request):
    with serving(QUICK, request.param) as found:
        yield found


def connected(address):
    link = socket.create_connection(address, timeout=5)
    link.settimeout(5)
    return link


def answer(link):
    """Return what comes until the other side closes; "" where it closes at once."""
    said = []
    with contextlib.suppress(ConnectionError):
        while block := link.recv(1 << 20):
            said.append(block)
    return b"".join(said)


def dripped(link, block, seconds=5.0, every=0.05):
    """Send ``block`` again and again until the other side has had enough; return after how many seconds that was."""
    began = time.monotonic()
    link.settimeout(0.001)
    while (gone := time.monotonic() - began) < seconds:
        try:
            link.sendall(block)
            if link.recv(65536) == b"":
                return gone
        except TimeoutError:
            pass
        except ConnectionError:
            return gone
        time.sleep(every)
    pytest.fail("it was held")


def alone(running):
    """Wait until no connection is left."""
    for _ in range(200):
        if not running.server_state.connections:
            return
        time.sleep(0.01)
    pytest.fail(f"{len(running.server_state.connections)} connections are left")


def test_an_ordinary_request_and_one_more_on_the_same_connection(served):
    _, _, address = served
    with connected(address) as link:
        for size in (3, 60_000, 0):
            link.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
            said = b""
            while b"\r\n0\r\n\r\n" not in said:
                said += link.recv(65536)
            assert f"\r\n{size}\r\n".encode() in said


def test_a_head_that_drips_ends(served):
    running, _, address = served
    with connected(address) as link:
        link.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n")
        assert dripped(link, b"x") < 2
    alone(running)


def test_a_second_head_that_drips_ends_too(served):
    running, _, address = served
    with connected(address) as link:
        link.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        time.sleep(0.1)
        assert dripped(link, b"G") < 2
    alone(running)


def test_who_says_nothing_is_let_go(served):
    running, _, address = served
    with connected(address) as link:
        assert answer(link) == b""
    alone(running)


def test_a_head_without_end_is_refused(served):
    running, _, address = served
    with connected(address) as link:
        link.sendall(b"GET / HTTP/1.1\r\n")
        dripped(link, b"a: " + b"x" * 4000 + b"\r\n", every=0)
    alone(running)


def test_heads_sent_ahead_of_an_answer_are_bounded(served):
    running, _, address = served
    with connected(address) as link:
        link.sendall(b"GET /much HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n")
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < 5:
                link.sendall(b"a: " + b"x" * 4000 + b"\r\n")
                link.recv(1 << 20)
    alone(running)


@pytest.mark.parametrize("framing", [b"content-length: 90000", b"transfer-encoding: chunked"])
def test_a_body_that_drips_ends(served, framing):
    running, app, address = served
    with connected(address) as link:
        link.sendall(b"POST / HTTP/1.1\r\nhost: a\r\n" + framing + b"\r\n\r\n")
        assert dripped(link, b"1\r\nx\r\n" if b"chunked" in framing else b"x") < 2
    alone(running)
    assert app.ended == ["/"]


def test_a_body_fast_enough_ends_by_its_deadline(served):
    running, _, address = served
    with connected(address) as link:
        link.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 90000\r\n\r\n")
        assert 1.5 < dripped(link, b"x" * 100) < 4  # twice the least rate
    alone(running)


@pytest.mark.parametrize("path", [b"/", b"/deaf"])
def test_a_body_without_end_is_cut(served, path):
    running, _, address = served
    with connected(address) as link:
        link.sendall(b"POST %s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" % path)
        assert dripped(link, b"1000\r\n" + bytes(0x1000) + b"\r\n", every=0) < 2
    alone(running)


def test_who_does_not_read_the_answer_is_let_go(served):
    running, app, address = served
    with connected(address) as link:
        link.sendall(b"GET /much HTTP/1.1\r\nhost: a\r\n\r\n")
        assert link.recv(8) == b"HTTP/1.1"
        alone(running)
        assert 0 < len(answer(link)) < MUCH
    assert app.ended == ["/much"]


def test_who_reads_slowly_but_steadily_gets_everything(served):
    _, _, address = served
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        link.settimeout(5)
        link.connect(address)
        link.sendall(b"GET /much HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        size, began = 0, time.monotonic()
        while block := link.recv(1 << 20):
            size += len(block)
            if time.monotonic() - began < 1.0:  # for longer than the silence allowed
                time.sleep(0.05)
    assert size > MUCH


def test_a_thousand_idle_connections_do_not_shut_out_a_caller(served):
    running, _, address = served
    idle = []
    try:
        for number in range(300):
            idle.append(connected(address))
            if number % 100 == 99:
                with connected(address) as link:
                    link.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                    assert b"200 OK" in answer(link)
                assert len(running.server_state.connections) <= QUICK.connections + 1
        alone(running)
    finally:
        for link in idle:
            link.close()


def test_who_is_served_is_not_sent_away_for_newcomers(served):
    running, _, address = served
    working = [connected(address) for _ in range(QUICK.connections)]
    for link in working:
        link.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\nconnection: close\r\n\r\n")
    while sum(one.cycle is not None for one in running.server_state.connections) < QUICK.connections:
        time.sleep(0.01)
    with connected(address) as late:
        assert answer(late) == b""
    for link in working:
        link.sendall(bytes(10))
        assert b"200 OK" in answer(link)
        link.close()


def test_the_bounds_in_use():
    assert dataclasses.replace(FILES, body=MESSAGES.body, body_seconds=MESSAGES.body_seconds) == MESSAGES
    assert MESSAGES.body > 1 << 20  # what the endpoints take themselves
