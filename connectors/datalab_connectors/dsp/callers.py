"""Who asks, and with what intent. A sandbox takes the caller's word; a lab wants it signed with a key that both sides hold.

A token is the base64url form of a JSON object: ``participant`` and, where the consumer declares them, the claims that
terms are measured against (purpose, legal_basis, territory, recipient, commercial).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datalab.model.agreement import Intent

ANONYMOUS = "urn:anonymous"
_SECONDS = 300
_SKEW = 60
"""Seconds that a signed token is good for, and that clocks may differ."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The consumer behind a request, and the intent it declares."""

    participant: str = ANONYMOUS
    intent: Intent | None = None


def identity_token(participant: str, intent: Intent | None = None, key: bytes = b"") -> str:
    """Return the token of a participant; with a ``key`` it is signed (HMAC-SHA-256), and good for a few minutes."""
    claims = (
        {
            "purpose": intent.purpose,
            "legal_basis": intent.legal_basis,
            "territory": intent.territory,
            "recipient": intent.recipient,
            "commercial": intent.commercial,
        }
        if intent
        else None
    )
    body: dict[str, Any] = {"participant": participant, **({"claims": claims} if claims else {})}
    if key:
        body["until"] = int(time.time()) + _SECONDS
    text = base64.urlsafe_b64encode(json.dumps(body).encode()).decode()
    return f"{text}.{_signature(key, text)}" if key else text


def read_caller(authorization: str) -> Caller:
    """Return who sent a request, as it says itself; what cannot be read is anonymous."""
    try:
        return _caller(json.loads(base64.urlsafe_b64decode(authorization.removeprefix("Bearer ").strip())))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Caller()


def read_signed(authorization: str, keys: Mapping[str, bytes]) -> Caller | None:
    """Return who sent a request, proven by its key; None for everybody else.

    ``keys`` are those of the participants known here. A recipient within the claims is the participant itself.
    """
    text, _, signature = authorization.removeprefix("Bearer ").strip().rpartition(".")
    try:
        body = json.loads(base64.urlsafe_b64decode(text))
        caller = _caller(body)
        key = keys.get(caller.participant)
        fresh = isinstance(body["until"], int) and time.time() <= body["until"] <= time.time() + _SECONDS + _SKEW
        if key is None or not fresh or not hmac.compare_digest(_signature(key, text).encode(), signature.encode()):
            return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    intent = dataclasses.replace(caller.intent, recipient=caller.participant) if caller.intent else None
    return Caller(caller.participant, intent)


def _caller(body: Mapping[str, Any]) -> Caller:
    claims = body.get("claims")
    intent = (
        Intent(
            purpose=str(claims.get("purpose", "")),
            purpose_text="",
            legal_basis=str(claims.get("legal_basis", "")),
            territory=str(claims.get("territory", "")),
            recipient=str(claims.get("recipient", "")),
            commercial=claims.get("commercial", False) is not False,
        )
        if isinstance(claims, dict)
        else None
    )
    return Caller(str(body["participant"]), intent)


def _signature(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
