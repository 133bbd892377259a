"""One data space for all tests of the lab, and a lab of its own for each."""

from __future__ import annotations

import pytest
from datalab_connectors.sandbox import start, stop

from datalab.lab import open_lab
from datalab.lab.release import approve
from datalab.lab.run import run_pipeline
from datalab.model.settings import load_settings
from tests.unit.lab.own_files import Holder
from tests.unit.lab.workshop import APPROVER, TEXT, VALUES, opened, pipeline, write_holdings, write_lab


@pytest.fixture(scope="session")
def space(tmp_path_factory, leaks):
    """The address of a running data space."""
    for value in VALUES:
        leaks.watch(value, "a visitor's name or address")
    folder = tmp_path_factory.mktemp("space")
    write_holdings(folder / "holdings")
    yield start(folder / "state", holdings=[folder / "holdings"]).url
    assert stop(folder / "state")


@pytest.fixture
def lab(tmp_path, space):
    with opened(tmp_path / "lab", space) as made:
        yield made


@pytest.fixture(scope="module")
def released(tmp_path_factory, space):
    """A lab in which version 1 of the visitors is released; tests must leave it as it is."""
    with opened(tmp_path_factory.mktemp("released"), space) as made:
        run_pipeline(pipeline(), lab=made)
        approve(made, "visitors", actor=APPROVER)
        yield made


@pytest.fixture
def own(tmp_path):
    """A lab of its own files, opened under the terms that a test gives."""
    root = tmp_path / "lab"
    write_lab(root, "http://127.0.0.1:9")
    (root / "visitors.csv").write_text(TEXT)
    opened = []

    def under(*, keep=True, **terms):
        lab = open_lab(load_settings(root / "datalab.toml"))
        holder = Holder(
            "own", {"root": str(root), "attestation": "ours", "attested_by": "holder", "personal_data": False}, root
        )
        holder.terms = terms
        lab._connectors["own"] = holder
        if keep:
            opened.append(lab)
        return lab

    yield under
    for lab in opened:
        lab.close()
