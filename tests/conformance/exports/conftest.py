"""A release folder with all its exports, and the reference files they are measured against."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datalab.governance import write_governance
from datalab.governance.ledger import SqliteLedger
from tests.unit.governance.evidence_example import example


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """(folder, evidence) of an approved example release."""
    place = tmp_path_factory.mktemp("exports")
    with SqliteLedger(place / "ledger.sqlite") as ledger:
        evidence = example(place / "release", ledger)
    write_governance(evidence, place / "release")
    return place / "release", evidence


@pytest.fixture(scope="session")
def folder(written):
    return written[0]


@pytest.fixture(scope="session")
def evidence(written):
    return written[1]


@pytest.fixture(scope="session")
def reference():
    """The folder of reference files: official schemas and shapes, which are not part of the project."""
    place = os.environ.get("DATALAB_REFERENCE_DATA", "")
    if not place:
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the official schemas and shapes are not part of the project")
    return Path(place)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Let the tests with mlcroissant come last: absl, which it brings, takes the streams of the whole process over."""
    items.sort(key=lambda item: item.path.name == "test_croissant.py")
