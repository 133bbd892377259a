"""The hardened client as a management API needs it: its key in a header of its own, its lists of errors told as ours."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from datalab.ports.http import HttpClient, HttpRefused
from datalab.ports.limits import Limits
from datalab.ports.reach import Reach, shown
from datalab_connectors.dsp.prefixed import plain
from datalab_connectors.edc.protocols import EDC

_LONGEST = 300
_MOST = 4


class EdcRefused(HttpRefused):
    """A refusal in EDC's own words. ``kind`` is its error type; ``peer`` the code of the other connector's error, "" where it is EDC's own."""

    kind: str = ""
    peer: str = ""


class ManagementClient(HttpClient):
    """A client of one management API. It follows no redirect, so that the key goes nowhere else."""

    def __init__(self, reach: Reach, key: str, token: str, seconds: float) -> None:
        super().__init__(reach, Limits(redirects=0, seconds=seconds))
        self._key = key
        self._token = token
        for secret in (key, token):
            self._remember(secret)

    def _credentials(self, token: str) -> dict[str, str]:
        return super()._credentials(token or self._token) | ({"x-api-key": self._key} if self._key else {})

    def _refused(self, status: int, url: str, body: Any, reason: str) -> HttpRefused:
        """Tell a list of ``{message, type, path}``, with every credential taken out."""
        entries = [item for item in body if isinstance(item, Mapping)] if isinstance(body, list) else []
        error: HttpRefused
        if entries:
            words = "; ".join(dict.fromkeys(_said(item) for item in entries[:_MOST]))
            refused = EdcRefused(f"EDC answered {status}: {self.redact(words)[:_LONGEST]}", where=shown(url))
            refused.kind = str(entries[0].get("type") or "")[:60]
            refused.peer = peer_error(str(entries[0].get("message") or ""))[0]
            refused.status, refused.body = status, body
            error = refused
        else:
            error = super()._refused(status, url, body, reason)
        if status in {401, 403}:
            error.next = "check api_key (or token) of the connector in datalab.toml"
        elif status == 404 and not entries:
            error.next = "check that url is the management API of the connector, with its path (often /management)"
        return error


def _said(item: Mapping[str, Any]) -> str:
    code, words = peer_error(str(item.get("message") or ""))
    if code:
        return f"the provider's connector says {code}: {words}"
    path = str(item.get("path") or "").replace(EDC, "")
    return f"{words.replace(EDC, '')} ({path})" if path and path not in words else words.replace(EDC, "")


def peer_error(message: str) -> tuple[str, str]:
    """Return code and reasons of the other connector's protocol error that is quoted in a message; ("", the message) without one."""
    start = message.find("{")
    if start >= 0:
        with contextlib.suppress(ValueError, RecursionError):
            body, _ = json.JSONDecoder().raw_decode(message[start:])
            told = plain({key: value for key, value in body.items() if key != "@context"})
            if str(told.get("@type", "")).endswith("Error"):
                reasons = told.get("reason")
                words = reasons if isinstance(reasons, list) else [reasons]
                return str(told.get("code") or "?")[:40], "; ".join(map(str, filter(None, words))) or "no reason given"
    return "", " ".join(message.split()) or "no reason given"
