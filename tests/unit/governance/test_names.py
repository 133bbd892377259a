"""Names: IRIs that hold for any lab and any licence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datalab.governance.names import as_iri, licence_iris, release_iri, run_uuid


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("CC0-1.0", ["CC0-1.0"]),
        ("BSD-3-Clause AND MIT", ["BSD-3-Clause", "MIT"]),
        ("(MIT OR Apache-2.0) AND MIT", ["MIT", "Apache-2.0"]),
        ("", []),
    ],
)
def test_an_expression_names_its_licences(expression, names):
    assert licence_iris(expression) == [f"https://spdx.org/licenses/{name}" for name in names]


def test_a_name_that_is_no_iri_becomes_one():
    assert as_iri("did:web:datalab.example", "lab") == "did:web:datalab.example"
    assert as_iri("my data & more", "dataset") == "urn:x-datalab:dataset:my%20data%20%26%20more"


def test_a_candidate_and_its_release_have_names_of_their_own(evidence):
    assert release_iri(evidence) == "did:web:datalab.example/releases/service-messages/3"
    assert release_iri(replace(evidence, version="")).endswith(f"/candidates/service-messages/{evidence.digest[:16]}")


def test_another_start_of_the_plan_is_another_run(evidence):
    assert run_uuid(evidence) == run_uuid(replace(evidence, version=""))
    assert run_uuid(evidence) != run_uuid(replace(evidence, events=()))
