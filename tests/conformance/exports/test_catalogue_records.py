"""DCAT-AP and PROV-O: the graphs conform to the official shapes and hold together."""

from __future__ import annotations

import warnings

import pytest
import rdflib


def graph_of(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rdflib.Graph().parse(path, format="json-ld")


def conforms(graph, shapes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyshacl

        fine, _, text = pyshacl.validate(graph, shacl_graph=shapes)
    return fine, text


@pytest.fixture(scope="module")
def shapes(reference):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rdflib.Graph().parse(reference / "dcat-ap-3.0.1" / "shacl" / "dcat-ap-SHACL.ttl", format="turtle")


def test_the_record_conforms_to_dcat_ap(folder, shapes):
    fine, text = conforms(graph_of(folder / "governance" / "dcat.jsonld"), shapes)
    assert fine, text


@pytest.mark.parametrize(
    "gone", ["http://purl.org/dc/terms/title", "http://www.w3.org/ns/dcat#accessURL", "http://xmlns.com/foaf/0.1/name"]
)
def test_the_shapes_would_find_what_is_missing(folder, shapes, gone):
    graph = graph_of(folder / "governance" / "dcat.jsonld")
    graph.remove((None, rdflib.URIRef(gone), None))
    fine, _ = conforms(graph, shapes)
    assert not fine


def test_every_shard_leads_to_a_source_and_an_agreement(folder, evidence):
    graph = graph_of(folder / "governance" / "provenance.jsonld")
    found = graph.query(
        """PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX odrl: <http://www.w3.org/ns/odrl/2/>
        SELECT DISTINCT ?shard WHERE { ?release prov:hadMember ?shard . ?shard prov:wasGeneratedBy ?run . ?run prov:used ?object .
        ?object prov:wasDerivedFrom ?dataset ; odrl:hasPolicy ?agreement . ?dataset prov:wasAttributedTo ?holder }"""
    )
    assert len(list(found)) == len(evidence.shards)
    assert graph.query(
        """PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
        ASK { ?approval prov:wasAssociatedWith ?person . ?person a prov:Person ; rdfs:label "Maria Keller, compliance officer" }"""
    ).askAnswer


def test_the_policies_are_a_graph_too(folder, evidence):
    graph = graph_of(folder / "governance" / "policy.jsonld")
    agreements = set(graph.subjects(rdflib.RDF.type, rdflib.URIRef("http://www.w3.org/ns/odrl/2/Agreement")))
    assert {str(item) for item in agreements} == {agreement.id for agreement in evidence.agreements}
