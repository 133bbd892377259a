from __future__ import annotations

import dataclasses

import pytest

from datalab.errors import NotFound, SourceError
from datalab.model.offer import Distribution, Offer
from datalab.model.policy import Policy

CSV = Distribution("csv", "csv", "text/csv", file="counts.csv")
OFFER = Offer(
    connector="city",
    dataset_id="counts",
    offer_id="o",
    title="",
    description="",
    holder="",
    policy=Policy(id="p"),
    distributions=(CSV, Distribution("parquet", "parquet", "application/vnd.apache.parquet")),
)


def test_a_distribution_is_found_by_its_id_and_the_first_without_one():
    assert OFFER.distribution("parquet").id == "parquet"
    assert OFFER.distribution("") == CSV
    assert [item.name for item in OFFER.distributions] == ["counts.csv", "parquet"]


def test_one_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(NotFound, match="csx") as caught:
        OFFER.distribution("csx")
    assert "csv" in str(caught.value)
    assert "city:counts" in caught.value.where


def test_of_none_none_is_found():
    with pytest.raises(SourceError, match="no distribution that can be fetched"):
        dataclasses.replace(OFFER, distributions=()).distribution("")
