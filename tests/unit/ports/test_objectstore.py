"""The door to object stores, against a real S3 server and a wire before it that breaks."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from datalab.errors import NotFound, ReadError, SettingsError, SourceError, VerificationFailed
from datalab.ports.landing import Landing
from datalab.ports.objectfetch import fetch_object
from datalab.ports.objectput import put_verified
from datalab.ports.objectstore import Endpoint, KeysExpired, ObjectStore, StoredObject

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message></Error>"
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired</Message></Error>"
KEYS = {"access_key": "env:S3_TEST_ACCESS", "secret_key": "env:S3_TEST_SECRET"}


def said(status, body=b""):
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(body), body)


@pytest.fixture
def bucket(s3server, request):
    name = f"b{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
    s3server.bucket(name)
    return name


@pytest.fixture
def put(s3server, bucket, tmp_path):
    """Put bytes under a key, without the metadata that our own uploads have."""

    def putting(key, content, **more):
        with s3server.store() as store:
            store.run(store.call("put_object", Bucket=bucket, Key=key, Body=content, **more), key)

    return putting


@pytest.mark.server
@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5007])
def test_what_is_put_is_what_lands(s3server, bucket, tmp_path, size):
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(size))
    moved = []
    with s3server.store() as store:
        stored = put_verified(store, file, bucket, "a/file.bin", progress=lambda *told: moved.append(told))
    with s3server.store(part=1000) as store:
        landed = fetch_object(store, store.head(bucket, "a/file.bin"), Landing(tmp_path / "landing"), name="x", limit=1 << 20)

    assert landed.path.read_bytes() == file.read_bytes()
    assert stored == StoredObject(bucket, "a/file.bin", size, stored.etag, landed.sha256)
    assert moved[-1] == ("file.bin", size, size)
    assert [path for path in (tmp_path / "landing").iterdir() if path.is_file()] == []


@pytest.mark.server
def test_a_listing_is_in_order_and_bounded(s3server, bucket, put):
    for number in range(12):
        put(f"in/{number:02}.csv", b"x")
    put("other.csv", b"x")
    with s3server.store() as store:
        assert [item.key for item in store.listing(bucket, "in/", limit=5)] == [f"in/{number:02}.csv" for number in range(5)]
        assert len(list(store.listing(bucket, "in/"))) == 12
        assert list(store.listing(bucket, "nothing/")) == []


@pytest.mark.server
def test_what_is_not_there(s3server, bucket):
    with s3server.store() as store:
        with pytest.raises(NotFound, match="object does not exist"):
            store.head(bucket, "nothing")
        with pytest.raises(NotFound, match="bucket does not exist"):
            list(store.listing("no-such-bucket"))
        with pytest.raises(SourceError, match="Invalid bucket name"):
            list(store.listing("not a bucket"))


@pytest.mark.server
def test_a_wrong_key_is_refused_and_never_shown(s3server, bucket, monkeypatch, leaks):
    monkeypatch.setenv("S3_TEST_SECRET", "wrongwrongwrongwrong")
    leaks.watch("wrongwrongwrongwrong", "a wrong secret key")
    with s3server.store() as store, pytest.raises(SourceError, match="refuses these keys") as caught:
        list(store.listing(bucket))
    assert "wrongwrong" not in str(caught.value)
    assert s3server.access_key not in str(caught.value)


@pytest.mark.server
def test_a_key_that_nobody_has_is_refused(s3server, bucket, monkeypatch):
    monkeypatch.setenv("S3_TEST_ACCESS", "AKNOBODYNOBODY")
    with s3server.store() as store, pytest.raises(SourceError, match="refuses these keys"):
        list(store.listing(bucket))


@pytest.mark.server
def test_a_busy_store_is_asked_again(s3server, wire, bucket, put):
    put("a", b"1")
    answers = [said(b"503 Slow Down", SLOW_DOWN), said(b"503 Slow Down", SLOW_DOWN)]
    wire.answer = lambda head: answers.pop(0) if answers else None
    with s3server.store(wire.url) as store:
        assert store.head(bucket, "a").bytes == 1
    assert answers == []


@pytest.mark.server
def test_a_store_that_stays_busy_has_failed(s3server, wire, bucket):
    wire.answer = lambda head: said(b"503 Slow Down", SLOW_DOWN)
    with s3server.store(wire.url, attempts=2) as store, pytest.raises(SourceError, match="busy at every attempt"):
        list(store.listing(bucket))


@pytest.mark.server
def test_an_expired_token_is_told_as_such(s3server, wire, bucket):
    wire.answer = lambda head: said(b"400 Bad Request", EXPIRED)
    with s3server.store(wire.url) as store, pytest.raises(KeysExpired, match="session token has expired"):
        list(store.listing(bucket))


@pytest.mark.server
def test_garbage_is_a_clear_error(s3server, wire, bucket):
    wire.answer = lambda head: said(b"200 OK", b"<html>hello")
    with s3server.store(wire.url, attempts=1) as store, pytest.raises(SourceError):
        list(store.listing(bucket))


@pytest.mark.server
def test_a_cut_connection_is_taken_up_where_it_broke(s3server, wire, bucket, put, tmp_path):
    content = os.urandom(300_000)
    put("a", content)
    wire.cut = [50_000, 120_000]
    with s3server.store(wire.url, part=1 << 20) as store:
        landed = fetch_object(store, store.head(bucket, "a"), Landing(tmp_path), name="a", limit=1 << 20)
    ranges = [line for head in wire.heads for line in head.decode().lower().splitlines() if line.startswith("range:")]

    assert landed.path.read_bytes() == content
    assert ranges[0] == "range: bytes=0-299999"
    assert len(ranges) == 3
    assert len({line.partition("=")[2].partition("-")[0] for line in ranges}) == 3


@pytest.mark.server
def test_a_store_that_cuts_for_ever_has_failed(s3server, wire, bucket, put, tmp_path):
    put("a", os.urandom(100_000))
    wire.cut = [200] * 50
    landing = Landing(tmp_path)
    with s3server.store(wire.url, attempts=2) as store:
        found = store.head(bucket, "a")
        with pytest.raises(SourceError):
            fetch_object(store, found, landing, name="a", limit=1 << 20)
    assert list(landing.objects()) == []


@pytest.mark.server
def test_a_dripping_store_is_left(s3server, wire, bucket, put, tmp_path):
    put("a", os.urandom(4_000_000))
    wire.slow = 0.3
    with s3server.store(wire.url, idle=1.0, slowest=1e9) as store:
        found = store.head(bucket, "a")
        with pytest.raises(SourceError, match="slower than"):
            fetch_object(store, found, Landing(tmp_path), name="a", limit=1 << 30)


@pytest.mark.server
def test_what_has_come_is_kept_and_verified(s3server, wire, bucket, put, tmp_path):
    content = os.urandom(100_000)
    put("a", content)
    landing = Landing(tmp_path)

    class Stopped(BaseException):
        pass

    def stop(what, done, total):
        if done:
            raise Stopped

    with s3server.store(wire.url, part=10_000, together=1) as store:
        found = store.head(bucket, "a")
        with pytest.raises(Stopped):
            fetch_object(store, found, landing, name="a", limit=1 << 20, progress=stop)
    [kept] = tmp_path.glob(".arriving-object-*.journal")
    parts = kept.read_text().splitlines()[1:]
    partial = kept.with_suffix("")
    damaged = bytearray(partial.read_bytes())
    damaged[3] ^= 1
    partial.write_bytes(damaged)
    wire.heads.clear()

    with s3server.store(wire.url, part=10_000) as store:
        landed = fetch_object(store, found, landing, name="a", limit=1 << 20)
    asked = [head for head in wire.heads if b"range: bytes" in head.lower()]
    assert landed.path.read_bytes() == content
    assert any(b"bytes=0-9999" in head for head in asked)
    assert len(asked) == 10 - len(parts) + 1


@pytest.mark.server
def test_an_object_that_changed_does_not_land(s3server, bucket, put, tmp_path):
    put("a", b"one")
    with s3server.store() as store:
        found = store.head(bucket, "a")
        put("a", b"two")
        with pytest.raises(SourceError, match="changed"):
            fetch_object(store, found, Landing(tmp_path), name="a", limit=100)


@pytest.mark.server
def test_bytes_that_are_not_what_the_etag_says_do_not_land(s3server, bucket, put, tmp_path):
    put("a", b"one")
    (s3server.folder / bucket / "a").write_bytes(b"two")
    landing = Landing(tmp_path)
    with s3server.store() as store:
        found = store.head(bucket, "a")
        with pytest.raises(SourceError, match="differ"):
            fetch_object(store, found, landing, name="a", limit=100)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert fetch_object(store, found, landing, name="a", limit=100, md5_etags=False).path.read_bytes() == b"two"


@pytest.mark.server
def test_a_larger_object_than_allowed_is_not_begun(s3server, bucket, put, tmp_path):
    put("a", b"12345")
    with s3server.store() as store, pytest.raises(SourceError, match="more than the 4 allowed"):
        fetch_object(store, store.head(bucket, "a"), Landing(tmp_path), name="a", limit=4)


@pytest.mark.server
def test_a_small_object_is_read_whole_or_refused(s3server, bucket, put):
    put("policy.json", b"{}")
    with s3server.store() as store:
        assert store.read(bucket, "policy.json") == b"{}"
        with pytest.raises(SourceError, match="more than 1 bytes"):
            store.read(bucket, "policy.json", limit=1)


@pytest.mark.server
def test_an_upload_goes_on_with_the_parts_that_are_there(s3server, wire, bucket, tmp_path):
    part = 5 << 20
    file = tmp_path / "big.bin"
    file.write_bytes(os.urandom(part * 3 + 17))
    content = file.read_bytes()
    with s3server.store() as store:
        to = {"Bucket": bucket, "Key": "big.bin"}
        noted = {"sha256": hashlib.sha256(content).hexdigest()}
        upload = store.run(store.call("create_multipart_upload", **to, Metadata=noted), "")["UploadId"]
        for number, body in ((1, content[:part]), (2, b"something else" * 400_000)):
            store.run(store.call("upload_part", **to, UploadId=upload, PartNumber=number, Body=body), "")
    with s3server.store(wire.url, part=part) as store:
        stored = put_verified(store, file, bucket, "big.bin")
        again = put_verified(store, file, bucket, "big.bin")
    sent = [number for number in range(1, 5) if any(f"partNumber={number}&".encode() in head for head in wire.heads)]

    assert stored == again
    assert stored.bytes == len(content)
    assert (s3server.folder / bucket / "big.bin").read_bytes() == content
    assert 1 not in sent


@pytest.mark.server
def test_a_store_that_holds_something_else_is_found_out(s3server, bucket, tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\n1,2\n")

    class Framing(ObjectStore):
        """Holds the upload's framing as data, as a server was seen to do."""

        def head(self, bucket, key):
            held = s3server.folder / bucket / key
            if held.exists():
                held.write_bytes(b"8\r\n" + b"a,b\n1,2\n" + b"\r\n0\r\n")
            return super().head(bucket, key)

    with Framing(Endpoint(s3server.url, **KEYS)) as store, pytest.raises(VerificationFailed, match="something else"):
        put_verified(store, file, bucket, "a.csv")
    assert not (s3server.folder / bucket / "a.csv").exists()


