"""Identifiers with letters: IBAN by the registry's structures, and national codes such as the Italian fiscal code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from datalab.kernels.spans import Bytes, Ints, Span
from datalab.services.scrubbing.catalogue import CODES, IBAN, LIKE, NationalCode, proof

_HEAD = re.compile(rb"\b[A-Za-z]{2}[ \-]?[0-9]{2}")
_CLASSES = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[A-Za-z0-9]"}
_NOT_CODE = re.compile(rb"[^A-Za-z0-9]")
_DIGIT = re.compile(rb"[0-9]")
_NOT_DIGIT = re.compile(rb"[^0-9]")
_BETWEEN = r"[ .\-/]?"
_FOURS = re.compile(rb"[A-Za-z0-9]{4}(?:[ .\-]?[A-Za-z0-9]{4})*(?:[ .\-]?[A-Za-z0-9]{1,3})?")


def iban_heads(data: Bytes, digits: Ints) -> Ints:
    """Return those of the places of ``digits`` at which the check digits of an IBAN may start: after the letters of a country."""
    places = digits[:-1][np.diff(digits) == 1]
    places = places[places >= 2]
    parted = np.isin(data[places - 1], np.frombuffer(b" -", dtype=np.uint8)) & (places >= 3)
    last = places - 1 - parted
    pairs = (data[last - 1] & 0xDF).astype(np.uint16) << 8 | (data[last] & 0xDF)
    heads: Ints = places[_countries()[pairs]]
    return heads


def ibans(text: bytes) -> Iterator[Span]:
    """Yield IBANs (ISO 13616): structure of the country, then MOD 97-10; of wrong check digits as a look-alike."""
    for head in _HEAD.finditer(text):
        structure = _structure(text[head.start() : head.start() + 2].decode().upper())
        match = structure.match(text, head.start()) if structure else None
        if match is None:
            continue
        plain = _NOT_CODE.sub(b"", match[0]).decode().upper()
        if int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1:
            yield Span(match.start(), match.end(), IBAN, 8)
        elif _written_as_code(match[0], len(plain)):
            yield Span(match.start(), match.end(), IBAN + LIKE, 3)


def _written_as_code(found: bytes, size: int) -> bool:
    """Whether what has the structure of an IBAN is one token, or mostly digits, or capitals in fours: not a few short words."""
    digits = len(_NOT_DIGIT.sub(b"", found))
    return len(found) == size or 2 * digits >= size or (found.isupper() and _FOURS.fullmatch(found) is not None)


def national_codes(text: bytes, preceded: Callable[[int, str], bool]) -> Iterator[Span]:
    """Yield national codes; those with a wrong check character if their form is rare or ``preceded(start, entity)``.

    Codes in groups that nobody would expect count where they are preceded by their name.
    """
    for code, parted, grouped in _patterns():
        check = proof(code.proof)
        found = parted.search(text)
        while found:
            start, end = found.span()
            usual = grouped.fullmatch(text, start, end) is not None
            # A word before a code may look like its first letters: after an unusual one, look again from the next character.
            found = parted.search(text, end if usual else start + 1)
            value = text[start:end]
            if not _DIGIT.search(value):
                continue  # words whose letters all could be digits of an Italian code
            if check(_NOT_CODE.sub(b"", value).decode().upper()):
                if (usual and (code.distinctive or not _spelled(value))) or preceded(start, code.entity):
                    yield Span(start, end, code.entity, 7)
            elif usual and (code.distinctive or preceded(start, code.entity)):
                yield Span(start, end, code.entity + LIKE, 3)


def _spelled(found: bytes) -> bool:
    """Whether the last letter may be a word of its own: ``12 345 678 a`` of something."""
    return found[-2:-1] == b" " and found[-1:].islower()


@cache
def _patterns() -> tuple[tuple[NationalCode, re.Pattern[bytes], re.Pattern[bytes]], ...]:
    return tuple(
        (
            code,
            re.compile((r"\b" + _BETWEEN.join(char for group in code.groups for char in group) + r"\b").encode()),
            re.compile(_BETWEEN.join("".join(group) for group in code.groups).encode()),
        )
        for code in CODES
    )


@cache
def _countries() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return, for every pair of capital letters as a number of 16 bits, whether it is a country with IBANs."""
    known = np.zeros(1 << 16, dtype=bool)
    for first in range(ord("A"), ord("Z") + 1):
        for second in range(ord("A"), ord("Z") + 1):
            known[first << 8 | second] = bool(_account(chr(first) + chr(second)))
    return known


def _account(country: str) -> str:
    """Return how a country's account numbers are built, as the registry of SWIFT writes it; "" where there are none."""
    from stdnum import numdb

    return str(numdb.get("iban").info(country)[0][1].get("bban", ""))


@cache
def _structure(country: str) -> re.Pattern[bytes] | None:
    """Return the pattern of a country's IBAN, with one optional separator between any two characters."""
    account = _account(country)
    if not account:
        return None
    parts = re.findall(r"([0-9]+)!([nac])", account)
    kinds = ["[0-9]", "[0-9]", *(_CLASSES[kind] for size, kind in parts for _ in range(int(size)))]
    return re.compile((r"\b[A-Za-z]{2}" + "".join(r"[ .\-]?" + kind for kind in kinds) + r"\b").encode())
