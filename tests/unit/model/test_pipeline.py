from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from datalab.errors import UsageError
from datalab.model.pipeline import Pipeline, Purpose, Release, Source, Splits
from datalab.model.step import GenerateStep, MapStep, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class UpperCase(MapStep):
    service: ClassVar[Service] = Service.STANDARDISATION
    column: str = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin(GenerateStep):
    service: ClassVar[Service] = Service.SYNTHESIS


PIPELINE = Pipeline(
    name="company-register",
    title="Companies",
    owner="ada",
    purpose=Purpose("https://w3id.org/dpv#ResearchAndDevelopment", "train a model"),
    legal_basis="",
    source=Source(dataset="sandbox:companies"),
    steps=[UpperCase(), UpperCase(column="city")],
    release=Release(licence="CC0-1.0", description="companies"),
)


def test_steps_have_labels_that_say_place_and_name() -> None:
    assert PIPELINE.labels == ("01 standardisation.upper-case", "02 standardisation.upper-case")
    assert isinstance(PIPELINE.steps, tuple)


@pytest.mark.parametrize("name", ["", "Company", "a_b", "a--b", "-a", "a-", "1a", "../a", "a b", "a\n", "ä"])
def test_a_name_that_cannot_be_a_folder_or_a_command_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a pipeline name"):
        replace(PIPELINE, name=name)


def test_a_class_in_place_of_a_step_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        replace(PIPELINE, steps=[UpperCase(), UpperCase])
    assert caught.value.where == "pipeline company-register, step 2"


def test_a_step_that_generates_rows_must_be_the_last() -> None:
    assert replace(PIPELINE, steps=[UpperCase(), Twin()]).labels[-1] == "02 synthesis.twin"
    with pytest.raises(UsageError, match="must be the last"):
        replace(PIPELINE, steps=[Twin(), UpperCase()])


@pytest.mark.parametrize(
    "shares", [{}, {"train": 0.5}, {"train": 1.5, "test": -0.5}, {"train": 1.0, "test": 0.0}, {"train": float("nan")}]
)
def test_shares_must_be_positive_and_add_up(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="add up to 1"):
        replace(PIPELINE, splits=Splits(shares=shares))


@pytest.mark.parametrize("split", ["../train", "a/b", "", "."])
def test_a_split_becomes_a_folder_and_must_have_a_name_for_one(split: str) -> None:
    with pytest.raises(UsageError, match="not a name for a split"):
        replace(PIPELINE, splits=Splits(shares={split: 1.0}))


def test_one_column_may_be_given_as_text() -> None:
    assert Splits(together="lei").together == ("lei",)


@pytest.mark.parametrize("change", [{"part_rows": 0}, {"release": Release(licence="x", description="y", rows_per_shard=0)}])
def test_parts_and_shards_have_rows(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        replace(PIPELINE, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"owner": "grace"},
        {"purpose": Purpose("x", "train a model")},
        {"source": Source(dataset="sandbox:other")},
        {"steps": [UpperCase(column="city"), UpperCase()]},
        {"steps": [UpperCase(why="because"), UpperCase(column="city")]},
        {"splits": Splits(shares={"train": 0.8, "test": 0.1, "validation": 0.1})},
        {"expectations": "companies"},
        {"seed": 1},
        {"part_rows": 1024},
    ],
)
def test_everything_that_decides_or_is_approved_is_in_the_fingerprint(change: dict[str, object]) -> None:
    assert replace(PIPELINE, **change).fingerprint != PIPELINE.fingerprint
    assert replace(PIPELINE).fingerprint == PIPELINE.fingerprint


def test_a_new_version_of_a_step_is_a_new_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = PIPELINE.fingerprint
    monkeypatch.setattr(UpperCase, "version", 2)
    assert PIPELINE.fingerprint != before
