"""Law 2: the same plan on the same input gives the same content, and within one lock the same bytes, on every engine."""

from __future__ import annotations

import pytest

from tests.conformance.engines.engines import ENGINES

DEMO = ("company-register", "eu-languages", "patients-events")
TRUTH = "1-worker"
OTHERS = [
    pytest.param(name, marks=[pytest.mark.cluster] if engine.cluster else [])
    for name, engine in ENGINES.items()
    if name != TRUTH
]


@pytest.mark.slow
@pytest.mark.parametrize("name", DEMO)
@pytest.mark.parametrize("engine", OTHERS)
def test_one_digest_one_account_one_set_of_bytes(outcome, engine, name):
    missing = ENGINES[engine].missing()
    if missing:
        pytest.skip(f"{engine}: {missing}")
    digest, rows, data = outcome(engine, name)
    true_digest, true_rows, true_data = outcome(TRUTH, name)
    assert digest == true_digest
    assert rows == true_rows
    assert data == true_data
