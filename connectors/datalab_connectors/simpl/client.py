"""The hardened client as a Simpl node needs it: forms for its login, documents that are not JSON, problems in its own words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpcore
import httpx

from datalab.ports.bodies import whole
from datalab.ports.http import Answer, HttpClient, HttpRefused
from datalab.ports.reach import shown

_BROKEN = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
_PROBLEM = "urn:problem-type:simpl:"
_LONGEST = 300


class Problem(HttpRefused):
    """A node's refusal as it says it (RFC 7807). ``kind`` is the problem type without Simpl's prefix, "" where it names none."""

    kind: str = ""


class NodeClient(HttpClient):
    """A client of one node and of the login that stands before it."""

    def form(self, url: str, fields: Mapping[str, str], secrets: tuple[str, ...] = ()) -> Answer:
        """Send a form (OAuth 2.0, RFC 6749) and return the JSON answered; it is sent once. ``secrets`` are kept out of every error."""
        for secret in secrets:
            self._remember(secret)
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        try:
            with self._exchange("POST", url, headers, urlencode(fields).encode(), "", self._until()) as response:
                return self._answer(response, url, (200,))
        except _BROKEN as error:
            raise self._broken(error, url) from None

    def read(self, url: str, *, limit: int, accept: str = "*/*", token: str = "") -> tuple[bytes, str]:
        """Return the document at ``url`` and its media type; a broken peer is asked again.

        Raise ``ProtocolError`` beyond ``limit`` bytes.
        """
        self._remember(token)
        deadline = self._until()
        for attempt in range(1, self.limits.attempts + 1):
            try:
                with self._exchange("GET", url, {"accept": accept}, None, token, deadline) as response:
                    return self._whole(response, url, limit), _media_type(response)
            except _BROKEN as error:
                if attempt == self.limits.attempts or time.monotonic() >= deadline:
                    raise self._broken(error, url) from None
            self._sleep(self._backoff(attempt))
        raise AssertionError("unreachable")

    def _whole(self, response: httpx.Response, url: str, limit: int) -> bytes:
        if response.status_code != 200:
            self._answer(response, url, (200,))
        return whole(response, limit, url)

    def _until(self) -> float:
        return time.monotonic() + self.limits.seconds

    def _refused(self, status: int, url: str, body: Any, reason: str) -> HttpRefused:
        """Tell a problem by its title and detail, with every credential taken out."""
        if not isinstance(body, Mapping) or not ({"title", "detail", "error_description"} & set(body)):
            return super()._refused(status, url, body, reason)
        issues = [item.get("detail") for item in body.get("issues") or () if isinstance(item, Mapping)]
        said = [body.get("title"), body.get("detail"), body.get("error"), body.get("error_description"), *issues[:3]]
        words = ": ".join(dict.fromkeys(" ".join(text.split()) for text in said if isinstance(text, str) and text.strip()))
        kind = body.get("type")
        error = Problem(f"the node answered {status}: {self.redact(words)[:_LONGEST]}", where=shown(url))
        error.status, error.body = status, body
        if isinstance(kind, str) and kind.startswith(_PROBLEM):
            error.kind = self.redact(kind.removeprefix(_PROBLEM))[:60]
            error.what += f" ({_PROBLEM}{error.kind})"
        return error


class GrantedClient(NodeClient):
    """A client that sends one ``Authorization`` value as it was given, whatever its scheme, and follows no redirect with it."""

    def _credentials(self, token: str) -> dict[str, str]:
        return {"authorization": token} if token else {}


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