@pytest.mark.server
def test_a_store_that_takes_a_file_and_holds_nothing_is_found_out(s3server, wire, bucket, tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")
    wire.answer = lambda head: said(b"200 OK") if head.startswith(b"PUT") else None
    with s3server.store(wire.url) as store, pytest.raises(VerificationFailed, match="holds nothing"):
        put_verified(store, file, bucket, "a.csv")


@pytest.mark.server
def test_another_file_than_the_one_to_be_put_is_not_sent(s3server, bucket, tmp_path):
    with s3server.store() as store:
        with pytest.raises(ReadError):
            put_verified(store, tmp_path / "nothing", bucket, "a")
        (tmp_path / "a").write_bytes(b"a")
        with pytest.raises(VerificationFailed, match="not the one"):
            put_verified(store, tmp_path / "a", bucket, "a", sha256="0" * 64)


@pytest.mark.server
def test_nothing_of_the_environment_counts(s3server, bucket, put, monkeypatch, tmp_path):
    put("a", b"1")
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:1\nregion = nowhere\n")
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKnothing",
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    with s3server.store() as store:
        assert store.head(bucket, "a").bytes == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://169.254.169.254", SourceError),
        ("https://169.254.169.254", SourceError),
        ("https://[fe80::1]", SourceError),
        ("https://0.0.0.0", SourceError),
        ("ftp://example.org", SourceError),
        ("https://me:secret@example.org", SourceError),
        ("http://example.org", SettingsError),
    ],
)
def test_endpoints_out_of_reach(url, error):
    with pytest.raises(error):
        ObjectStore(Endpoint(url, anonymous=True, plain_http="169" in url))


def test_an_endpoint_without_keys_must_be_called_anonymous():
    with pytest.raises(SettingsError, match="anonymous = true"):
        ObjectStore(Endpoint("https://example.org"))


def test_another_host_than_the_endpoints_is_not_resolved():
    from datalab.ports.objectstore import _resolver
    from datalab.ports.reach import Reach

    resolver = _resolver(Reach(frozenset(("localhost",)), loopback=True), "localhost")

    async def resolve(host):
        return [entry["host"] for entry in await resolver.resolve(host, 80, family=0)]

    assert set(asyncio.run(resolve("localhost"))) <= {"127.0.0.1", "::1"}
    with pytest.raises(SourceError, match="not the endpoint's"):
        asyncio.run(resolve("metadata.internal"))


def test_a_name_that_stands_for_a_private_address_is_refused(monkeypatch):
    import socket

    from datalab.ports.objectstore import _resolver
    from datalab.ports.reach import Reach

    def link_local(*arguments, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", link_local)
    resolver = _resolver(Reach(frozenset(("store.example",))), "store.example")
    with pytest.raises(SourceError, match="out of reach"):
        asyncio.run(resolver.resolve("bucket.store.example", 443))
