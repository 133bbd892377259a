"""Reading RDF from outside: every serialisation alike, nothing fetched, nothing that grows or nests without end."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pyoxigraph as ox
import pytest
from datalab_connectors.dcat.contexts import dcat_ap
from datalab_connectors.dcat.rdf import parse
from datalab_connectors.dcat.record import records
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import ProtocolError
from tests.unit.connectors.dcat_worlds import dataset, serialised, turtle

F = ox.RdfFormat
TYPES = {
    F.TURTLE: ("text/turtle", "ttl"),
    F.N_TRIPLES: ("application/n-triples", "nt"),
    F.N_QUADS: ("application/n-quads", "nq"),
    F.TRIG: ("application/trig", "trig"),
    F.RDF_XML: ("application/rdf+xml", "rdf"),
    F.JSON_LD: ("application/ld+json", "jsonld"),
}
TEXT = turtle(dataset("one"), dataset("two", more="dct:spatial [ a dct:Location ] ;"))


def told(found):
    """Return the records with the numbers of blank nodes left out: serialisations order them differently."""
    return sorted(sorted(json.dumps(node, sort_keys=True).split("_:")[0] for node in json.loads(raw.body)) for raw in found)


@pytest.mark.parametrize("kind", TYPES)
def test_all_serialisations_give_the_same_records_by_type_by_ending_and_by_sight(kind):
    data = serialised(TEXT, kind)
    media_type, end = TYPES[kind]
    expected = told(records(parse(TEXT.encode(), media_type="text/turtle", url="https://data.example/c")))
    assert len(expected) == 2
    for media, url in (
        (media_type, "https://x.example/c"),
        ("", f"c.{end}"),
        ("application/octet-stream", "https://x.example/c"),
    ):
        assert told(records(parse(data, media_type=media, url=url))) == expected


def test_a_record_holds_all_that_hangs_on_it_and_nothing_of_its_neighbours():
    found = {raw.id: json.loads(raw.body) for raw in records(parse(TEXT.encode(), url="c.ttl"))}
    one = found["https://data.example/one"]
    assert one[0]["@id"] == "https://data.example/one"
    assert {node["@id"] for node in one[1:]} == {"_:b1", "https://data.example/one/csv"}
    assert "two" not in json.dumps(one)


def test_fields_of_other_profiles_are_kept():
    text = turtle(
        dataset(
            "one", more='health:minTypicalAge 3 ; mobility:mobilityTheme e:traffic ; dpv:hasPurpose [ dct:description "x" ] ;'
        )
    )
    [raw] = records(parse(text.encode(), url="c.ttl"))
    assert all(word in raw.body for word in ("minTypicalAge", "mobilityTheme", "hasPurpose"))


def test_a_known_context_is_read_with_our_copy():
    body = {
        "@context": "https://semiceu.github.io/DCAT-AP/releases/3.0.1/context/dcat-ap.jsonld",
        "@id": "https://data.example/one",
        "@type": "Dataset",
        "title": {"@value": "One", "@language": "en"},
        "datasetDistribution": {"@type": "Distribution", "accessUrl": "https://data.example/one.csv"},
    }
    graph = parse(json.dumps(body).encode(), media_type="application/ld+json", url="https://data.example/")
    assert graph["https://data.example/one"]["http://purl.org/dc/terms/title"] == [{"@value": "One", "@language": "en"}]
    assert any("http://www.w3.org/ns/dcat#accessURL" in node for node in graph.values())


@pytest.mark.skipif("DATALAB_REFERENCE_DATA" not in os.environ, reason="DATALAB_REFERENCE_DATA is not set")
def test_our_copy_has_every_term_of_the_official_context():
    path = Path(os.environ["DATALAB_REFERENCE_DATA"], "dcat-ap-3.0.1", "context", "dcat-ap.jsonld")
    official = json.loads(path.read_text())["@context"]
    scoped = {
        term: value
        for entry in official.values()
        if isinstance(entry, dict)
        for term, value in entry.get("@context", {}).items()
    }
    expanded = json.loads(json.dumps(dcat_ap()))

    def iri(value):
        name = value if isinstance(value, str) else value["@id"]
        prefix, _, rest = name.partition(":")
        return expanded[prefix] + rest if prefix in expanded and not rest.startswith("//") else name

    for term, value in {**official, **scoped}.items():
        if ":" not in term:
            assert iri(expanded[term]) == iri(value), term


@pytest.mark.parametrize(
    "context",
    [
        "https://evil.example/context.jsonld",
        ["https://data.europa.eu/r5r/", "https://evil.example/c"],
        {"x": {"@id": "https://a.example/x", "@context": "https://evil.example/c"}},
        {"@import": "https://evil.example/c"},
        "https://evil.example/https://data.europa.eu/r5r/",
    ],
)
def test_no_other_context_is_ever_fetched(context):
    body = json.dumps({"@context": context, "@id": "https://data.example/x"}).encode()
    with pytest.raises(ProtocolError, match="context"):
        parse(body, media_type="application/ld+json", url="https://data.example/c")


ENTITIES = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><r>&b;</r>'
HOSTILE = {
    "nothing": b"",
    "a web page": b"<!DOCTYPE html><html></html>",
    "binary": bytes(range(256)) * 20,
    "JSON without sense": b'{"@id": 7, "@type": {"@list": [[]]}}',
    "broken Turtle": b"@prefix a: <http://a/> . a:x a:y ",
    "entities in entities": ENTITIES.encode(),
    "an entity from a file": f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "{Path("/etc/passwd").as_uri()}">]><r>&a;</r>'.encode(),
    "deep JSON": b'{"http://a/p":' * 5000 + b"1" + b"}" * 5000,
    "deep XML": b"<?xml version='1.0'?>" + b"<a>" * 50_000 + b"</a>" * 50_000,
    "triples in triples": b"<http://a/x> <http://a/p> " + b"<<( <http://a/x> <http://a/p> " * 50_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("media_type", ["", "text/turtle", "application/ld+json", "application/rdf+xml"])
def test_hostile_documents_are_refused_at_once(kind, media_type):
    began = time.process_time()
    with contextlib.suppress(ProtocolError):
        assert not list(records(parse(HOSTILE[kind], media_type=media_type, url="https://data.example/c")))
    assert time.process_time() - began < 2


@given(st.binary(max_size=200), st.sampled_from(["", *(media for media, _ in TYPES.values())]))
def test_any_bytes_are_a_graph_or_a_clear_error(data, media_type):
    with contextlib.suppress(ProtocolError):
        list(records(parse(data, media_type=media_type, url="https://data.example/c")))
