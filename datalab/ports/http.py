"""The hardened HTTP client of the connectors: bounded in reach, size, time, redirects and retries; silent about secrets.

Every failure is a ``SourceError`` (the outside did not deliver) or a ``ProtocolError`` (it delivered something else).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import hashlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from datalab.errors import ProtocolError, SourceError
from datalab.ports.bodies import Nested, parse_json, rest_of, whole
from datalab.ports.landing import Arrival, Landed, Landing
from datalab.ports.limits import Answer, HttpRefused, Limits
from datalab.ports.reach import Deadline, GuardedBackend, Reach, shown
from datalab.ports.tls import handshake_failure
from datalab.ports.transport import Transport

__all__ = ["Answer", "HttpClient", "HttpRefused", "Limits", "Reach"]

_RETRIED = frozenset((429, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_BEARER = re.compile(r"(?i)(bearer|token|authorization|password|secret|key)([\s:=\"']+)[A-Za-z0-9._~+/=-]{8,}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


class HttpClient:
    """A client for one counterparty. Not a browser: no cookies, no proxy or credentials from the environment."""

    def __init__(self, reach: Reach, limits: Limits | None = None, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.reach = reach
        self.limits = limits or Limits()
        self._sleep = sleep
        self._secrets: set[str] = set()
        self._deadline = Deadline()
        self._transport = Transport(GuardedBackend(reach, self._deadline), reach.tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def hide(self, secret: str) -> None:
        """Keep a secret that travels in addresses out of everything that is told."""
        self._remember(secret)

    def redact(self, text: str) -> str:
        """Return ``text`` without any credential that this client was given, and without what looks like one."""
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return _BEARER.sub(r"\1\2•••", text)

    def get(self, url: str, *, token: str = "", expect: Collection[int] = (200,)) -> Answer:
        """Return the JSON at ``url``, following a few redirects; a broken or busy peer is asked again."""
        return self._message("GET", url, None, token, expect, repeat=True)

    def post(
        self, url: str, body: Any, *, token: str = "", expect: Collection[int] = (200, 201, 202, 204), repeat: bool = False
    ) -> Answer:
        """Send a JSON message. Without ``repeat`` it is sent again only where it certainly did not arrive."""
        return self._message("POST", url, json.dumps(body, ensure_ascii=False).encode(), token, expect, repeat=repeat)

    def download(
        self,
        url: str,
        landing: Landing,
        name: str,
        *,
        limit: int,
        sha256: str | None = None,
        token: str = "",
        renew: Callable[[], tuple[str, str] | None] | None = None,
        progress: Callable[[str, int, int | None], None] | None = None,
        check: Callable[[Path], None] | None = None,
    ) -> Landed:
        """Stream one file of at most ``limit`` bytes into the landing folder; a cut connection is resumed by Range.

        ``renew`` is asked for another address and token where the peer no longer takes this one; None: there is none. It is
        asked again only after bytes have come.
        """
        self._remember(token)
        mark = -1
        with landing.receive(name, limit=limit, sha256=sha256, check=check) as arrival:
            while True:
                try:
                    self._fill(arrival, url, token, limit, progress)
                    break
                except HttpRefused as error:
                    asks = renew is not None and error.status in {401, 403} and arrival.size > mark
                    renewed = renew() if renew is not None and asks else None
                    if renewed is None:
                        raise
                    mark = arrival.size
                    url, token = renewed
                    self._remember(token)
        assert arrival.landed is not None
        return arrival.landed

    def upload(self, url: str, path: Path, *, token: str = "", wanted: Callable[[], bool] = lambda: True) -> None:
        """Send a file by PUT, resumed by Content-Range where the peer says how much of it is there (GET: ``{"bytes": n}``).

        Raise ``SourceError`` as soon as it is no longer ``wanted``, and where the peer does not take it.
        """
        self._remember(token)
        deadline = time.monotonic() + self.limits.download_seconds
        failures, mark = 0, -1
        while True:
            try:
                there = self._there(url, token)
                self._send(url, path, there, token, wanted, deadline)
            except _BROKEN as error:
                failures, mark = (0 if there > mark else failures) + 1, there
                if failures >= self.limits.attempts or time.monotonic() > deadline:
                    raise self._broken(error, url) from None
                self._sleep(self._backoff(failures))
            else:
                return

    def _there(self, url: str, token: str) -> int:
        """Return how many bytes of a file have arrived at a landing point; 0 where it does not say."""
        try:
            body = self.get(url, token=token).body
        except SourceError:
            return 0
        found = body.get("bytes") if isinstance(body, dict) else None
        return found if isinstance(found, int) and found >= 0 else 0

    def _send(self, url: str, path: Path, start: int, token: str, wanted: Callable[[], bool], deadline: float) -> None:
        size = path.stat().st_size
        headers = {"content-length": str(size - start), "content-type": "application/octet-stream"}
        if start:
            headers["content-range"] = f"bytes {start}-{size - 1}/{size}"

        def blocks() -> Iterator[bytes]:
            with path.open("rb") as stream:
                stream.seek(start)
                while block := stream.read(1 << 20):
                    if not wanted():
                        raise SourceError("the file is no longer wanted", where=shown(url))
                    yield block

        with self._exchange("PUT", url, headers, blocks(), token, deadline) as response:
            self._answer(response, url, (200, 201, 202, 204))

    def _message(
        self, method: str, url: str, content: bytes | None, token: str, expect: Collection[int], *, repeat: bool
    ) -> Answer:
        self._remember(token)
        deadline = time.monotonic() + self.limits.seconds
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if content is not None else {})
        for attempt in range(1, self.limits.attempts + 1):
            try:
                with self._exchange(method, url, headers, content, token, deadline) as response:
                    wait = self._wait(response, attempt) if response.status_code in _RETRIED else None
                    if wait is None or not (repeat or response.status_code in {429, 503}) or attempt == self.limits.attempts:
                        return self._answer(response, url, expect)
            except _BROKEN as error:
                unsent = isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout)
                if not (repeat or unsent) or attempt == self.limits.attempts or time.monotonic() >= deadline:
                    raise self._broken(error, url) from None
                wait = self._backoff(attempt)
            self._sleep(min(wait, max(0.0, deadline - time.monotonic())))
        raise AssertionError("unreachable")

    def _answer(self, response: httpx.Response, url: str, expect: Collection[int]) -> Answer:
        try:
            data = whole(response, self.limits.message, url)
        except ProtocolError:
            if response.status_code in expect:
                raise
            data = b""  # a refusal stays one, whatever stands in it
        text, body, fault = "", None, ""
        try:
            text = data.decode("utf-8")
            body = parse_json(text) if text.strip() else None
        except ValueError as error:
            fault = "nested beyond measure" if isinstance(error, Nested) else "not JSON"
        if response.status_code not in expect:
            reasons = body.get("reason") or body.get("detail") if isinstance(body, dict) else ""
            reason = self.redact(json.dumps(reasons, ensure_ascii=False)[:300]) if reasons else ""
            raise self._refused(response.status_code, url, body, reason)
        if fault:
            kind = self.redact(response.headers.get("content-type", "no content type"))[:60]
            raise ProtocolError(f"the answer is {fault} ({kind}, {len(data)} bytes)", where=shown(url))
        return Answer(response.status_code, {key.lower(): value for key, value in response.headers.items()}, body, text)

    def _fill(
        self, arrival: Arrival, url: str, token: str, limit: int, progress: Callable[[str, int, int | None], None] | None
    ) -> None:
        """Write the whole body into ``arrival``, over as many connections as it takes."""
        started = time.monotonic()
        failures, mark, etag = 0, 0, ""
        while True:
            resuming = {"range": f"bytes={arrival.size}-"} | ({"if-range": etag} if etag else {}) if arrival.size else {}
            try:
                with self._exchange("GET", url, resuming, None, token, started + self.limits.download_seconds) as response:
                    wait = self._wait(response, failures + 1) if response.status_code in _RETRIED else None
                    if wait is None:
                        total, skipped = self._begin(response, url, arrival, limit)
                        etag = _strong(response.headers.get("etag", ""))
                        self._pour(response, url, arrival, skipped, started, progress, total)
                        return
            except _BROKEN as error:
                failures, mark = (0 if arrival.size > mark else failures) + 1, arrival.size
                if failures >= self.limits.attempts or time.monotonic() - started > self.limits.download_seconds:
                    raise self._broken(error, url) from None
                wait = self._backoff(failures)
            else:
                failures += 1
                if failures >= self.limits.attempts:
                    raise self._refused(503, url, None, "busy at every attempt")
            self._sleep(wait)

    def _begin(self, response: httpx.Response, url: str, arrival: Arrival, limit: int) -> tuple[int | None, int]:
        """Return the announced total, and how many bytes at the start are there already; refuse what does not fit."""
        if response.status_code not in {200, 206}:
            raise self._refused(response.status_code, url, None, "")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ProtocolError("the file came in a content encoding that was not asked for", where=shown(url))
        length = response.headers.get("content-length", "")
        size = int(length) if _NUMBER.fullmatch(length) else None
        skipped = 0
        if response.status_code == 206:
            span = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", response.headers.get("content-range", ""))
            if span is None or int(span[1]) != arrival.size:
                raise ProtocolError("the peer sent another range than the one asked for", where=shown(url))
            size = int(span[2]) if span[2].isdigit() else None
        else:
            skipped = arrival.size
        if size is not None and size > limit:
            raise SourceError(
                f"the file has {size} bytes, more than the {limit} allowed",
                where=shown(url),
                next="raise max_bytes of the connector in datalab.toml if this size is expected",
            )
        return size, skipped

    def _pour(
        self,
        response: httpx.Response,
        url: str,
        arrival: Arrival,
        skipped: int,
        started: float,
        progress: Callable[[str, int, int | None], None] | None,
        total: int | None,
    ) -> None:
        before = arrival.size
        again = hashlib.sha256()
        for received in rest_of(response, self.limits.idle):
            block = received
            if skipped:
                again.update(block[:skipped])
                skipped, block = max(0, skipped - len(block)), block[skipped:]
                if not skipped and again.digest() != arrival.digest():
                    raise SourceError("the file changed while it was being fetched", where=shown(url), next="fetch it again")
            if block:
                arrival.write(block)
            elapsed = time.monotonic() - started
            if elapsed > self.limits.idle and arrival.size < elapsed * self.limits.slowest:
                raise SourceError(f"the file comes slower than {self.limits.slowest:.0f} bytes a second", where=shown(url))
            if progress is not None:
                progress(arrival.name, arrival.size, total)
        if skipped or (total is not None and arrival.size != total):
            raise httpcore.RemoteProtocolError(f"{arrival.size - before} bytes came before the connection ended")

    @contextlib.contextmanager
    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | Iterator[bytes] | None,
        token: str,
        deadline: float,
    ) -> Iterator[httpx.Response]:
        """Send one request, follow redirects of a GET, and yield the answer unread."""
        self.reach.check_url(url)
        credentials = self._credentials(token)
        if not all(value.isascii() and value.isprintable() for value in credentials.values()):
            raise SourceError("the token holds characters that no header can carry", where=shown(url))
        origin = _origin(url)
        for _ in range(self.limits.redirects + 1):
            self._deadline.at = deadline
            fields = {"user-agent": "aif-datalab", "accept-encoding": "identity", **headers}
            if _origin(url) == origin:
                fields |= credentials
            try:
                request = httpx.Request(method, url, headers=fields, content=content)
            except (httpx.InvalidURL, UnicodeError):
                raise SourceError("the address cannot be read", where=shown(url)) from None
            times = httpx.Timeout(self.limits.idle, connect=self.limits.connect)
            request.extensions = {**request.extensions, "timeout": times.as_dict()}
            try:
                response = self._transport.handle_request(request)
            except _BROKEN as error:
                if (told := handshake_failure(error, request.url.host, self.reach.tls)) is not None:
                    raise told from None
                raise
            try:
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                target = _joined(url, response.headers.get("location", ""))
                if method != "GET" or not response.headers.get("location"):
                    raise ProtocolError("a message was answered with a redirect", where=shown(url))
                if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                    raise SourceError("a redirect leads away from https", where=f"{shown(url)} -> {shown(target)}")
                self.reach.check_url(target)
                url = target
            finally:
                response.close()
        raise SourceError(f"more than {self.limits.redirects} redirects", where=shown(url))

    def _credentials(self, token: str) -> dict[str, str]:
        """Return the headers that say who asks; they go to the origin of the address that was given, never to where it redirects."""
        return {"authorization": f"Bearer {token}"} if token else {}

    def _remember(self, token: str) -> None:
        if token:
            self._secrets.add(token)

    def _backoff(self, attempt: int) -> float:
        return min(self.limits.longest_wait, self.limits.backoff * float(2 ** (attempt - 1)))

    def _wait(self, response: httpx.Response, attempt: int) -> float:
        """Return how long to wait before asking a busy peer again (RFC 9110, Retry-After)."""
        asked = response.headers.get("retry-after", "").strip()
        seconds = float(asked) if _NUMBER.fullmatch(asked) else 0.0
        if asked and not _NUMBER.fullmatch(asked):
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                moment = email.utils.parsedate_to_datetime(asked)
                seconds = (moment.astimezone(dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()
        if seconds > self.limits.longest_wait:
            raise SourceError(
                f"the peer is busy and asks to wait {seconds:.0f} seconds",
                where=shown(str(response.request.url)),
                next="try again later",
            )
        return max(seconds, self._backoff(attempt))

    def _broken(self, error: Exception, url: str) -> SourceError:
        if isinstance(error, httpcore.TimeoutException):
            return SourceError("the peer did not answer in the time allowed", where=shown(url), next="try again later")
        said = self.redact(str(error))[:200] or type(error).__name__
        return SourceError(f"the connection failed: {said}", where=shown(url), next="check that the peer is up, then try again")

    def _refused(self, status: int, url: str, body: Any, reason: str) -> HttpRefused:
        error = HttpRefused(f"the peer answered {status}" + (f": {reason}" if reason else ""), where=shown(url))
        error.status, error.body = status, body
        return error


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise ProtocolError("a redirect to an address that cannot be read", where=shown(url)) from None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _strong(etag: str) -> str:
    return etag if etag.startswith('"') else ""
