"""A web server that misbehaves on order: what a connector meets outside."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Site:
    """Pages by path: bytes with a media type, or a function of the query. ``troubles`` are met in order by the requests for a path."""

    url: str = ""
    pages: dict[str, tuple[str, bytes] | Callable[[str], tuple[str, bytes]]] = field(default_factory=dict)
    troubles: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    unchanged: int = 0

    def trouble(self, path: str, *kinds: str) -> None:
        """Let the next requests for ``path`` meet these, in order: cut, 429, 503, 500, drip, garbage, html."""
        self.troubles[path] = list(kinds)


@contextlib.contextmanager
def site() -> Iterator[Site]:  # noqa: C901
    """Serve a site on loopback."""
    held = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts = urlsplit(self.path)
            held.asked.append(self.path)
            trouble = held.troubles[parts.path].pop(0) if held.troubles.get(parts.path) else ""
            page = held.pages.get(parts.path)
            if page is None:
                self.answer(404, "text/plain", b"there is nothing here")
                return
            kind, body = page(parts.query) if callable(page) else page
            tag = f'"{hashlib.md5(body).hexdigest()}"'
            if trouble.isdigit():
                self.answer(int(trouble), "text/plain", b"busy", {"retry-after": "1"} if trouble == "429" else {})
            elif trouble == "garbage":
                self.answer(200, kind, b"\x00\xff<<garbage" * 20)
            elif trouble == "html":
                self.answer(200, "text/html", b"<!DOCTYPE html><html><body>Sign in</body></html>")
            elif self.headers.get("if-none-match") == tag:
                held.unchanged += 1
                self.answer(304, kind, b"", {"etag": tag})
            else:
                self.serve(kind, body, tag, trouble)

        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def serve(self, kind, body, tag, trouble):
            start = 0
            if (span := self.headers.get("range", "")) and self.headers.get("if-range", tag) == tag:
                held.ranges.append(span)
                start = int(span.removeprefix("bytes=").rstrip("-"))
            rest = body[start:]
            self.send_response(206 if start else 200)
            self.send_header("content-type", kind)
            self.send_header("etag", tag)
            self.send_header("content-length", str(len(rest)))
            if start:
                self.send_header("content-range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            with contextlib.suppress(OSError):
                if trouble == "cut":
                    self.wfile.write(rest[: len(rest) // 2])
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.close()
                elif trouble == "drip":
                    for place in range(len(rest)):
                        self.wfile.write(rest[place : place + 1])
                        self.wfile.flush()
                        time.sleep(0.1)
                else:
                    self.wfile.write(rest)

        def answer(self, status, kind, body, headers=None):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

        def finish(self):
            with contextlib.suppress(OSError):
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        held.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield held
        finally:
            server.shutdown()
            thread.join()
