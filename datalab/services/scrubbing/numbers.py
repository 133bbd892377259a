"""Long numbers in text: payment cards, phone numbers and national numbers, told apart by grouping, check digits and company.

A *cluster* is digits with single separators between them. Its groups are judged in every run of neighbours; a run stands if it is the
whole cluster, if such runs make up the whole cluster (a list of numbers), or if its form alone sets it apart (a card and its expiry
date). Everything else with more digits beside it is part of some longer number, and that is not ours to name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from datalab.services.scrubbing import phones
from datalab.services.scrubbing.catalogue import CARD, LIKE, NUMBERS, PHONE, REGIONS, NationalNumber, proof

_SEPARATOR = rb"(?: [\-/] |[ .\-/]|[ .\-/]?[()]{1,2}[ .\-/]?)?"
_CLUSTER = re.compile(rb"[0-9](?:" + _SEPARATOR + rb"[0-9]){6,59}")
"""At least 7 digits, at most 60: no identifier is longer, and it bounds the work on hostile text."""

_GROUP = re.compile(r"[0-9]+")
_LONGEST_RUN = 9  # groups; no phone number is written in more
_DATE = re.compile(
    r"(?<![0-9])(?:(?:19|20)[0-9]{2}[./\- ][01]?[0-9][./\- ][0-3]?[0-9]|[0-3]?[0-9][./\- ][0-3]?[0-9][./\- ](?:19|20)[0-9]{2})(?![0-9])"
)
_AMERICAN = re.compile(r"(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[\-.])[0-9]{3}[\-.][0-9]{4}")
# "23/286-0129": Hungary writes area codes so, and leaves out its trunk prefix 06.
_SLASHED = re.compile(r"(?:\([0-9]{1,5}\) ?/ ?|[0-9]{1,5} ?/ ?)[0-9]{3,4}[ \-]?[0-9]{2,5}")
EXTENSION = re.compile(rb" ?(?:x|ext\.?) ?[0-9]{1,6}\b")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,2})\.[0-9]{4,}")
_VERSION = re.compile(r"(?:[0-9]+\.)*[0-9]\.(?:[0-9]+\.)*[0-9]+|(?:[0-9]+\.){2,}[0-9]")

# Issuer ranges of ISO/IEC 7812: leading digits to the lengths in use.
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}|3[47][0-9]{13}"
    r"|35[0-9]{14}|(?:1800|2131)[0-9]{11}|3(?:0[0-59]|[68][0-9]|9[0-9])[0-9]{11}(?:[0-9]{2})?|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}(?:[0-9]{3})?"
    r"|62[0-9]{14,17}|(?:5018|5020|5038|5893|6304|6759|676[1-3]|0604)[0-9]{8,15}|(?:50|5[6-8]|6[0-9])[0-9]{10,17}"
)
_CARD_SHAPES = frozenset(
    {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (6, 13), (4, 4, 5)}
)


class Reading(NamedTuple):
    """What a run of groups of a cluster may be: characters ``start`` to ``end`` of it.

    ``words`` names the entity whose context words must stand before ("" where nothing is needed). ``alone`` says that the form
    sets it apart from digits beside it; ``dialled`` that it starts as phone numbers do and amounts do not: with + or 0.
    """

    start: int
    end: int
    entity: str
    words: str
    rank: int
    alone: bool = False
    dialled: bool = False


_BY_SHAPE: dict[tuple[int, ...], list[NationalNumber]] = {}
_BY_LENGTH: dict[int, list[NationalNumber]] = {}
for _number in NUMBERS:
    _BY_LENGTH.setdefault(sum(next(iter(_number.shapes))), []).append(_number)
    for _shape in _number.shapes:
        _BY_SHAPE.setdefault(_shape, []).append(_number)


@lru_cache(maxsize=65_536)
def readings(cluster: str, language: str | None) -> tuple[Reading, ...]:
    """Return what the groups of ``cluster`` may be, in a text of ``language`` (None: unknown).

    Where the whole of it needs no company to be something, its parts are not looked at.
    """
    if _DATE.fullmatch(cluster):
        return ()
    groups = [match.span() for match in _GROUP.finditer(cluster)]
    count = len(groups)
    found = _read(cluster, groups, language) if count <= _LONGEST_RUN else []
    if any(not item.words for item in found):
        return tuple(found)
    for first in range(count):
        for last in range(first + 1, min(first + _LONGEST_RUN, count) + 1):
            if last - first < count and groups[last - 1][1] - groups[first][0] >= 7:
                found += _read(cluster, groups[first:last], language, whole=False, leads=first == 0)
    return tuple(found)


def _read(
    cluster: str, run: list[tuple[int, int]], language: str | None, *, whole: bool = True, leads: bool = True
) -> list[Reading]:
    digits = "".join([cluster[start:end] for start, end in run])
    if not 7 <= len(digits) <= 19:
        return []
    sizes = tuple([end - start for start, end in run])
    start = _opening(cluster, run[0][0]) if leads else run[0][0]
    return list(_judged(cluster, start, run[-1][1], digits, sizes, language, whole=whole, leads=leads))


def clusters(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield the clusters of ``text``, with the plus sign and the bracket before them."""
    for match in _CLUSTER.finditer(text):
        start = match.start()
        lead = text[max(start - 3, 0) : start]
        if lead.endswith((b"(", b"+", b"+ ")):
            start -= 2 if lead.endswith((b"(+", b"+(", b"+ ")) else 1
        yield start, match.end()


