"""A real ledger and the evidence of an example run, in a temporary folder."""

from __future__ import annotations

import pytest

from datalab.governance.ledger import SqliteLedger
from tests.unit.governance import evidence_example


@pytest.fixture(scope="session")
def made():
    """The module of the example, for its constants and its makers."""
    return evidence_example


@pytest.fixture
def ledger(tmp_path):
    with SqliteLedger(tmp_path / "lab" / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def evidence(tmp_path, ledger, made):
    """An approved run; its data stands in ``tmp_path / 'release'``."""
    return made.example(tmp_path / "release", ledger)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "release"
