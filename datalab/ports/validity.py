"""From when until when a certificate holds, read from its DER form (RFC 5280, 4.1): the standard library does not say."""

from __future__ import annotations

import datetime as dt
import re
import ssl
from pathlib import Path

from datalab.errors import SettingsError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC = 0x30, 0xA0, 0x17


def check_dates(path: Path, where: str) -> None:
    """Raise ``SettingsError`` where the first certificate of a PEM file does not hold now, or where there is none."""
    try:
        found = _PEM.search(path.read_text(encoding="ascii", errors="replace"))
        start, end = validity(ssl.PEM_cert_to_DER_cert(found[0])) if found else (None, None)
    except ValueError:
        start = end = None
    if start is None or end is None:
        raise SettingsError(
            "the file holds no certificate in PEM form", where=where, next="it begins with -----BEGIN CERTIFICATE-----"
        )
    now = dt.datetime.now(dt.UTC)
    if now > end:
        raise SettingsError(
            f"the client certificate ended on {end:%Y-%m-%d}", where=where, next="ask its authority for a new one"
        )
    if now < start:
        raise SettingsError(
            f"the client certificate only begins on {start:%Y-%m-%d %H:%M} UTC", where=where, next="check this machine's clock"
        )


def validity(der: bytes) -> tuple[dt.datetime, dt.datetime]:
    """Return when a certificate begins and ends to hold; raise ``ValueError`` for bytes that are none."""
    _, at, _ = _element(der, 0, _SEQUENCE)  # Certificate
    _, at, _ = _element(der, at, _SEQUENCE)  # TBSCertificate
    tag, _, end = _element(der, at)
    if tag == _VERSION:
        _, _, end = _element(der, end)
    for _ in range(2):  # signature algorithm, issuer
        _, _, end = _element(der, end, _SEQUENCE)
    _, at, _ = _element(der, end, _SEQUENCE)
    kind, begin, after = _element(der, at)
    last, last_begin, last_after = _element(der, after)
    return _moment(kind, der[begin:after]), _moment(last, der[last_begin:last_after])


def _element(der: bytes, at: int, wanted: int | None = None) -> tuple[int, int, int]:
    """Return tag, start and end of the content of the element at ``at``."""
    if at + 2 > len(der) or (wanted is not None and der[at] != wanted):
        raise ValueError("this is no certificate")
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + length > len(der):
        raise ValueError("this is no certificate")
    return tag, start, start + length


def _moment(tag: int, text: bytes) -> dt.datetime:
    said = text.decode("ascii")
    if tag == _UTC:  # two digits of a year: from 50 they are of the last century
        said = ("19" if said[:2] >= "50" else "20") + said
    return dt.datetime.strptime(said, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
