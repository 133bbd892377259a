"""The hardened client as a Simpl node needs it: forms for its login, documents that are not JSON, problems in its own words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from datalab.ports.documents import DocumentClient
from datalab.ports.http import _BROKEN, Answer, HttpRefused
from datalab.ports.reach import shown

_PROBLEM = "urn:problem-type:simpl:"
_LONGEST = 300


class Problem(HttpRefused):
    """A node's refusal as it says it (RFC 7807). ``kind`` is the problem type without Simpl's prefix, "" where it names none."""

    kind: str = ""


class NodeClient(DocumentClient):
    """A client of one node and of the login that stands before it."""

    def form(self, url: str, fields: Mapping[str, str], secrets: tuple[str, ...] = ()) -> Answer:
        """Send a form (OAuth 2.0, RFC 6749) and return the JSON answered; it is sent once. ``secrets`` are kept out of every error."""
        for secret in secrets:
            self._remember(secret)
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        try:
            with self._exchange(
                "POST", url, headers, urlencode(fields).encode(), "", time.monotonic() + self.limits.seconds
            ) as response:
                return self._answer(response, url, (200,))
        except _BROKEN as error:
            raise self._broken(error, url) from None

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
