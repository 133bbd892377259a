"""Catalogues for the tests: generated graphs, a CKAN, a piveau hub and a SPARQL endpoint over one store."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pyoxigraph as ox

from tests.conformance.connectors.faulty import Site

PREFIXES = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix spdx: <http://spdx.org/rdf/terms#> . @prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix adms: <http://www.w3.org/ns/adms#> . @prefix hydra: <http://www.w3.org/ns/hydra/core#> . @prefix dpv: <https://w3id.org/dpv#> .
@prefix health: <http://healthdataportal.eu/ns/health#> . @prefix right: <http://publications.europa.eu/resource/authority/access-right/> .
@prefix mobility: <https://w3id.org/mobilitydcat-ap#> . @prefix cc: <http://creativecommons.org/licenses/> . @prefix e: <https://data.example/> .
"""
BY = "<https://creativecommons.org/licenses/by/4.0/>"


def dataset(name: str, *, licence: str = BY, more: str = "", files: str = "", title: str = "") -> str:
    """Return one dataset with one distribution, in Turtle without prefixes."""
    stated = f"dct:license {licence} ;" if licence else ""
    return f"""
e:{name} a dcat:Dataset ; dct:title "{title or f"Counts {name}"}"@en ; dct:description "All of {name}"@en ; dct:modified "2026-01-02"^^xsd:date ;
  dct:publisher [ a foaf:Agent ; foaf:name "City" ] ; {more} dcat:distribution <https://data.example/{name}/csv> .
<https://data.example/{name}/csv> a dcat:Distribution ; dcat:accessURL <https://data.example/{name}.csv> ; {stated} {files} dct:format "CSV" .
"""


def turtle(*parts: str) -> str:
    """Return a document of the parts."""
    return PREFIXES + "".join(parts)


def serialised(text: str, kind: ox.RdfFormat) -> bytes:
    """Return a Turtle document in another serialisation."""
    quads = ox.parse(text.encode(), ox.RdfFormat.TURTLE)
    return ox.serialize((ox.Triple(q.subject, q.predicate, q.object) for q in quads), format=kind)


def hydra_pages(web: Site, names: list[str], *, size: int, old: bool = False) -> None:
    """Put a catalogue of several pages on the site: ``/catalog.ttl``, ``/catalog.ttl?page=2`` …"""

    def page(query: str) -> tuple[str, bytes]:
        number = int(parse_qs(query).get("page", ["1"])[0])
        chosen = names[(number - 1) * size : number * size]
        following = f"{web.url}/catalog.ttl?page={number + 1}"
        more = number * size < len(names)
        kind, word = ("hydra:PagedCollection", "hydra:nextPage") if old else ("hydra:PartialCollectionView", "hydra:next")
        link = f"{word} <{following}> ;" if more else ""
        told = f"<{web.url}/catalog.ttl?page={number}> a {kind} ; {link} hydra:totalItems {len(names)} ."
        return "text/turtle", turtle(told, *(dataset(name) for name in chosen)).encode()

    web.pages["/catalog.ttl"] = page


def ckan(web: Site, packages: list[dict]) -> None:
    """Put the action API of a CKAN on the site."""

    def search(query: str) -> tuple[str, bytes]:
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        word = asked.get("q", "*:*")
        found = [one for one in packages if word == "*:*" or word in json.dumps(one)]
        start, rows = int(asked["start"]), int(asked["rows"])
        return answer({"count": len(found), "results": found[start : start + rows]})

    def show(query: str) -> tuple[str, bytes]:
        wanted = parse_qs(query)["id"][0]
        found = [one for one in packages if wanted in {one["id"], one["name"]}]
        return answer(found[0]) if found else ("application/json", b'{"success": false}')

    def answer(result: object) -> tuple[str, bytes]:
        return "application/json", json.dumps({"success": True, "result": result}).encode()

    web.pages |= {"/api/3/action/package_search": search, "/api/3/action/package_show": show}


def piveau(web: Site, records: list[dict], *, scrolls: bool) -> None:
    """Put a hub search on the site, with or without scrolling."""

    def answer(found: list[dict], scroll: str) -> tuple[str, bytes]:
        body = {"count": len(records), "results": found} | ({"scrollId": scroll} if scroll else {})
        return "application/json", json.dumps({"result": body}).encode()

    def search(query: str) -> tuple[str, bytes]:
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        page, limit = int(asked["page"]), int(asked["limit"])
        return answer(
            records[page * limit : (page + 1) * limit], f"at-{limit}-{limit}" if scrolls and "scroll" in asked else ""
        )

    def scroll(query: str) -> tuple[str, bytes]:
        _, place, size = parse_qs(query)["scrollId"][0].split("-")
        start = int(place)
        return answer(records[start : start + int(size)], f"at-{start + int(size)}-{size}")

    web.pages |= {"/search": search, "/scroll": scroll}


def sparql(web: Site, text: str) -> ox.Store:
    """Put a SPARQL endpoint on the site, over the triples of a document; return its store."""
    store = ox.Store()
    store.load(text.encode(), ox.RdfFormat.TURTLE)

    def query(asked: str) -> tuple[str, bytes]:
        results = store.query(parse_qs(asked)["query"][0])
        if isinstance(results, ox.QueryTriples):
            return "text/turtle", results.serialize(format=ox.RdfFormat.TURTLE)
        return "application/sparql-results+json", results.serialize(format=ox.QueryResultsFormat.JSON)

    web.pages["/sparql"] = query
    return store