def chosen(cluster: str, fit: Sequence[Reading]) -> list[Reading]:
    """Choose among the ``readings`` that the surrounding text accepts those that stand."""
    if not fit:
        return []
    fit = sorted(fit, key=lambda item: (item.start - item.end, -item.rank))
    groups = [match.span() for match in _GROUP.finditer(cluster)]
    tiles = _tiling(fit, groups)
    if tiles:
        return tiles
    standing: list[Reading] = []
    for item in fit:
        if item.alone and all(item.end <= other.start or item.start >= other.end for other in standing):
            standing.append(item)
    return standing


def _tiling(fit: Sequence[Reading], groups: list[tuple[int, int]]) -> list[Reading]:
    """Return readings, the longest first, that together cover all groups; none if there are none."""
    starts = {start: place for place, (start, _) in enumerate(groups)}
    ends = {end: place for place, (_, end) in enumerate(groups)}
    from_here: dict[int, list[Reading]] = {}
    for item in fit:
        from_here.setdefault(starts.get(item.start, 0), []).append(item)
    best: list[list[Reading] | None] = [None] * len(groups) + [[]]
    for place in range(len(groups) - 1, -1, -1):
        for item in from_here.get(place, ()):
            rest = best[ends[item.end] + 1]
            if rest is not None:
                best[place] = [item, *rest]
                break
    return best[0] or []


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1 annex B)."""
    even = sum(int(digit) for digit in digits[-1::-2])
    odd = sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return (even + odd) % 10 == 0


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _opening(cluster: str, first: int) -> int:
    """Return where a cluster starts: its plus sign and its bracket belong to it, unless the bracket closes after it."""
    lead = cluster[:first]
    return 0 if not lead.startswith("(") or ")" in cluster else 1


def _judged(
    cluster: str,
    start: int,
    end: int,
    digits: str,
    sizes: tuple[int, ...],
    language: str | None,
    *,
    whole: bool,
    leads: bool,
) -> Iterator[Reading]:
    if (
        len(digits) >= 12
        and not set("+()") & set(cluster[start:end])
        and _ISSUERS.fullmatch(digits)
        and (whole or sizes in _CARD_SHAPES or len(sizes) == 1)
    ):
        shaped = sizes in _CARD_SHAPES
        if luhn(digits):
            yield Reading(start, end, CARD, "", 6, alone=shaped or len(sizes) == 1)
        elif shaped and len(digits) in (15, 16):
            yield Reading(start, end, CARD + LIKE, "", 2, alone=True)
        elif len(digits) in (15, 16) and len(sizes) == 1:
            yield Reading(start, end, CARD + LIKE, CARD, 2)
    yield from _national(start, end, digits, sizes, language, leads=leads) if "+" not in cluster[start:][:2] else ()
    yield from _phone(cluster, start, end, digits, sizes, language, whole=whole)


def _national(
    start: int, end: int, digits: str, sizes: tuple[int, ...], language: str | None, *, leads: bool
) -> Iterator[Reading]:
    if leads:
        # Its own name just before it makes a number known in any grouping, and whatever digits follow it.
        for number in _BY_LENGTH.get(len(digits), ()):
            if proof(number.proof)(digits):
                yield Reading(start, end, number.entity, number.entity, 6, alone=True)
    for number in _BY_SHAPE.get(sizes, ()):
        spoken = language in number.languages
        if proof(number.proof)(digits):
            needed = "" if spoken or (number.telling and language is None) else number.entity
            yield Reading(start, end, number.entity, needed, 7 if spoken else 6, alone=number.telling and len(sizes) > 2)
        else:
            yield Reading(start, end, number.entity + LIKE, number.entity, 3)


def _phone(
    cluster: str, start: int, end: int, digits: str, sizes: tuple[int, ...], language: str | None, *, whole: bool
) -> Iterator[Reading]:
    text = cluster[start:end]
    abroad = _international(text, start, end, digits, sizes, whole=whole)
    if abroad:
        yield abroad
        return
    if len(digits) > 13 or _DATE.search(text) or _VERSION.fullmatch(text):
        return
    if _DECIMAL.fullmatch(text):
        if whole:
            yield Reading(start, end, PHONE, PHONE, 3)
        return
    known = language in REGIONS
    if whole and ((language in (None, "en") and _AMERICAN.fullmatch(text)) or (language == "hu" and _SLASHED.fullmatch(text))):
        yield Reading(start, end, PHONE, "", 4)
        return
    if digits[0] == "0":
        # "(0341) 123456" and "014 0449873" are written as only phone numbers are, assigned or not.
        written_so = whole and (
            (len(sizes) > 1 and text.startswith("(0"))
            or (known and (len(sizes) > 1 or digits[1] != "0") and 9 <= len(digits) <= 12)
        )
        if written_so or phones.national(digits, language) == phones.VALID:
            yield Reading(start, end, PHONE, "", 5, alone=len(sizes) == 1 and len(digits) >= 9, dialled=True)
            return
    elif (
        known
        and not phones.trunk_is_dialled(language)
        and len(digits) >= 8
        and phones.national(digits, language) == phones.VALID
    ):
        yield Reading(start, end, PHONE, "", 3)
        return
    if whole and len(digits) <= 12:
        yield Reading(start, end, PHONE, PHONE, 3, dialled=digits[0] == "0")


def _international(text: str, start: int, end: int, digits: str, sizes: tuple[int, ...], *, whole: bool) -> Reading | None:
    plus = "+" in text[:2]
    if not plus and not text.startswith(("00", "(")):
        return None
    verdict = phones.international(digits.removeprefix("00"))
    if plus and verdict != phones.NO:
        return Reading(start, end, PHONE, "", 5, alone=verdict == phones.VALID, dialled=True)
    if verdict == phones.VALID or (verdict == phones.POSSIBLE and whole and len(sizes) > 2 and text.startswith("00")):
        return Reading(start, end, PHONE, "", 5, dialled=digits[0] == "0")
    return None
