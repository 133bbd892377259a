"""A web server that misbehaves on order: what a connector meets outside."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Site:
    """Pages by path: bytes with a media type, or a function of the query. ``troubles`` are met in order by the requests for a path.

    What is no page is asked of ``upstream``, if there is one.
    """

    url: str = ""
    upstream: str = ""
    pages: dict[str, tuple[str, bytes] | Callable[[str], tuple[str, bytes]]] = field(default_factory=dict)
    troubles: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    unchanged: int = 0
    passed_on: Callable[[dict[str, str]], dict[str, str]] = dict
    """What becomes of the headers of a request that is passed on."""

    def trouble(self, path: str, *kinds: str) -> list[str]:
        """Let the next requests for what starts with ``path`` meet these, in order; return those that were not met yet.

        They are: cut, 429, 503, 500, drip, garbage, html.
        """
        self.troubles[path] = list(kinds)
        return self.troubles[path]

    def next_trouble(self, path: str) -> str:
        return next((kinds.pop(0) for start, kinds in self.troubles.items() if kinds and path.startswith(start)), "")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def site(self):
        return self.server.site

    def do_GET(self):
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = urlsplit(self.path)
        self.site.asked.append(self.path)
        trouble = self.site.next_trouble(parts.path)
        page = self.site.pages.get(parts.path)
        if trouble.isdigit():
            self.answer(int(trouble), "text/plain", b"busy", {"retry-after": "1"} if trouble == "429" else {})
        elif trouble == "garbage":
            self.answer(200, "application/json", b"\x00\xff<<garbage" * 20)
        elif trouble == "html":
            self.answer(200, "text/html", b"<!DOCTYPE html><html><body>Sign in</body></html>")
        elif page is not None:
            self.page(*(page(parts.query) if callable(page) else page), trouble)
        elif self.site.upstream:
            self.relay(sent, trouble)
        else:
            self.answer(404, "text/plain", b"there is nothing here")

    def do_POST(self):
        self.do_GET()

    def page(self, kind, body, trouble):
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        if self.headers.get("if-none-match") == tag:
            self.site.unchanged += 1
            self.answer(304, kind, b"", {"etag": tag})
            return
        start = 0
        if (span := self.headers.get("range", "")) and self.headers.get("if-range", tag) == tag:
            self.site.ranges.append(span)
            start = int(span.removeprefix("bytes=").rstrip("-"))
        part = {"content-range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self.answer(206 if start else 200, kind, body[start:], {"etag": tag} | part, trouble)

    def relay(self, sent, trouble):
        upstream = http.client.HTTPConnection(self.site.upstream.removeprefix("http://"), timeout=30)
        with contextlib.closing(upstream):
            passed = {key: value for key, value in self.headers.items() if key.lower() not in {"host", "content-length"}}
            upstream.request(self.command, self.path, sent, self.site.passed_on(passed))
            answer = upstream.getresponse()
            body = answer.read()
        kept = {name: answer.headers[name] for name in ("etag", "content-range", "location") if name in answer.headers}
        if "content-range" in kept:
            self.site.ranges.append(self.headers.get("range", ""))
        self.answer(answer.status, answer.getheader("content-type", ""), body, kept, trouble)

    def answer(self, status, kind, body, headers=None, trouble=""):
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            if trouble == "cut":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
            elif trouble == "drip":
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    self.wfile.flush()
                    time.sleep(0.1)
            else:
                self.wfile.write(body)

    def log_message(self, *args):
        pass

    def finish(self):
        with contextlib.suppress(OSError):
            super().finish()


@contextlib.contextmanager
def site(upstream: str = "") -> Iterator[Site]:
    """Serve a site on loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.site = Site(f"http://127.0.0.1:{server.server_address[1]}", upstream)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.site
        finally:
            server.shutdown()
            thread.join()
