"""The purposes shipped are those of DPV 2.3, with the same hierarchy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datalab.policy.purposes import DPV, broader, codes

REFERENCE = os.environ.get("DATALAB_REFERENCE_DATA", "")


@pytest.mark.skipif(not REFERENCE, reason="DATALAB_REFERENCE_DATA is not set")
def test_every_code_exists_and_has_the_broader_codes_of_the_vocabulary():
    import rdflib
    from rdflib.namespace import RDFS, SKOS

    graph = rdflib.Graph().parse(Path(REFERENCE) / "dpv-2.3" / "dpv.ttl")
    for code in codes() - {DPV + "Purpose"}:
        term = rdflib.URIRef(code)
        above = {str(item) for item in (*graph.objects(term, SKOS.broader), *graph.objects(term, RDFS.subClassOf))}
        assert above & broader(code), code
        assert {item for item in above if item.startswith(DPV) and item in codes()} <= broader(code)
