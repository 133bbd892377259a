"""Reading RDF from outside, in any serialisation, into plain nodes: bounded in depth and expansion, without the network.

A graph is a dictionary from the id of a node (an IRI, or ``_:label``) to its properties, and a value is as JSON-LD writes it in
expanded form: ``{"@id": …}`` or ``{"@value": …, "@language": …}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

import pyoxigraph as ox

from datalab.errors import ProtocolError
from datalab.ports.bodies import parse_json
from datalab_connectors.dcat.contexts import pinned

Value = Mapping[str, str]
Node = dict[str, list[Value]]
Graph = dict[str, Node]

ACCEPT = (
    "text/turtle, application/n-triples;q=0.9, application/ld+json;q=0.8, application/rdf+xml;q=0.7, application/trig;q=0.6, "
    "*/*;q=0.1"
)
_BY_TYPE = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/x-turtle": ox.RdfFormat.TURTLE,
    "application/turtle": ox.RdfFormat.TURTLE,
    "text/n3": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/n-quads": ox.RdfFormat.N_QUADS,
    "application/trig": ox.RdfFormat.TRIG,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
}
_BY_END = {
    "ttl": ox.RdfFormat.TURTLE,
    "n3": ox.RdfFormat.TURTLE,
    "nt": ox.RdfFormat.N_TRIPLES,
    "nq": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "jsonld": ox.RdfFormat.JSON_LD,
    "rdf": ox.RdfFormat.RDF_XML,
    "xml": ox.RdfFormat.RDF_XML,
    "owl": ox.RdfFormat.RDF_XML,
}
_DEEPEST = 200
"""Nesting that is read. Catalogues need less than ten; the parser overflows its stack from some ten thousand."""
_ENTITIES, _ENTITY = 64, 200
_TRIPLE_TERMS = 1000
_STRING = "http://www.w3.org/2001/XMLSchema#string"


def parse(data: bytes, *, media_type: str = "", url: str) -> Graph:
    """Return the graph of a document, all named graphs as one; ``url`` is its base and says its format where its type does not.

    Raise ``ProtocolError`` for what is not RDF, is nested or expanded beyond measure, or needs a context from outside.
    """
    kind = _format(data, media_type, url)
    if kind == ox.RdfFormat.JSON_LD:
        data = _with_pinned_contexts(data, url)
    elif kind == ox.RdfFormat.RDF_XML:
        _check_xml(data, url)
    elif data.count(b"<<") > _TRIPLE_TERMS:  # nested triple terms overflow the parser's stack
        raise ProtocolError("the document nests triples in triples, which no catalogue does", where=url)
    base = (
        url if url.startswith(("http://", "https://")) else "http://catalogue.invalid/"
    )  # relative addresses in a file lead nowhere, and say so
    graph: Graph = {}
    try:
        for quad in ox.parse(data, kind, base_iri=base, lenient=True):
            subject, target = quad.subject, quad.object
            name = subject.value if type(subject) is ox.NamedNode else f"_:{subject.value}"
            value = _value(target)
            if value is None:
                continue
            node = graph.get(name)
            if node is None:
                node = graph[name] = {}
            node.setdefault(quad.predicate.value, []).append(value)
    except (SyntaxError, ValueError) as error:
        raise ProtocolError(f"the document is no {kind.name}: {str(error)[:160]}", where=url) from None
    return graph


def _value(target: object) -> Value | None:
    """Return an object as JSON-LD writes it; None for a triple."""
    if type(target) is ox.NamedNode:
        return {"@id": target.value}
    if type(target) is ox.BlankNode:
        return {"@id": f"_:{target.value}"}
    if type(target) is not ox.Literal:
        return None
    if target.language:
        return {"@value": target.value, "@language": target.language}
    datatype = target.datatype.value
    return {"@value": target.value} if datatype == _STRING else {"@value": target.value, "@type": datatype}


def _format(data: bytes, media_type: str, url: str) -> ox.RdfFormat:
    """Choose by media type, then by the end of the address, then by how the document begins."""
    start = data[:2048].removeprefix(b"\xef\xbb\xbf").lstrip()
    if media_type in {"text/html", "application/xhtml+xml"} or start[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise ProtocolError(
            "the address shows a web page, not a catalogue in RDF",
            where=url,
            next="give the address of its RDF, often …/catalog.ttl",
        )
    if media_type in _BY_TYPE:
        return _BY_TYPE[media_type]
    end = url.partition("?")[0].partition("#")[0].rpartition(".")[2].lower()
    if end in _BY_END:
        return _BY_END[end]
    if start[:1] in {b"{", b"["} and (media_type.endswith("json") or b'"' in start):
        return ox.RdfFormat.JSON_LD
    if start.startswith((b"<?xml", b"<rdf:", b"<RDF", b"<!DOCTYPE")):
        return ox.RdfFormat.RDF_XML
    if re.match(rb"(@prefix|@base|prefix|base|#|_:|<[^>\s]+>|\[)", start, re.IGNORECASE):
        return ox.RdfFormat.TRIG  # every Turtle and N-Triples document is TriG as well
    kind = media_type or "no content type"
    raise ProtocolError(f"the document is not RDF ({kind}, {len(data)} bytes)", where=url, next="look at it in a browser")


def _with_pinned_contexts(data: bytes, url: str) -> bytes:
    try:
        body = parse_json(data.decode("utf-8-sig"))
    except ValueError:
        raise ProtocolError("the document is not readable JSON", where=url) from None
    return json.dumps(_pin(body, url, 0), ensure_ascii=False).encode()


def _pin(value: Any, url: str, depth: int) -> Any:
    """Return the JSON with every reference to a context replaced by our copy of it."""
    if depth > _DEEPEST:
        raise ProtocolError(f"the document is nested more than {_DEEPEST} levels deep", where=url)
    if isinstance(value, list):
        return [_pin(item, url, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if "@import" in value:
        raise ProtocolError("the document imports a context, and none is fetched from outside", where=url)
    found = {key: _pin(item, url, depth + 1) for key, item in value.items() if key != "@context"}
    if "@context" not in value:
        return found
    contexts = value["@context"] if isinstance(value["@context"], list) else [value["@context"]]
    local = [pinned(item, url) if isinstance(item, str) else _pin(item, url, depth + 1) for item in contexts]
    return {"@context": local, **found}


def _check_xml(data: bytes, url: str) -> None:
    """Refuse what makes small documents large or deep: nested entities, external ones, endless nesting."""
    parser = expat.ParserCreate()
    depth, declared = 0, 0

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ProtocolError(f"the document is nested more than {_DEEPEST} levels deep", where=url)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def declare(_name: str, _parameter: int, value: str | None, *_: object) -> None:
        nonlocal declared
        declared += 1
        if declared > _ENTITIES or value is None or len(value) > _ENTITY or "&" in value or "%" in value:
            raise ProtocolError("the document declares entities that no catalogue needs", where=url)

    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = begin, end, declare
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ProtocolError(f"the document is no RDF_XML: {error}", where=url) from None
