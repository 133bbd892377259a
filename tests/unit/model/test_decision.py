from __future__ import annotations

from dataclasses import replace

import pytest

from datalab.model.decision import Decision, Door

GRANT = Decision(
    Door.STAGE, True, "ab" * 32, "site:lumi", "lab", "ada", ("the licence permits it",), ("cd" * 32,), ("attribute",)
)


def test_a_decision_permits_exactly_what_it_names() -> None:
    assert GRANT.permits(Door.STAGE, "ab" * 32, "site:lumi", "lab")


@pytest.mark.parametrize(
    "asked",
    [
        (Door.EXPORT, "ab" * 32, "site:lumi", "lab"),
        (Door.STAGE, "ab" * 31, "site:lumi", "lab"),
        (Door.STAGE, "ab" * 32, "site:lum", "lab"),
        (Door.STAGE, "ab" * 32, "site:lumi", ""),
    ],
)
def test_and_nothing_else(asked: tuple[Door, str, str, str]) -> None:
    assert not GRANT.permits(*asked)


def test_a_refusal_permits_nothing() -> None:
    assert not replace(GRANT, permitted=False).permits(Door.STAGE, "ab" * 32, "site:lumi", "lab")


@pytest.mark.parametrize(
    "change",
    [{"door": Door.EXPORT}, {"permitted": False}, {"subject": "x"}, {"target": "x"}, {"recipient": "x"}, {"actor": "x"}]
    + [{"reasons": ()}, {"policies": ()}, {"duties": ()}],
)
def test_each_field_is_part_of_the_id(change: dict[str, object]) -> None:
    assert replace(GRANT, **change).id != GRANT.id
    assert len(GRANT.id) == 32
