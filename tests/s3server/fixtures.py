"""Fixtures for all tests: a real S3 server, a wire before it that breaks, and a REST catalogue that answers what it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.s3server.prepare import HINT, binary
from tests.s3server.server import S3Server, Wire, serve


@pytest.fixture(scope="session")
def s3server(tmp_path_factory, leaks) -> Iterator[S3Server]:
    """Versity's S3 gateway over a folder, on loopback; the test is skipped where it was not built."""
    if not binary().exists():
        pytest.skip(f"there is no S3 server: {HINT}")
    with pytest.MonkeyPatch.context() as environment, serve(binary(), tmp_path_factory.mktemp("s3")) as server:
        environment.setenv("S3_TEST_ACCESS", server.access_key)
        environment.setenv("S3_TEST_SECRET", server.secret_key)
        leaks.watch(server.secret_key, "the secret key of the S3 server")
        leaks.watch(server.access_key, "the access key of the S3 server")
        yield server


@pytest.fixture
def wire(s3server) -> Iterator[Wire]:
    """A TCP proxy before the S3 server."""
    found = Wire(int(s3server.url.rpartition(":")[2]))
    yield found
    found.close()


class Catalogue:
    """A stand-in for REST catalogues: answers in the shape that their public documents show, written by hand, not recorded.

    ``pages`` maps a path (and, where it matters, ``path?name=value``) to a body, or to (status, headers, body).
    """

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []
        catalogue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                catalogue.asked.append(self.path)
                catalogue.tokens.append(self.headers.get("authorization", ""))
                status, headers, body = catalogue.answer(self.path)
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        given = parse_qs(parts.query)
        found: Any = (404, {}, {"detail": "there is no such thing"})
        for place, page in self.pages.items():
            at, _, query = place.partition("?")
            if at == parts.path and all(given.get(name) == value for name, value in parse_qs(query).items()):
                found = page
        found = found.pop(0) if isinstance(found, list) else found
        status, headers, body = found if isinstance(found, tuple) else (200, {}, found)
        if isinstance(body, Path):
            body = body.read_bytes()
        return status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()

    def stac(self, name: str, file: Path, *, licence: str, **properties: Any) -> dict[str, Any]:
        """Put one STAC item into the collection ``bicycles``; return it."""
        content = file.read_bytes()
        asset = {"href": f"/files/{file.name}", "type": "text/csv", "title": "Counts", "file:size": len(content)}
        asset["file:checksum"] = "1220" + hashlib.sha256(content).hexdigest()
        item = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": name,
            "collection": "bicycles",
            "properties": {"title": "Bicycle counts", "datetime": "2024-01-01T00:00:00Z", **properties},
            "assets": {"csv": asset, "page": {"href": "ftp://example.org/x", "type": "text/html"}},
            "links": [],
        }
        self.pages["/search"] = {"type": "FeatureCollection", "features": [item], "links": []}
        self.pages[f"/collections/bicycles/items/{name}"] = item
        self.pages["/collections/bicycles"] = {
            "id": "bicycles",
            "license": licence,
            "providers": [{"name": "Ville de Luxembourg"}],
        }
        self.pages[f"/files/{file.name}"] = file
        return item

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    """A REST catalogue on loopback, empty at first."""
    with contextlib.closing(Catalogue()) as found:
        yield found
