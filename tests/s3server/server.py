"""A real S3 server for a test, on loopback, and what may stand between it and a client: a wire that breaks."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datalab.ports.objectstore import Endpoint, ObjectStore, StoreLimits


@dataclass
class S3Server:
    """Versity's gateway over a folder: its buckets are folders, its objects files (ETags in extended attributes)."""

    url: str
    folder: Path
    access_key: str
    secret_key: str
    process: subprocess.Popen[bytes] = field(repr=False)

    def bucket(self, name: str) -> Path:
        """Make a bucket, if need be."""
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def table(self, bucket: str, url: str = "") -> dict[str, str]:
        """Return the settings that reach a bucket; the keys stand in the environment."""
        self.bucket(bucket)
        keys = {"access_key": "env:S3_TEST_ACCESS", "secret_key": "env:S3_TEST_SECRET"}
        return {"endpoint": url or self.url, "bucket": bucket, **keys}

    def store(self, url: str = "", **limits: Any) -> ObjectStore:
        """Return the store as a client sees it, with short patience."""
        keys = {"access_key": "env:S3_TEST_ACCESS", "secret_key": "env:S3_TEST_SECRET"}
        patient = {"connect": 2.0, "idle": 3.0, "seconds": 15.0, "backoff": 0.02, **limits}
        return ObjectStore(Endpoint(url or self.url, **keys), StoreLimits(**patient), where="a test")


@contextlib.contextmanager
def serve(binary: Path, folder: Path) -> Iterator[S3Server]:
    """Start the server on a free port and end it with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    access, secret = f"AK{secrets.token_hex(9).upper()}", secrets.token_hex(20)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret}
    command = [binary, "--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive", "posix", folder]
    process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, "the S3 server ended at once"
            assert time.monotonic() < deadline, "the S3 server does not listen"
            time.sleep(0.02)
        yield S3Server(f"http://127.0.0.1:{port}", folder, access, secret, process)
    finally:
        process.kill()
        process.wait()


class Wire:
    """A TCP proxy before a server. ``answer`` may speak in its stead, ``cut`` breaks an answer after so many bytes, ``slow`` drips it.

    ``answer`` is asked with the head of each request and returns the bytes to answer with, or None to pass it on.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.answer: Callable[[bytes], bytes | None] = lambda head: None
        self.cut: list[int] = []
        """Byte counts after which the next connections break, one each."""
        self.slow = 0.0
        self.heads: list[bytes] = []
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), timeout=1).close()
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                block = client.recv(65536)
                if not block:
                    return
                head += block
            self.heads.append(head.partition(b"\r\n\r\n")[0])
            kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            head = b"\r\n".join([kept[0], b"Connection: close", *kept[1:]])  # one request a connection: each head is seen
            spoken = self.answer(head)
            if spoken is not None:
                client.sendall(spoken)
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                server.sendall(head)
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
                left = self.cut.pop(0) if self.cut and head.startswith(b"GET") else None
                while block := server.recv(65536):
                    if left is not None and len(block) >= left:
                        client.sendall(block[:left])
                        break
                    left = left - len(block) if left is not None else None
                    client.sendall(block)
                    if self.slow:
                        time.sleep(self.slow)
                client.shutdown(socket.SHUT_RDWR)  # the pump still reads: a close alone would not be seen

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)
