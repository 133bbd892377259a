"""Identifiers with letters: IBAN by the registry's structures, and national codes such as the Italian fiscal code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from datalab.kernels.spans import Span
from datalab.services.scrubbing.catalogue import CODES, IBAN, LIKE, NationalCode, proof

_HEAD = re.compile(rb"\b[A-Za-z]{2}[ \-]?[0-9]{2}")
_CLASSES = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[A-Za-z0-9]"}
_NOT_CODE = re.compile(rb"[^A-Za-z0-9]")


def ibans(text: bytes) -> Iterator[Span]:
    """Yield IBANs (ISO 13616): structure of the country, then MOD 97-10; of wrong check digits as a look-alike."""
    for head in _HEAD.finditer(text):
        structure = _structure(text[head.start() : head.start() + 2].decode().upper())
        match = structure.match(text, head.start()) if structure else None
        if match is None:
            continue
        plain = _NOT_CODE.sub(b"", match[0]).decode().upper()
        right = int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1
        yield Span(match.start(), match.end(), IBAN if right else IBAN + LIKE, 8 if right else 3)


def national_codes(text: bytes, preceded: Callable[[int, str], bool]) -> Iterator[Span]:
    """Yield national codes; those with a wrong check character if their form is rare or ``preceded(start, entity)``."""
    for code, pattern in _patterns():
        check = proof(code.proof)
        for match in pattern.finditer(text):
            if check(_NOT_CODE.sub(b"", match[0]).decode().upper()):
                yield Span(match.start(), match.end(), code.entity, 7)
            elif code.distinctive or preceded(match.start(), code.entity):
                yield Span(match.start(), match.end(), code.entity + LIKE, 3)


@cache
def _patterns() -> tuple[tuple[NationalCode, re.Pattern[bytes]], ...]:
    return tuple((code, re.compile(rb"\b" + code.pattern.encode() + rb"\b")) for code in CODES)


@cache
def _structure(country: str) -> re.Pattern[bytes] | None:
    """Return the pattern of a country's IBAN, with one optional separator between any two characters."""
    from stdnum import numdb

    properties = numdb.get("iban").info(country)[0][1]
    if "bban" not in properties:
        return None
    parts = re.findall(r"([0-9]+)!([nac])", properties["bban"])
    kinds = ["[0-9]", "[0-9]", *(_CLASSES[kind] for size, kind in parts for _ in range(int(size)))]
    return re.compile((r"\b[A-Za-z]{2}" + "".join(r"[ .\-]?" + kind for kind in kinds) + r"\b").encode())
