"""A real ledger and the evidence of an example run, in a temporary folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from datalab.governance.ledger import SqliteLedger


def _load():
    """Load the example beside this file once, under one name, so that its classes stay the same in all tests."""
    name = "governance_evidence_example"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("evidence_example.py"))
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def made():
    """The module of the example, for its constants and its makers."""
    return _load()


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
