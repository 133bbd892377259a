"""E-mail addresses, web addresses and IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from datalab.kernels.spans import Span
from datalab.services.scrubbing.catalogue import EMAIL, IP, URL

# Bytes above 0x7f stand for letters outside ASCII: addresses are international (RFC 6531). Each label excludes the dot, so the
# match is linear. 64 octets before the @ are the limit of RFC 5321.
_WORD = rb"A-Za-z0-9\x80-\xff"
_EMAIL = re.compile(
    rb"[" + _WORD + rb"._%+'!#$&*=?^`{|}~/\-]{0,63}[" + _WORD + rb"_+\-]@(?:[" + _WORD + rb"\-]{1,63}\.){1,8}"
    rb"(?:[A-Za-z]{2,24}|[xX][nN]--[A-Za-z0-9\-]{2,59}|[\x80-\xff]{2,60})"
)
_LEADING = re.compile(rb"[.'!#$&*=?^`{|}~/]*(?:mailto:)?")
_URL = re.compile(rb"(?:https?://|\bwww\.)[^\s<>\"']{4,2000}", re.IGNORECASE)
_IP4 = re.compile(rb"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b")
_IP6 = re.compile(rb"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,38}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3})?")
_HAS_DIGIT = re.compile(rb"[0-9]")
_GLUED = re.compile(rb"[A-Za-z0-9_]")
# No line feed in it: that is where the row before ends.
_NUMBERING = re.compile(
    rb"(?:(?:\bv|version|release|section|sect|sec|chapter|clause|build|firmware|rev|abschnitt|kapitel|\xc2\xa7|rfc|iso)[ .:#]*|[=<>~!]= ?)\Z",
    re.IGNORECASE,
)


def emails(text: bytes) -> Iterator[Span]:
    """Yield e-mail addresses, without the quotes and punctuation around them."""
    for match in _EMAIL.finditer(text):
        lead = _LEADING.match(match[0])
        start = match.start() + (lead.end() if lead else 0)
        if text[start : start + 1] != b"@":
            yield Span(start, match.end(), EMAIL, 9)


def urls(text: bytes) -> Iterator[Span]:
    """Yield web addresses, without the full stop, comma or bracket that ends the sentence."""
    for match in _URL.finditer(text):
        yield Span(match.start(), match.start() + len(match[0].rstrip(b".,;:!?)]}")), URL, 8)


def ip4_addresses(text: bytes) -> Iterator[Span]:
    """Yield IPv4 addresses; dotted numbers of versions and sections are none."""
    for match in _IP4.finditer(text):
        before, after = text[max(match.start() - 12, 0) : match.start()], text[match.end() : match.end() + 2]
        longer = before.endswith((b".", b"-", b"_")) or (after[:1] in (b".", b"-") and after[1:].isalnum())
        if not longer and not _NUMBERING.search(before) and _is_address(match[0]):
            yield Span(match.start(), match.end(), IP, 6)


def ip6_addresses(text: bytes) -> Iterator[Span]:
    """Yield IPv6 addresses, compressed ones too."""
    for match in _IP6.finditer(text):
        found = match[0].rstrip(b":") if not match[0].endswith(b"::") else match[0]
        if (
            found.count(b":") < 2
            or (found.endswith(b"::") and found.count(b":") == 2)  # "depends on 1::", not a host
            or not _HAS_DIGIT.search(found)
            or _GLUED.search(text[max(match.start() - 1, 0) : match.start()])
        ):
            continue
        if _GLUED.match(text, match.end()):
            continue
        if _is_address(found):
            yield Span(match.start(), match.start() + len(found), IP, 6)


def _is_address(text: bytes) -> bool:
    try:
        ipaddress.ip_address(text.decode())
    except ValueError:
        return False
    return True
