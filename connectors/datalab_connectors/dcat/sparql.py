"""A SPARQL endpoint that holds DCAT, as data.europa.eu's: a list of what there is and when it changed, then only the records that did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from datalab.errors import NotFound, ProtocolError
from datalab.ports.bodies import parse_json
from datalab.ports.documents import DocumentClient
from datalab_connectors.dcat import rdf
from datalab_connectors.dcat.pages import Page
from datalab_connectors.dcat.record import Raw, records
from datalab_connectors.dcat.vocabulary import ADMS, DCAT, DCT, FOAF, ODRL, SPDX

_RESULTS = "application/sparql-results+json, application/json;q=0.5"
_GRAPH = "text/turtle, application/n-triples;q=0.9, application/rdf+xml;q=0.5"
_LONGEST = 4_000
"""Characters of IRIs in one question: longer addresses are refused by some servers."""
_HEAD = f"PREFIX dcat: <{DCAT}> PREFIX dct: <{DCT}> PREFIX adms: <{ADMS}> PREFIX spdx: <{SPDX}> PREFIX odrl: <{ODRL}> PREFIX foaf: <{FOAF}> "
_RECORDS = """CONSTRUCT {{ ?s ?p ?o }} WHERE {{ VALUES ?d {{ {names} }}
 {{ ?d ?p ?o . BIND(?d AS ?s) }}
 UNION {{ ?d dcat:distribution ?s . ?s ?p ?o }}
 UNION {{ ?d dcat:distribution/(spdx:checksum|dct:license|dct:rights|odrl:hasPolicy|dct:format) ?s . ?s ?p ?o }}
 UNION {{ ?d (dct:publisher|dct:creator|dcat:contactPoint|dct:license|dct:accessRights|dct:rights|odrl:hasPolicy|adms:identifier) ?s . ?s ?p ?o }}
 UNION {{ ?d (odrl:hasPolicy|dcat:distribution/odrl:hasPolicy)/(odrl:permission|odrl:prohibition|odrl:obligation) ?s . ?s ?p ?o }}
 UNION {{ ?d (odrl:hasPolicy|dcat:distribution/odrl:hasPolicy)/(odrl:permission|odrl:prohibition|odrl:obligation)/(odrl:constraint|odrl:duty|odrl:action) ?s . ?s ?p ?o }}
}}"""


class SparqlSource:
    """The endpoint at ``url``. ``query`` is a graph pattern about ``?d`` that chooses datasets; ``known`` tells what we have of them.

    Pages go by the IRI of the last dataset, not by an offset: endpoints limit how far one may sort and skip.
    """

    conditional = False

    def __init__(
        self, url: str, *, rows: int, query: str = "", known: Callable[[Sequence[str]], Mapping[str, str]] | None = None
    ) -> None:
        self._url, self._rows, self._query = url, rows, query
        self._known = known or (lambda _: {})

    def pages(self, client: DocumentClient, cursor: str, token: str) -> Iterator[Page]:
        """Yield the datasets after the IRI ``cursor``; those whose dct:modified is the one we know are not asked for again."""
        last = cursor
        while True:
            after = f"FILTER(STR(?d) > {_text(last)})" if last else ""
            asked = (
                f"SELECT ?d (MAX(STR(?m)) AS ?modified) WHERE {{ ?d a dcat:Dataset . {self._query} {after} "
                f"OPTIONAL {{ ?d dct:modified ?m }} FILTER(isIRI(?d)) }} GROUP BY ?d ORDER BY STR(?d) LIMIT {self._rows}"
            )
            rows = self._select(client, asked, token)
            stated = {row["d"]: row.get("modified", "") for row in rows if "d" in row}
            known = self._known(list(stated))
            same = [name for name, modified in stated.items() if modified and known.get(name) == modified]
            changed = [name for name in stated if name not in set(same)]
            raws = [raw for names in _portions(changed) for raw in self._construct(client, names, token)]
            following = max(stated, default="")
            if following and following <= last:
                raise ProtocolError("the endpoint does not sort: its pages lead in a circle", where=self._url)
            over = len(rows) < self._rows
            yield Page(raws, "" if over else following, same=same, unreadable=len(changed) - len(raws))
            if over:
                return
            last = following

    def search(self, client: DocumentClient, text: str, limit: int, token: str) -> list[Raw]:
        """Return datasets in whose title or description every word occurs."""
        words = " ".join(f"FILTER(CONTAINS(?all, {_text(word)}))" for word in text.lower().split()[:10])
        asked = (
            f"SELECT DISTINCT ?d WHERE {{ ?d a dcat:Dataset . {self._query} ?d dct:title ?t . OPTIONAL {{ ?d dct:description ?n }} "
            f'BIND(LCASE(CONCAT(STR(?t), " ", COALESCE(STR(?n), ""))) AS ?all) {words} FILTER(isIRI(?d)) }} LIMIT {max(1, limit)}'
        )
        names = [row["d"] for row in self._select(client, asked, token) if "d" in row]
        return [raw for portion in _portions(names) for raw in self._construct(client, portion, token)]

    def one(self, client: DocumentClient, dataset_id: str, token: str) -> Raw:
        """Return one dataset by its IRI."""
        found = (
            [raw for raw in self._construct(client, [dataset_id], token) if raw.id == dataset_id] if _is_iri(dataset_id) else []
        )
        if not found:
            raise NotFound(f"no dataset named {dataset_id!r}", where=self._url, next="datalab discover lists them")
        return found[0]

    def _select(self, client: DocumentClient, query: str, token: str) -> list[dict[str, str]]:
        document = client.read(self._address(query), accept=_RESULTS, token=token)
        try:
            rows = parse_json(document.data.decode())["results"]["bindings"]
            return [{name: str(value["value"]) for name, value in row.items()} for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ProtocolError("the endpoint answered without results in JSON", where=self._url) from None

    def _construct(self, client: DocumentClient, names: Sequence[str], token: str) -> list[Raw]:
        wanted = " ".join(f"<{name}>" for name in names if _is_iri(name))
        if not wanted:
            return []
        document = client.read(self._address(_RECORDS.format(names=wanted)), accept=_GRAPH, token=token)
        graph = rdf.parse(document.data, media_type=document.media_type, url=self._url)
        return [raw for raw in records(graph) if raw.id in set(names)]

    def _address(self, query: str) -> str:
        mark: Any = "&" if "?" in self._url else "?"
        return f"{self._url}{mark}{urlencode({'query': _HEAD + query})}"


def _portions(names: Sequence[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    for name in names:
        if portion and sum(map(len, portion)) + len(name) > _LONGEST:
            yield portion
            portion = []
        portion.append(name)
    if portion:
        yield portion


def _is_iri(name: str) -> bool:
    """Whether a name can stand between angle brackets: it comes from outside and becomes part of a question."""
    return ":" in name and not any(sign in name for sign in '<>"{}|^`\\') and all(ord(sign) > 32 for sign in name)


def _text(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)
