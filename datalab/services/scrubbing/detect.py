"""Find personal data in a text column: few bytes are looked at closely, and only those near a digit, an @ or a pair of colons.

Most of a text cannot be personal data of a fixed form. Array operations over the whole buffer choose the anchors (1 to 2 GB/s); all
patterns then run over an excerpt that is a tenth of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import cache

import numpy as np
import polars as pl

from datalab.kernels.spans import Bytes, Column, Excerpt, Ints, Span, excerpt, islands, resolve
from datalab.services.scrubbing import codes, dates, names, network, numbers
from datalab.services.scrubbing.catalogue import (
    BIRTH_DATE,
    CARD,
    CODES,
    EMAIL,
    IBAN,
    IP,
    LIKE,
    NAME,
    NATIONAL,
    NUMBERS,
    PHONE,
    PHONE_WORDS,
    UNRELATED_WORDS,
    URL,
)

_NEAR = 48  # bytes before a number in which a word gives it meaning
_BLOCK = 4 << 20  # bytes of text looked at together: flat memory, and it fits the cache
_JOINED = re.compile(rb"(?:[A-Za-z0-9_#\x80-\xff]|[A-Za-z0-9_][\-_/,]|[0-9][.,:])\Z")
_GOES_ON = re.compile(rb"[A-Za-z0-9_]|[\-_/][A-Za-z0-9]|[,.:][0-9]")


def find(texts: pl.Series, *, entities: Collection[str], language: str | None = None) -> tuple[Column, list[Span]]:
    """Return the column as a buffer and the places of ``entities`` in it, in order and apart; look-alikes included.

    ``language`` (ISO 639-1) tells where national phone numbers and weak identifiers belong; None looks for those of all countries.
    """
    column = Column.of(texts)
    spans: list[Span] = []
    wanted = frozenset(entities)
    for first, last in _blocks(column.offsets):
        low, high = column.offsets[first], column.offsets[last]
        block = Column(column.data[low:high], column.offsets[first : last + 1] - low)
        spans += (span._replace(start=span.start + low, end=span.end + low) for span in _in_block(block, wanted, language))
    if NAME in wanted:
        spans += names.after_titles(texts, column)
    return column, resolve(spans)


def _blocks(offsets: Ints) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(offsets) - 1:
        last = max(int(np.searchsorted(offsets, offsets[first] + _BLOCK, side="right")) - 1, first + 1)
        yield first, last
        first = last


def _in_block(column: Column, wanted: frozenset[str], language: str | None) -> Iterator[Span]:
    data = column.data
    if EMAIL in wanted or URL in wanted:
        near = excerpt(column, np.flatnonzero(data == ord("@")) if EMAIL in wanted else _none(), before=72, after=260)
        yield from _placed(near, network.emails(near.text))
        if URL in wanted:
            far = excerpt(column, _web(data), before=8, after=2048)
            yield from _placed(far, network.urls(far.text))
    if IP in wanted:
        pairs = excerpt(column, _pairs(data), before=40, after=44)
        yield from _placed(pairs, network.ip_addresses(pairs.text))
    near = excerpt(column, islands(column, _digits(data), gap=14, least=5), before=28, after=28)
    yield from _placed(near, _near_digits(near.text, column, near, wanted, language))


def _near_digits(text: bytes, column: Column, near: Excerpt, wanted: frozenset[str], language: str | None) -> Iterator[Span]:
    def before(start: int) -> str:
        place = int(near.origin[start])
        row = int(column.rows(np.array([place]))[0])
        return column.data[max(place - _NEAR, int(column.offsets[row])) : place].tobytes().decode(errors="ignore").lower()

    def preceded(start: int, entity: str) -> bool:
        return _words(entity).search(before(start)) is not None

    if IP in wanted:
        yield from network.ip_addresses(text)
    if IBAN in wanted:
        yield from codes.ibans(text)
    if wanted & _CODED:
        yield from (span for span in codes.national_codes(text, preceded) if span.kind.removesuffix(LIKE) in wanted)
    if BIRTH_DATE in wanted:
        yield from dates.birth_dates(text, before)
    if wanted & _NUMBERED:
        yield from _numbers(text, before, wanted, language)


def _numbers(text: bytes, before: Callable[[int], str], wanted: frozenset[str], language: str | None) -> Iterator[Span]:
    for match in numbers.CLUSTER.finditer(text):
        cluster = match[0].decode()
        candidates = tuple(item for item in numbers.readings(cluster, language) if item.entity.removesuffix(LIKE) in wanted)
        if not candidates:
            continue
        start = match.start()
        joined = _JOINED.search(text[max(start - 2, 0) : start]) is not None
        goes_on = _GOES_ON.match(text, match.end()) is not None
        edge = len(cluster)
        company = before(start)
        unrelated = _UNRELATED.search(company) is not None

        def accepts(item: numbers.Reading) -> bool:
            if (joined and item.start <= 1) or (goes_on and item.end == edge):  # noqa: B023
                return False
            if item.words:
                return _words(item.words).search(company) is not None  # noqa: B023
            if not unrelated or item.entity == CARD or (item.alone and item.entity != PHONE):  # noqa: B023
                return True
            return _words(item.entity.removesuffix(LIKE)).search(company) is not None  # noqa: B023

        for item in numbers.chosen(cluster, candidates, accepts):
            yield Span(start + item.start, start + item.end, item.entity, item.rank)


_CODED = frozenset(code.entity for code in CODES)
_NUMBERED = frozenset({CARD, PHONE, *NATIONAL})
_UNRELATED = re.compile(rf"\b(?:{UNRELATED_WORDS})\W{{0,3}}(?:no|nr|num|number|nummer|numéro|numero|número|n°|id)?\W{{0,4}}\Z")


@cache
def _words(entity: str) -> re.Pattern[str]:
    words = {
        PHONE: PHONE_WORDS,
        CARD: "card|cards|visa|mastercard|amex|kreditkarte|karte|carte|tarjeta|carta|karta|kaart|creditcard|pan|cc",
        **{code.entity: code.words for code in CODES},
        **{number.entity: number.words for number in NUMBERS},
    }.get(entity, "(?!)")
    return re.compile(rf"\b(?:{words})(?![^\W_])")


def _placed(near: Excerpt, spans: Iterator[Span]) -> Iterator[Span]:
    for span in spans:
        start, end = near.place(span.start, span.end)
        yield span._replace(start=start, end=end)


def _digits(data: Bytes) -> Ints:
    """Return where digits are, those of full width (three bytes of UTF-8) included."""
    found = (data - np.uint8(48)) < 10
    wide = np.flatnonzero(data[:-2] == 0xEF) if len(data) > 2 else _none()
    if len(wide):
        found[wide[(data[wide + 1] == 0xBC) & (data[wide + 2] >= 0x90) & (data[wide + 2] <= 0x99)]] = True
    return np.flatnonzero(found)


def _pairs(data: Bytes) -> Ints:
    colons = np.flatnonzero(data[:-1] == ord(":"))
    pairs: Ints = colons[data[colons + 1] == ord(":")]
    return pairs


def _web(data: Bytes) -> Ints:
    """Return where ``://`` or ``www.`` starts."""
    slashes = np.flatnonzero(data[:-2] == ord(":"))
    slashes = slashes[(data[slashes + 1] == ord("/")) & (data[slashes + 2] == ord("/"))]
    dots = np.flatnonzero(data[3:] == ord(".")) + 3
    return np.union1d(slashes, dots[((data[dots - 1] | 32) == ord("w")) & ((data[dots - 3] | 32) == ord("w"))])


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)
