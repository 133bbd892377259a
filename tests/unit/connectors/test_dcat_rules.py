"""The compact rules against the official shapes: the same nodes lack the same mandatory properties."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from datalab_connectors.dcat.rdf import parse
from datalab_connectors.dcat.reading import record_of
from datalab_connectors.dcat.record import Record, records
from datalab_connectors.dcat.rules import ERROR, MANDATORY, findings, quality

from tests.unit.connectors.dcat_worlds import dataset, turtle

SPARSE = """
e:bare a dcat:Dataset .
e:titled a dcat:Dataset ; dct:title "T" ; dcat:distribution e:nowhere .
e:nowhere a dcat:Distribution ; spdx:checksum [ a spdx:Checksum ; spdx:checksumValue "00"^^xsd:hexBinary ] .
e:named a dcat:Dataset ; dct:title "T" ; dct:description "D" ; dct:publisher [ a foaf:Agent ] .
e:twice a dcat:Dataset ; dct:title "T" ; dct:description "D" ; dct:accessRights right:PUBLIC, right:RESTRICTED .
"""


def found_in(text):
    return [(raw, record_of(raw.body)) for raw in records(parse(text.encode(), url="c.ttl"))]


def test_errors_come_first_and_say_what_is_missing():
    [(_, record)] = found_in(turtle("e:bare a dcat:Dataset ."))
    said = findings(record)
    assert [str(one) for one in said if one.severity == ERROR] == [
        "error: the Dataset has no title",
        "error: the Dataset has no description",
    ]
    assert said[0].severity == ERROR
    assert "warning: the Dataset has no keyword" in map(str, said)


def test_a_literal_where_an_address_is_expected_is_a_warning():
    [(_, record)] = found_in(
        turtle(dataset("one", more='dct:accessRights "public" ; dct:issued "yesterday" ; dcat:theme e:fun ;'))
    )
    said = [str(one) for one in findings(record)]
    assert "warning: accessRights is a text where an address is expected" in said
    assert "warning: issued is no date" in said
    assert "warning: theme is not from the EU's table of data themes" in said
    assert not [one for one in said if one.startswith("error")]


def test_more_in_a_record_never_lowers_its_quality():
    [(_, plain)] = found_in(turtle(dataset("one")))
    [(_, rich)] = found_in(turtle(dataset("one", more='dcat:keyword "a" ; dcat:theme e:t ;', files="dcat:downloadURL e:d ;")))
    assert 0 < quality(plain) < quality(rich) <= 1


@pytest.mark.skipif("DATALAB_REFERENCE_DATA" not in os.environ, reason="DATALAB_REFERENCE_DATA is not set")
def test_pyshacl_finds_the_same_mandatory_properties_missing():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyshacl
        import rdflib
    shapes = rdflib.Graph()
    shapes.parse(Path(os.environ["DATALAB_REFERENCE_DATA"], "dcat-ap-3.0.1", "html-shacl", "shapes.ttl"))
    shapes.remove((None, rdflib.OWL.imports, None))
    text = turtle(SPARSE, dataset("whole"), dataset("other", licence=""))
    data = rdflib.Graph()
    data.parse(data=text, format="turtle")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, report, _ = pyshacl.validate(data, shacl_graph=shapes, do_owl_imports=False, advanced=True)
    sh = rdflib.Namespace("http://www.w3.org/ns/shacl#")
    theirs = set()
    for result in report.subjects(rdflib.RDF.type, sh.ValidationResult):
        kind = str(report.value(result, sh.sourceConstraintComponent))
        if kind.endswith(("MinCountConstraintComponent", "MaxCountConstraintComponent")):
            node = report.value(result, sh.focusNode)
            theirs.add(("_" if isinstance(node, rdflib.BNode) else str(node), str(report.value(result, sh.resultPath))))
    ours = {
        ("_" if one.node.startswith("_:") else one.node, one.path)
        for _, record in found_in(text)
        for one in findings(record)
        if one.severity == ERROR
    }
    assert ours == theirs
    assert len(ours) >= 7


@pytest.mark.skipif("DATALAB_REFERENCE_DATA" not in os.environ, reason="DATALAB_REFERENCE_DATA is not set")
def test_the_table_of_mandatory_properties_is_that_of_the_shapes():
    graph = parse(
        Path(os.environ["DATALAB_REFERENCE_DATA"], "dcat-ap-3.0.1", "html-shacl", "shapes.ttl").read_bytes(), url="s.ttl"
    )
    sh = "http://www.w3.org/ns/shacl#"
    table: dict[str, set[str]] = {}
    for node in graph.values():
        for target in node.get(sh + "targetClass", ()):
            for value in node.get(sh + "property", ()):
                shape = graph[value["@id"]]
                if any(int(count["@value"]) > 0 for count in shape.get(sh + "minCount", ())):
                    table.setdefault(target["@id"], set()).add(shape[sh + "path"][0]["@id"])
    plain = {kind: {path for path in paths if not path.startswith("_:")} for kind, paths in table.items()}
    identifier = "http://www.w3.org/ns/adms#Identifier"  # only the shapes in one file ask for its notation
    assert {kind: set(paths) for kind, paths in MANDATORY.items() if kind != identifier} == plain


def test_a_record_without_nodes_cannot_be_read():
    with pytest.raises(IndexError):
        Record.of([])
