from __future__ import annotations

import socketserver
import threading
import time

import pytest

from datalab.errors import ProtocolError, SourceError
from datalab.ports.documents import DocumentClient
from datalab.ports.http import HttpClient, HttpRefused, Limits
from datalab.ports.landing import Landing
from datalab.ports.reach import Reach
from tests.unit.ports.plain_peer import DATA, SHA, TOKEN, Server

FAST = Limits(connect=1, idle=0.5, seconds=1.5, message=100_000, attempts=3, backoff=0.01, longest_wait=0.5)


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client():
    with HttpClient(Reach(loopback=True), FAST) as ready:
        yield ready


def at(server, path):
    return f"http://127.0.0.1:{server.server_address[1]}/{path}"


def test_a_json_answer(server, client):
    answer = client.get(at(server, "ok"), token=TOKEN)
    assert answer.body == {"a": 1}
    assert answer.text == '{"a": 1}'
    assert server.seen[0][1]["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("path", ["garbage", "nan", "deep", "big", "endless", "bomb"])
def test_what_is_not_a_bounded_json_message_is_a_protocol_error(server, client, path):
    with pytest.raises(ProtocolError):
        client.get(at(server, path))


@pytest.mark.parametrize("path", ["drip", "drip_headers"])
def test_a_slow_drip_gains_no_time(server, client, path):
    started = time.monotonic()
    with pytest.raises(SourceError, match="time allowed"):
        client.get(at(server, path))
    assert time.monotonic() - started < 3


def test_a_busy_peer_is_asked_again(server, client):
    assert client.post(at(server, "busy"), {}).body == []
    assert len(server.seen) == 3


def test_a_peer_that_asks_for_a_day_has_failed(server, client):
    with pytest.raises(SourceError, match="86400"):
        client.get(at(server, "very_busy"))
    assert len(server.seen) == 1


def test_a_message_is_not_sent_twice_unless_it_may_be(server, client):
    with pytest.raises(HttpRefused) as caught:
        client.post(at(server, "broken"), {})
    assert (caught.value.status, len(server.seen)) == (502, 1)
    with pytest.raises(HttpRefused):
        client.post(at(server, "broken"), {}, repeat=True)
    assert len(server.seen) == 4


def test_no_credential_is_ever_shown(server, client):
    with pytest.raises(HttpRefused) as caught:
        client.get(at(server, "error") + f"?token={TOKEN}", token=TOKEN)
    assert TOKEN not in str(caught.value)
    assert "•••" in str(caught.value)
    assert caught.value.status == 404
    assert caught.value.__cause__ is None


def test_a_document_that_is_refused_is_told_in_the_peers_words_and_one_too_long_is_none(server):
    with DocumentClient(Reach(loopback=True), FAST) as client:
        with pytest.raises(HttpRefused, match="•••") as caught:
            client.read(at(server, "error") + f"?token={TOKEN}", token=TOKEN)
        assert TOKEN not in str(caught.value)
        assert client.read(at(server, "ok")).data == b'{"a": 1}'
        with pytest.raises(ProtocolError, match="longer than 7 bytes"):
            client.read(at(server, "ok"), limit=7)


@pytest.mark.parametrize(
    ("path", "word"), [("metadata", "169.254.169.254"), ("file_scheme", "http and https"), ("loop", "redirects")]
)
def test_redirects_do_not_lead_out(server, client, path, word):
    with pytest.raises(SourceError, match=word):
        client.get(at(server, path))


def test_a_credential_stays_with_its_host(server, client):
    client.get(at(server, "moved"), token=TOKEN)
    assert [headers.get("authorization") for _, headers in server.seen] == [f"Bearer {TOKEN}"] * 2
    with Server() as other:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        server.other = other.server_address[1]
        client.get(at(server, "away"), token=TOKEN)
        assert "authorization" not in other.seen[0][1]
        other.shutdown()


class Keyed(HttpClient):
    """A client whose peers want a key in a header of its own."""

    def _credentials(self, token):
        return {"x-api-key": token}


def test_so_does_one_in_another_header(server):
    with Keyed(Reach(loopback=True), FAST) as client, Server() as other:
        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        server.other = other.server_address[1]
        client.get(at(server, "away"), token=TOKEN)
        assert [headers.get("x-api-key") for _, headers in server.seen] == [TOKEN]
        assert "x-api-key" not in {name.lower() for name in other.seen[0][1]}
        other.shutdown()
        with pytest.raises(SourceError, match="no header can carry"):
            client.get(at(server, "ok"), token="one\r\nx-other: two")


def test_a_message_is_not_redirected(server, client):
    with pytest.raises(ProtocolError, match="redirect"):
        client.post(at(server, "moved"), {})


def test_a_dead_peer_is_a_source_error(client):
    with socketserver.TCPServer(("127.0.0.1", 0), None) as free:
        port = free.server_address[1]
    with pytest.raises(SourceError, match="connection failed"):
        client.get(f"http://127.0.0.1:{port}/")


def test_a_file_lands_under_its_digest(server, client, tmp_path):
    seen = []
    landed = client.download(
        at(server, "file"), Landing(tmp_path), "x.bin", limit=2_000_000, sha256=SHA, progress=lambda *a: seen.append(a)
    )
    assert landed.path.read_bytes() == DATA
    assert seen[-1] == ("x.bin", len(DATA), len(DATA))


@pytest.mark.parametrize("path", ["cut", "cut_without_ranges"])
def test_a_cut_connection_is_resumed(server, client, tmp_path, path):
    landed = client.download(at(server, path), Landing(tmp_path), "x", limit=2_000_000)
    assert landed.sha256 == SHA
    ranges = [headers.get("range") for _, headers in server.seen]
    assert ranges[:2] == [None, "bytes=400000-"]


def test_a_peer_that_falls_silent_within_a_file_is_asked_for_the_rest(server, client, tmp_path):
    landed = client.download(at(server, "silent"), Landing(tmp_path), "x", limit=2_000_000)
    assert landed.sha256 == SHA
    assert [headers.get("range") for _, headers in server.seen][:2] == [None, "bytes=300000-"]


def test_what_follows_a_file_is_not_part_of_it(server, client, tmp_path):
    assert client.download(at(server, "more_than_announced"), Landing(tmp_path), "x", limit=2_000_000).sha256 == SHA
    assert client.get(at(server, "ok")).body == {"a": 1}, "and not of the next answer"


def test_a_peer_whose_tokens_never_hold_does_not_keep_a_download_going(server, client, tmp_path):
    asked = []

    def renew():
        asked.append(f"token-{len(asked)}")
        return at(server, "forbidden"), asked[-1]

    with pytest.raises(HttpRefused):
        client.download(at(server, "forbidden"), Landing(tmp_path), "x", limit=1_000, renew=renew)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("path", "limit", "sha", "word"),
    [
        ("file", 1000, None, "1000"),
        ("endless", 1_000_000, None, "larger than"),
        ("file", 2_000_000, "0" * 64, "differ"),
        ("changing", 2_000_000, None, "changed"),
        ("wrong_range", 2_000_000, None, "another range"),
        ("error", 2_000_000, None, "404"),
        ("bomb", 2_000_000, None, "content encoding"),
        ("drip", 2_000_000, None, "slower"),
        ("very_busy", 2_000_000, None, "86400"),
        ("broken", 2_000_000, None, "busy"),
    ],
)
def test_what_does_not_fit_leaves_nothing_behind(server, client, tmp_path, path, limit, sha, word):
    with pytest.raises(SourceError, match=word):
        client.download(at(server, path), Landing(tmp_path), "x", limit=limit, sha256=sha, token=TOKEN)
    assert not [entry for entry in tmp_path.rglob("*") if entry.is_file()]
