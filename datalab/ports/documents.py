"""Documents that are not JSON messages: catalogue pages in RDF, read whole, bounded, and only where they changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NoReturn

import httpx

from datalab.ports.bodies import whole
from datalab.ports.http import _BROKEN, _RETRIED, HttpClient

_TEXT = 300


@dataclass(frozen=True, slots=True)
class Document:
    """What stands at an address. ``url`` is where it was found after redirects, ``media_type`` bare and in lower case.

    ``unchanged``: the peer says that what ``etag`` or ``modified`` named is still current; then there are no ``data``.
    """

    url: str
    media_type: str
    data: bytes = field(repr=False)
    etag: str = ""
    modified: str = ""
    unchanged: bool = False


class DocumentClient(HttpClient):
    """The hardened client for documents of any type."""

    def read(
        self, url: str, *, accept: str = "*/*", etag: str = "", modified: str = "", token: str = "", limit: int | None = None
    ) -> Document:
        """Return the document at ``url`` (at most ``limit`` bytes, or else ``limits.message``); a broken or busy peer is asked again.

        ``etag`` and ``modified`` are what an earlier reading gave (RFC 9110, conditional requests). Raise ``HttpRefused`` for
        any status but 200 and 304.
        """
        self._remember(token)
        headers = {"accept": accept}
        asked = {"if-none-match": etag} if etag else {"if-modified-since": modified} if modified else {}
        headers |= {name: mark for name, mark in asked.items() if mark.isascii() and mark.isprintable()}
        deadline = time.monotonic() + self.limits.seconds
        for attempt in range(1, self.limits.attempts + 1):
            last = attempt == self.limits.attempts
            try:
                with self._exchange("GET", url, headers, None, token, deadline) as response:
                    wait = self._wait(response, attempt) if response.status_code in _RETRIED and not last else None
                    if wait is None:
                        found = response.headers
                        place = str(response.request.url) if response.request else url
                        kind = found.get("content-type", "").partition(";")[0].strip().lower()
                        marks = found.get("etag", etag), found.get("last-modified", modified)
                        if response.status_code == 304 and (etag or modified):
                            return Document(place, kind, b"", *marks, unchanged=True)
                        if response.status_code != 200:
                            self._refuse(response, url, kind)
                        data = whole(response, limit or self.limits.message, url)
                        return Document(place, kind, data, found.get("etag", ""), found.get("last-modified", ""))
            except _BROKEN as error:
                if last or time.monotonic() >= deadline:
                    raise self._broken(error, url) from None
                wait = self._backoff(attempt)
            self._sleep(min(wait, max(0.0, deadline - time.monotonic())))
        raise AssertionError("unreachable")

    def _refuse(self, response: httpx.Response, url: str, kind: str) -> NoReturn:
        """Raise the peer's refusal in its words, where they are JSON or short plain text (data.europa.eu)."""
        if kind != "text/plain":
            self._answer(response, url, ())
        text = whole(response, self.limits.message, url)[:_TEXT].decode(errors="replace")
        raise self._refused(response.status_code, url, None, self.redact(" ".join(text.split())))
