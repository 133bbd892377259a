"""Pages of a catalogue, whichever way it is asked; and the pages of an RDF catalogue, linked by Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urljoin, urlsplit

from datalab.errors import NotFound, ProtocolError, ReadError
from datalab.ports.documents import Document, DocumentClient
from datalab_connectors.dcat import rdf
from datalab_connectors.dcat.record import Raw, literal, records
from datalab_connectors.dcat.vocabulary import HYDRA

_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What was remembered of a page: its validators, what followed it, whom it held."""

    etag: str = ""
    modified: str = ""
    next: str = ""
    ids: Sequence[str] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its records, the cursor of the next ("" at the end), how many datasets there are where it says so.

    ``same`` names datasets that are still there and did not change; ``url`` and ``mark`` are what to remember of the page.
    """

    raws: Sequence[Raw]
    next: str
    total: int | None = None
    same: Sequence[str] = ()
    unreadable: int = 0
    url: str = ""
    mark: Mark | None = None


class Source(Protocol):
    """One way to ask a catalogue."""

    conditional: bool
    """Whether its pages can be asked for only where they changed."""

    def pages(self, client: DocumentClient, cursor: str, token: str) -> Iterator[Page]:
        """Yield the pages from ``cursor`` on ("" is the beginning)."""

    def search(self, client: DocumentClient, text: str, limit: int, token: str) -> list[Raw]:
        """Return what the catalogue itself finds for ``text``."""

    def one(self, client: DocumentClient, dataset_id: str, token: str) -> Raw:
        """Return one dataset; raise ``NotFound`` where there is none."""


class RdfSource:
    """A catalogue in RDF at ``url``, or in a file or a folder of files; ``marks`` remembers pages by address."""

    conditional = True

    def __init__(self, url: str, *, accept: str = "", marks: dict[str, Mark] | None = None) -> None:
        self._url, self._accept = url, accept or rdf.ACCEPT
        self._marks = {} if marks is None else marks

    def pages(self, client: DocumentClient, cursor: str, token: str) -> Iterator[Page]:
        """Follow hydra:next (new) and hydra:nextPage (old) from page to page; a page that did not change is not sent again."""
        if not self._url.startswith(("http://", "https://")):
            yield from self._files(cursor)
            return
        url, seen = cursor or self._url, set[str]()
        while url:
            if url in seen or len(seen) >= _MOST_PAGES:
                raise ProtocolError("the pages of the catalogue lead in a circle", where=url)
            seen.add(url)
            known = self._marks.get(url, Mark())
            if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
                token = ""  # no credential goes to another host than the catalogue's own
            document = client.read(url, accept=self._accept, etag=known.etag, modified=known.modified, token=token)
            if document.unchanged:
                yield Page((), known.next, known.total, same=known.ids, url=url, mark=known)
                url = known.next
                continue
            page = self._page(document, url)
            yield page
            url = page.next

    def search(self, client: DocumentClient, text: str, limit: int, token: str) -> list[Raw]:
        """Return nothing: a document cannot be asked."""
        return []

    def one(self, client: DocumentClient, dataset_id: str, token: str) -> Raw:
        """Return nothing: all there is stands in the pages."""
        raise NotFound(f"no dataset named {dataset_id!r}", where=self._url)

    def _page(self, document: Document, url: str) -> Page:
        graph = rdf.parse(document.data, media_type=document.media_type, url=document.url)
        raws = list(records(graph))
        following, total = _next(graph, document.url, url)
        mark = Mark(document.etag, document.modified, following, tuple(raw.id for raw in raws), total)
        return Page(raws, following, total, url=url, mark=mark if document.etag or document.modified else None)

    def _files(self, cursor: str) -> Iterator[Page]:
        place = Path(unquote(urlsplit(self._url).path)) if self._url.startswith("file:") else Path(self._url)
        try:
            paths = (
                sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))
                if place.is_dir()
                else [place]
            )
            rest = [path for path in paths if path.name >= cursor]
            for number, path in enumerate(rest, 1):
                graph = rdf.parse(path.read_bytes(), url=str(path))
                yield Page(list(records(graph)), rest[number].name if number < len(rest) else "")
        except OSError as error:
            raise ReadError(f"the catalogue cannot be read: {error.strerror}", where=str(place)) from None


def _next(graph: rdf.Graph, found: str, asked: str) -> tuple[str, int | None]:
    """Return the address of the next page and the number of items, as Hydra tells them in either of its vocabularies."""
    nodes = sorted(graph.items(), key=lambda item: item[0] not in {found, asked})
    following, total = "", None
    for _, node in nodes:
        for word in ("next", "nextPage"):
            following = following or literal(node, HYDRA + word)
        if total is None and (count := literal(node, HYDRA + "totalItems")) and re.fullmatch(r"[0-9]{1,12}", count):
            total = int(count)
    if not following:
        return "", total
    target = urljoin(found, following)
    here, there = urlsplit(found), urlsplit(target)
    if here.scheme == "https" and there.scheme == "http" and here.hostname == there.hostname:
        target = there._replace(
            scheme="https", netloc=here.netloc
        ).geturl()  # a portal behind a proxy that does not know its own name
    return target, total
