"""A server over plain HTTP that does whatever a counterparty may do."""

from __future__ import annotations

import contextlib
import hashlib
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()
TOKEN = "tok-1234567890abcdef"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in {"content_length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        getattr(self, "on" + self.path.split("?")[0].replace("/", "_"))()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def on_ok(self):
        self.reply(200, b'{"a": 1}')

    def on_garbage(self):
        self.reply(200, b"<html>sorry</html>", content_type="text/html")

    def on_nan(self):
        self.reply(200, b'{"a": NaN}')

    def on_deep(self):
        self.reply(200, b"[" * 90_000)

    def on_big(self):
        self.reply(200, b'"' + b"x" * 200_000 + b'"')

    def on_endless(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"[" * 65536)

    def on_drip(self):
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.05)
        self.close_connection = True

    def on_drip_headers(self):
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"H")
                time.sleep(0.05)
        self.close_connection = True

    def on_busy(self):
        times = sum(path == "/busy" for path, _ in self.server.seen)
        self.reply(503, retry_after="0") if times < 3 else self.reply(200, b"[]")

    def on_very_busy(self):
        self.reply(429, retry_after="86400")

    def on_broken(self):
        self.reply(502)

    def on_error(self):
        body = f'{{"reason": ["Authorization: Bearer {TOKEN} is wrong", "{TOKEN}"]}}'.encode()
        self.reply(404, body)

    def on_forbidden(self):
        self.reply(403)

    def on_metadata(self):
        self.reply(302, location="http://169.254.169.254/latest/meta-data/")

    def on_file_scheme(self):
        self.reply(302, location=Path("/etc/passwd").as_uri())

    def on_loop(self):
        self.reply(302, location="/loop")

    def on_away(self):
        self.reply(302, location=f"http://127.0.0.1:{self.server.other}/ok")

    def on_moved(self):
        self.reply(302, location="/ok")

    def on_file(self):
        self.reply(200, DATA, etag='"v1"')

    def on_silent(self):
        if len(self.server.seen) > 1:
            self._cut(ranges=True)
            return
        self.send_response(200)
        self.send_header("content-length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA[:300_000])
        time.sleep(1)
        self.close_connection = True

    def on_more_than_announced(self):
        self.reply(200, DATA + b"more", content_length=str(len(DATA)))
        self.close_connection = True

    def on_cut(self):
        self._cut(ranges=True)

    def on_cut_without_ranges(self):
        self._cut(ranges=False)

    def on_changing(self):
        data = DATA if len(self.server.seen) == 1 else DATA[::-1]
        self._cut(ranges=False, data=data)

    def _cut(self, *, ranges, data=DATA):
        start, asked = 0, self.headers.get("range")
        if asked and ranges:
            start = int(asked[6:-1])
            self.send_response(206)
            self.send_header("content-range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("content-length", str(len(data) - start))
        self.end_headers()
        end = len(data) if len(self.server.seen) > 2 else start + 400_000
        self.wfile.write(data[start:end])
        self.close_connection = True

    def on_wrong_range(self):
        if self.headers.get("range"):
            self.reply(206, DATA[:10], content_range=f"bytes 0-9/{len(DATA)}")
        else:
            self._cut(ranges=True)

    def on_bomb(self):
        import gzip

        self.reply(200, gzip.compress(b" " * 10_000_000), content_encoding="gzip")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    other = 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []

    def handle_error(self, request, client_address):
        pass
