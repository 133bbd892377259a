from __future__ import annotations

import json
from pathlib import Path

import pytest
from datalab_connectors.dsp.holdings import File, Holding, catalogue_of
from datalab_connectors.dsp.terms import same_terms, typed
from datalab_connectors.dsp.versions import SPOKEN

from datalab.policy import parse


@pytest.mark.parametrize("right", [7, -1.5, True, 10**30, "7", ["a", 7], {"@value": "7"}])
@pytest.mark.parametrize("version", SPOKEN)
def test_a_number_in_the_terms_of_a_holding_goes_over_the_wire(right, version):
    """As ODRL writes it; the schema of the protocol takes texts, objects and lists."""
    terms = {
        "permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": right}]}]
    }
    holding = Holding("a", "offer:a", "A", "", "H", terms, (File("bin", Path("a"), "text", "text/plain", "A", 1, "0" * 64),))
    sent = json.loads(json.dumps(version.write(catalogue_of([holding], "did:web:x.example", "https://x.example"))))
    [dataset] = version.read(sent, "Catalog")["dataset"]
    [offer] = dataset["hasPolicy"]
    assert parse(json.dumps(offer)).permissions == parse(json.dumps(terms)).permissions
    assert same_terms({**offer, "target": "a"}, {**terms, "target": "a"})


def test_what_the_protocol_takes_stays_as_it_is():
    rules = {
        "permission": [{"action": "use", "constraint": [{"leftOperand": "x", "operator": "eq", "rightOperand": ["a", "b"]}]}]
    }
    assert typed(rules) == rules
