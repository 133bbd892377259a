"""Find personal data in a text column: few bytes are looked at closely, and only those near a digit, an @ or a pair of colons.

Most of a text cannot be personal data of a fixed form. Array operations over the whole buffer choose the anchors (1 to 2 GB/s); all
patterns then run over an excerpt that is a tenth of it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from typing import NamedTuple

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
    PHONE,
    URL,
)
from datalab.services.scrubbing.company import REACH, Company

_BLOCK = 4 << 20  # bytes of text looked at together: flat memory, and it fits the cache
_JOINED = re.compile(rb"(?:[A-Za-z0-9_#\x80-\xff]|[A-Za-z0-9_][\-_/,]|[0-9][.,:])\Z")
_GOES_ON = re.compile(rb"[A-Za-z0-9_]|[\-_/][A-Za-z0-9]|[,.:][0-9]")


class Found(NamedTuple):
    """What `find` found. ``unsettled`` are rows in which digits were left that may read otherwise once their neighbours are gone."""

    column: Column
    spans: list[Span]
    unsettled: set[int]


def find(texts: pl.Series, *, entities: Collection[str], language: str | None = None) -> Found:
    """Return the column as a buffer and the places of ``entities`` in it, in order and apart; look-alikes included.

    ``language`` (ISO 639-1) tells where national phone numbers and weak identifiers belong; None looks for those of all countries.
    """
    column = Column.of(texts)
    spans: list[Span] = []
    unsettled: set[int] = set()
    wanted = frozenset(entities)
    for first, last in _blocks(column.offsets):
        low, high = int(column.offsets[first]), int(column.offsets[last])
        block = Column(column.data[low:high], column.offsets[first : last + 1] - low)
        reader = _Reader(block, wanted, language)
        spans += (span._replace(start=span.start + low, end=span.end + low) for span in reader.spans())
        unsettled |= {row + first for row in reader.unsettled}
    if NAME in wanted:
        spans += names.after_titles(texts, column)
    spans = resolve(spans)
    return Found(column, spans, unsettled | _glued(column, spans))


def _glued(column: Column, spans: list[Span]) -> set[int]:
    """Return the rows in which a span touches what might be read otherwise once the span is gone."""
    data = np.pad(column.data, 2)
    starts = np.fromiter((span.start for span in spans), dtype=np.int64, count=len(spans)) + 2
    ends = np.fromiter((span.end for span in spans), dtype=np.int64, count=len(spans)) + 2
    before = _WORDLIKE[data[starts - 1]] | (_TIES[data[starts - 1]] & _WORDLIKE[data[starts - 2]])
    after = _WORDLIKE[data[ends]] | (_TIES[data[ends]] & _WORDLIKE[data[ends + 1]])
    return set(column.rows(starts[before | after] - 2).tolist())


def _blocks(offsets: Ints) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(offsets) - 1:
        last = max(int(np.searchsorted(offsets, offsets[first] + _BLOCK, side="right")) - 1, first + 1)
        yield first, last
        first = last


class _Reader:
    """Reads one block: chooses the excerpts, runs the patterns over them, and looks back into the text for company."""

    def __init__(self, column: Column, wanted: frozenset[str], language: str | None) -> None:
        self.column, self.wanted, self.language = column, wanted, language
        self.unsettled: set[int] = set()
        self._whole = column.data.tobytes()
        self._offsets: list[int] = column.offsets.tolist()

    def spans(self) -> Iterator[Span]:
        """Yield all places of what is wanted, as they come."""
        column, wanted = self.column, self.wanted
        if EMAIL in wanted:
            near = excerpt(column, np.flatnonzero(column.data == ord("@")), before=72, after=260)
            yield from _placed(near, network.emails(near.text))
        if URL in wanted:
            near = excerpt(column, _web(column.data), before=8, after=2048)
            yield from _placed(near, network.urls(near.text))
        if IP in wanted:
            near = excerpt(column, _colons(column.data), before=40, after=44)
            yield from _placed(near, network.ip6_addresses(near.text))
        digits = _digits(column.data)
        anchors = islands(column, digits, gap=14, least=5)
        if IBAN in wanted:
            heads = codes.iban_heads(column.data, digits)  # with few digits after them in LV, MT or RO
            ends = np.minimum(heads + _IBAN_REACH, column.offsets[column.rows(heads) + 1] - 1)
            anchors = np.sort(np.concatenate((anchors, heads, ends)))  # the same place twice is no harm
        near = excerpt(column, anchors, before=28, after=28)
        yield from _placed(near, self._near_digits(near))

    def _company(self, near: Excerpt, start: int) -> Company:
        place = int(near.origin[start])
        low = max(place - REACH, self._offsets[bisect_right(self._offsets, place) - 1])
        text = self._whole[low:place].decode(errors="ignore")
        return Company(text.replace("\\n", "\n") if "\\" in text else text)

    def _near_digits(self, near: Excerpt) -> Iterator[Span]:
        text, wanted = near.text, self.wanted
        claimed: list[Span] = []
        if IP in wanted:
            claimed += network.ip4_addresses(text)
        if IBAN in wanted:
            claimed += codes.ibans(text)
        if wanted & _CODED:
            found = codes.national_codes(text, lambda start, entity: self._company(near, start).names(entity))
            claimed += (span for span in found if span.kind.removesuffix(LIKE) in wanted)
        yield from claimed
        if BIRTH_DATE in wanted:
            yield from dates.birth_dates(text, lambda start: self._company(near, start).text)
        if wanted & _NUMBERED:
            yield from self._numbers(near, resolve(claimed))

    def _numbers(self, near: Excerpt, claimed: list[Span]) -> Iterator[Span]:
        text = near.text
        for start, end in _open(numbers.clusters(text), claimed):
            cluster = text[start:end].decode().rstrip(_SEPARATORS)
            start, end = start + len(cluster) - len(cluster.lstrip(_SEPARATORS)), start + len(cluster)  # noqa: PLW2901
            cluster = cluster.lstrip(_SEPARATORS)
            candidates = numbers.readings(cluster, self.language)
            if not candidates:
                continue
            company = self._company(near, start)
            # Letters, underscores, hyphens and decimal marks tie the first or the last digits to something longer.
            extension = numbers.EXTENSION.match(text, end)
            tied = (
                not cluster.startswith("+") and _JOINED.search(text[max(start - 2, 0) : start]) is not None,
                extension is None and _GOES_ON.match(text, end) is not None,
            )
            amount = _AMOUNT.match(text, end) is not None
            fit = [item for item in candidates if item.entity.removesuffix(LIKE) in self.wanted]
            fit = [item for item in fit if _accepted(item, company, tied, len(cluster), amount=amount)]
            chosen = numbers.chosen(cluster, fit)
            if not chosen or sum(item.end - item.start for item in chosen) < len(cluster) - 6:
                self.unsettled.add(bisect_right(self._offsets, int(near.origin[start])) - 1)
            for item in chosen:
                last = extension.end() if extension and item.entity == PHONE and item.end == len(cluster) else start + item.end
                yield Span(start + item.start, last, item.entity, item.rank)


def _open(clusters: Iterator[tuple[int, int]], claimed: list[Span]) -> Iterator[tuple[int, int]]:
    """Yield the clusters without the digits of IBANs, addresses and codes, which are read already."""
    ends = [span.end for span in claimed]
    for start, end in clusters:
        at, owner = start, bisect_right(ends, start)
        while owner < len(claimed) and claimed[owner].start < end:
            if claimed[owner].start - at >= _FEWEST:
                yield at, claimed[owner].start
            at, owner = claimed[owner].end, owner + 1
        if end - at >= _FEWEST:
            yield at, end


def _accepted(item: numbers.Reading, company: Company, tied: tuple[bool, bool], edge: int, *, amount: bool) -> bool:
    """Whether the text around a cluster leaves a reading of it standing."""
    if (tied[0] and item.start <= 1) or (tied[1] and item.end == edge):
        return False
    unrelated = (amount and not item.dialled) or company.denies()
    if unrelated and item.entity == PHONE:
        return False
    if item.words:
        return company.names(item.words)
    return not unrelated or item.entity == CARD or item.alone or company.names(item.entity.removesuffix(LIKE))


_TIES = np.isin(np.arange(256), np.frombuffer(b"-_/,.:#", dtype=np.uint8))
_WORDLIKE = np.isin(
    np.arange(256), np.frombuffer(b"0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@+", dtype=np.uint8)
)
_FEWEST = 7  # digits of a number worth reading
_IBAN_REACH = 28  # bytes; what stands after an anchor is looked at for as many again, and 50 hold a parted IBAN
_SEPARATORS = " .-/)"
_CODED = frozenset(code.entity for code in CODES)
_NUMBERED = frozenset({CARD, PHONE, *NATIONAL})
# "%(count)s", "%d", "$name" and "${name}" are places for values in messages: no unit of what stands before.
_AMOUNT = re.compile(
    rb" ?(?:%(?:[^(A-Za-z0-9{#.+\-]|\.[^0-9]|\.?\Z)|\$(?:[^A-Za-z_{(]|\Z)|\xe2\x82\xac|\xc2\xa3|z\xc5\x82"
    rb"|(?:EUR|USD|GBP|PLN|CHF|euros?|km|kg|m2|MB|GB|people|inhabitants|persons|users|rows|bytes)\b)"
)


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


def _colons(data: Bytes) -> Ints:
    """Return the colons that another follows within five bytes, as in every IPv6 address."""
    colons = np.flatnonzero(data == ord(":"))
    close: Ints = colons[:-1][np.diff(colons) <= 5]
    return close


def _web(data: Bytes) -> Ints:
    """Return where ``://`` or ``www.`` starts."""
    slashes = np.flatnonzero(data[:-2] == ord(":"))
    slashes = slashes[(data[slashes + 1] == ord("/")) & (data[slashes + 2] == ord("/"))]
    dots = np.flatnonzero(data[3:] == ord(".")) + 3
    return np.union1d(slashes, dots[((data[dots - 1] | 32) == ord("w")) & ((data[dots - 3] | 32) == ord("w"))])


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)
