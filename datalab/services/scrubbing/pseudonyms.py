"""Keyed pseudonyms: the same person gets the same token, and without the key nobody can tell which person it was.

token = base32(HMAC-SHA256(key, domain ‖ entity ‖ canonical value)), 80 bits of it. A message authentication code with a secret key is
what EDPB Guidelines 01/2025 ask for; a plain or salted hash can be undone by trying all values. Another ``domain`` (a recipient, a
project) gives tokens that cannot be joined with these. Pseudonymised data remain personal data for whoever can get the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata

from datalab.services.scrubbing.catalogue import EMAIL, IP, NAME, NATIONAL, PHONE, URL
from datalab.services.scrubbing.names import fold

_TOKEN_BYTES = 10
_SPACE = re.compile(r"\s+")
_NOT_ALNUM = re.compile(r"[\W_]+")


def token(key: bytes, entity: str, value: str, *, domain: str = "", region: str | None = None) -> str:
    """Return the pseudonym of ``value``: 16 characters of base32 in lower case."""
    parts = (domain.encode(), entity.encode(), canonical(entity, value, region=region).encode())
    # Length before content: no two (domain, entity, value) share one message.
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    made = hmac.digest(key, b"datalab-pseudonym/1" + message, hashlib.sha256)[:_TOKEN_BYTES]
    return base64.b32encode(made).decode().lower()


def key_id(key: bytes) -> str:
    """Return a name for ``key`` that does not reveal it: 16 hex digits."""
    return hmac.digest(key, b"datalab-key-id/1", hashlib.sha256)[:8].hex()


def canonical(entity: str, value: str, *, region: str | None = None) -> str:
    """Return the one form of ``value`` in which formats no longer show, so that joins survive them.

    E-mail without case, names without case and accents, phone numbers as E.164 (``region``, ISO 3166-1, for numbers dialled at home), numbers and codes
    without separators, all else trimmed with single spaces. Unicode is brought to NFKC first.
    """
    plain = _SPACE.sub(" ", unicodedata.normalize("NFKC", value)).strip()
    if entity == PHONE:
        return _e164(plain, region)
    if entity == NAME:
        return fold(plain)
    if entity in (EMAIL, URL, IP):
        return plain.casefold()
    if entity.removesuffix("-like") in (*NATIONAL, "iban", "card"):
        return _NOT_ALNUM.sub("", plain).upper()
    return plain


def _e164(number: str, region: str | None) -> str:
    import phonenumbers

    bare = number.replace("(0)", "") if number.lstrip("( ").startswith(("+", "00")) else number
    try:
        parsed = phonenumbers.parse("+" + bare[2:] if bare.startswith("00") else bare, region)
    except phonenumbers.NumberParseException:
        return _NOT_ALNUM.sub("", number)
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
