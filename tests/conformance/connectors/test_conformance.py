"""The behaviour of the connector port, the same for all."""

from __future__ import annotations

import dataclasses
import json

import pytest

from datalab.errors import DatalabError, NotFound, PolicyRefusal, SourceError
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.ports.http import HttpClient, Limits

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", legal_basis="eu-gdpr:A6-1-e", territory="LU")


class Moved(list):
    def __call__(self, what, done, total):
        self.append((what, done, total))


def acquire(case, intent=RESEARCH):
    offer = case.connector.offer(case.dataset)
    decision = case.permit(offer, intent)
    return offer, decision, case.connector.negotiate(offer, intent, decision)


def test_discover(case):
    [found] = case.connector.search(Query("counts"))
    assert found == case.connector.offer(case.dataset)
    assert found.connector == case.connector.name
    assert found.policy.verbatim
    assert json.loads(found.catalogue_record)
    assert [item.format for item in found.distributions if item.sha256][0:1] == ["csv"]
    assert not list(case.connector.search(Query("submarine")))
    assert not list(case.connector.search(Query("counts", limit=0)))


def test_an_unknown_dataset_is_not_found(case):
    with pytest.raises(NotFound, match="cuonts"):
        case.connector.offer("cuonts")


def test_negotiate(case):
    offer, decision, agreement = acquire(case)
    assert agreement.verbatim
    assert (agreement.dataset_id, agreement.offer_id, agreement.intent) == (case.dataset, offer.offer_id, RESEARCH)
    again = case.connector.negotiate(offer, RESEARCH, decision)
    assert again.id == agreement.id


def test_another_intent_is_another_agreement(case):
    _, _, one = acquire(case)
    _, _, other = acquire(case, dataclasses.replace(RESEARCH, purpose_text="count them twice"))
    assert one.id != other.id


def test_refuse(case):
    connector, intent = case.forbidden
    offer = connector.offer(case.dataset)
    decision = case.permit(offer, intent)
    assert not decision.permitted
    with pytest.raises(PolicyRefusal):
        connector.negotiate(offer, intent, decision)
    with pytest.raises(PolicyRefusal):
        connector.negotiate(offer, intent, dataclasses.replace(decision, permitted=True))


@pytest.mark.parametrize("changes", [{"subject": "something else"}, {"target": "x"}, {"recipient": "x"}, {"permitted": False}])
def test_a_decision_about_something_else_opens_nothing(case, changes):
    offer, decision, agreement = acquire(case)
    with pytest.raises(PolicyRefusal):
        case.connector.negotiate(offer, RESEARCH, case.permit(offer, **changes))
    with pytest.raises(PolicyRefusal):
        case.connector.fetch(agreement, offer, "", case.landing, case.permit(offer, **changes), Moved())
    with pytest.raises(PolicyRefusal):
        case.connector.fetch(dataclasses.replace(agreement, offer_id="other"), offer, "", case.landing, decision, Moved())


def test_fetch_and_fetch_again(case):
    offer, decision, agreement = acquire(case)
    moved, again = Moved(), Moved()
    first = case.connector.fetch(agreement, offer, "csv", case.landing, decision, moved)
    second = case.connector.fetch(agreement, offer, "csv", case.landing, decision, again)

    assert first == second
    assert first[0].path.read_bytes() == case.file.read_bytes()
    assert (first[0].ordinal, first[0].format, first[0].agreement_id) == (0, "csv", agreement.id)
    assert moved
    assert not again


def test_an_unknown_distribution_is_not_found(case):
    offer, decision, agreement = acquire(case)
    with pytest.raises(NotFound, match="parquet"):
        case.connector.fetch(agreement, offer, "parquet", case.landing, decision, Moved())


def test_other_bytes_than_announced_do_not_land(case):
    offer, decision, agreement = acquire(case)
    case.file.write_bytes(case.file.read_bytes().replace(b"1,2", b"1,3"))
    with pytest.raises(SourceError, match="differ"):
        case.connector.fetch(agreement, offer, "", case.landing, decision, Moved())
    assert not [path for path in case.landing.root.rglob("*") if path.is_file()]


def test_garbage_is_a_clear_error(case):
    broken = case.garbled()
    with pytest.raises(DatalabError) as caught:
        broken.offer(case.dataset)
    assert caught.value.what
    assert caught.value.where


TROUBLED = ["dcat", "dsp", "dsp-2024-1", "simpl-pull", "simpl-node", "edc", "rest"]
"""The connectors that ask over HTTP and fetch themselves. A folder has no counterparty; object stores: tests/unit/ports."""


@pytest.fixture
def troubled(case, monkeypatch):
    """A case whose source can be told to misbehave, met with less patience than usual."""
    before = HttpClient.__init__

    def init(self, reach, limits=None, **more):
        limits = limits or Limits()
        before(self, reach, dataclasses.replace(limits, seconds=3.0, idle=min(3.0, limits.idle)), **more)

    monkeypatch.setattr(HttpClient, "__init__", init)
    return case


@pytest.mark.parametrize("case", TROUBLED, indirect=True)
@pytest.mark.parametrize("kinds", [["429"], ["503", "503"], ["cut"]])
def test_a_busy_or_broken_catalogue_is_asked_again(troubled, kinds):
    unmet = troubled.troubled("catalogue", *kinds)
    assert troubled.connector.offer(troubled.dataset).title == "Bicycle counts"
    assert not unmet


@pytest.mark.parametrize("case", TROUBLED, indirect=True)
@pytest.mark.parametrize("kinds", [["503"] * 9, ["500"], ["garbage"], ["html"], ["drip"]])
def test_a_catalogue_that_does_not_deliver_is_a_clear_error_and_then_forgotten(troubled, kinds):
    troubled.troubled("catalogue", *kinds)
    with pytest.raises(SourceError) as caught:
        troubled.connector.offer(troubled.dataset)
    assert caught.value.where
    troubled.troubled("catalogue")
    assert troubled.connector.offer(troubled.dataset).title == "Bicycle counts"


@pytest.mark.parametrize("case", TROUBLED, indirect=True)
@pytest.mark.parametrize("kinds", [["cut"], ["cut", "429", "cut"], ["503", "cut"]])
def test_a_fetch_goes_on_where_it_was_cut(troubled, kinds):
    offer, decision, agreement = acquire(troubled)
    unmet = troubled.troubled("file", *kinds)
    [landed] = troubled.connector.fetch(agreement, offer, "csv", troubled.landing, decision, Moved())
    assert landed.path.read_bytes() == troubled.file.read_bytes()
    assert not unmet


@pytest.mark.parametrize("case", TROUBLED, indirect=True)
@pytest.mark.parametrize("kinds", [["503"] * 9, ["500"], ["garbage"], ["html"], ["drip"]])
def test_a_file_that_does_not_come_leaves_nothing(troubled, kinds):
    offer, decision, agreement = acquire(troubled)
    troubled.troubled("file", *kinds)
    with pytest.raises(SourceError) as caught:
        troubled.connector.fetch(agreement, offer, "csv", troubled.landing, decision, Moved())
    assert caught.value.what
    assert not [path for path in troubled.landing.root.rglob("*") if path.is_file()]


def test_search_gives_pages_no_longer_than_asked_for(case):
    everything = list(case.connector.search(Query("", limit=10)))
    assert [offer.dataset_id for offer in case.connector.search(Query("", limit=1))] == [everything[0].dataset_id]
