"""A gigabyte into a bucket and out of it, killed (kill -9) in the middle and resumed, on a real S3 server."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datalab.ports.landing import Landing
from datalab.ports.objectfetch import fetch_object
from datalab.ports.objectput import put_verified

SIZE = 1 << 30
PART = 16 << 20
ROOT = Path(__file__).parents[2]
WORKER = """
import sys
from pathlib import Path
from datalab.ports.landing import Landing
from datalab.ports.objectfetch import fetch_object
from datalab.ports.objectput import put_verified
from datalab.ports.objectstore import Endpoint, ObjectStore

verb, url, file, folder = sys.argv[1:]
told = lambda what, done, total: print(done, flush=True)
with ObjectStore(Endpoint(url, access_key="env:S3_TEST_ACCESS", secret_key="env:S3_TEST_SECRET")) as store:
    if verb == "put":
        put_verified(store, Path(file), "large", "big.bin", progress=told)
    else:
        fetch_object(store, store.head("large", "big.bin"), Landing(Path(folder)), name="big.bin", limit=1 << 40, progress=told)
"""


def killed(verb, url, file, folder, at):
    """Run a transfer in a process of its own and kill it once ``at`` bytes have moved; return the bytes it told last."""
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "connectors")])}
    command = [sys.executable, "-c", WORKER, verb, url, str(file), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=settings, text=True) as process:
        assert process.stdout is not None
        last = 0
        for line in process.stdout:
            last = int(line)
            if last >= at:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    assert process.returncode == -signal.SIGKILL
    return last


@pytest.fixture
def big(tmp_path):
    """A file of one gigabyte of which no two parts are alike, and its SHA-256."""
    block, digest = os.urandom(1 << 20), hashlib.sha256()
    with (tmp_path / "big.bin").open("wb") as stream:
        for number in range(SIZE // len(block)):
            piece = number.to_bytes(8, "little") + block[8:]
            stream.write(piece)
            digest.update(piece)
    return tmp_path / "big.bin", digest.hexdigest()


@pytest.mark.slow
@pytest.mark.server
def test_a_gigabyte_there_and_back_through_kills(s3server, wire, big, tmp_path):
    file, sha256 = big
    held = s3server.bucket("large") / "big.bin"
    sent = killed("put", wire.url, file, tmp_path / "landing", SIZE // 3)
    assert not held.exists()
    assert sent < SIZE
    put_before = sum(head.startswith(b"PUT") for head in wire.heads)

    with s3server.store(wire.url, part=PART, seconds=60, idle=30) as store:
        stored = put_verified(store, file, "large", "big.bin")
        put_after = sum(head.startswith(b"PUT") for head in wire.heads) - put_before
        assert (stored.bytes, stored.sha256, stored.etag[-3:]) == (SIZE, sha256, f"-{SIZE // PART}")
        assert put_after <= SIZE // PART - sent // PART + 4

        for at in (SIZE // 4, SIZE // 2):
            killed("fetch", wire.url, file, tmp_path / "landing", at)
            assert list(Landing(tmp_path / "landing").objects()) == []
        wire.heads.clear()
        landing, started = Landing(tmp_path / "landing"), time.monotonic()
        landed = fetch_object(store, store.head("large", "big.bin"), landing, name="big.bin", limit=SIZE)
    ranges = sum(b"range: bytes" in head.lower() for head in wire.heads)

    assert (landed.bytes, landed.sha256) == (SIZE, sha256)
    assert ranges <= SIZE // PART // 2 + 4
    assert [path.name for path in (tmp_path / "landing").iterdir() if path.is_file()] == []
    assert time.monotonic() - started < 120
