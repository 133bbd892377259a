"""Who asks, and with what intent. A sandbox takes the caller's word: a self-declared, unsigned token.

A token is the base64url form of a JSON object: ``participant`` and, where the consumer declares them, the claims that
terms are measured against (purpose, legal_basis, territory, recipient, commercial).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from datalab.model.agreement import Intent

ANONYMOUS = "urn:anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """The consumer behind a request, and the intent it declares."""

    participant: str = ANONYMOUS
    intent: Intent | None = None


def identity_token(participant: str, intent: Intent | None = None) -> str:
    """Return the token of a participant."""
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
    body = {"participant": participant, **({"claims": claims} if claims else {})}
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode()


def read_caller(authorization: str) -> Caller:
    """Return who sent a request; what cannot be read is anonymous."""
    try:
        body = json.loads(base64.urlsafe_b64decode(authorization.removeprefix("Bearer ").strip()))
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
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Caller()
