"""Contracts through a node: waiting, going on, giving up, and being refused."""

from __future__ import annotations

import json
import time

import pytest
from datalab_connectors.records import Records
from datalab_connectors.simpl.contracts import Contracts
from datalab_connectors.waiting import waits

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.policy import parse
from tests.unit.connectors.simpl_space import BASE, OFFERS, asked_for

USE = parse('{"@id":"p","permission":[{"action":"use"}]}')
ASKED = {"providerEndpoint": "https://p.example", "contractDefinitionId": "c", "assetId": "a"}


@pytest.fixture
def contracts(stub, tmp_path):
    stub.says["POST", f"{BASE}/connectorCatalog/assets"] = OFFERS
    stub.says["POST", f"{BASE}/contracts"] = {"contractNegotiationId": "n"}
    stub.says["GET", f"{BASE}/contracts/n"] = {
        "state": "FINALIZED",
        "contractAgreementId": "agreed",
        "counterPartyId": "did:web:q",
    }
    return Contracts(stub.connector(tmp_path).node, Records(tmp_path / "contracts"), 0.3)


@pytest.mark.parametrize("state", ["FINALIZED", "CONFIRMED"])
def test_a_contract_is_waited_for_and_concluded_once(stub, contracts, state):
    told = iter(["INITIAL", "REQUESTED", "REQUESTED"])
    stub.says["GET", f"{BASE}/contracts/n"] = lambda _: {"state": next(told, state), "contractAgreementId": "agreed"}
    found = contracts.conclude("s", ASKED, USE)
    assert (found["agreement"], found["provider"]) == ("agreed", "did:web:p")
    assert json.loads(found["negotiation"])["state"] == state
    assert contracts.conclude("s", ASKED, USE) == found
    assert len(asked_for(stub, "/contracts")) == 1


def test_what_takes_too_long_goes_on_the_next_time(stub, contracts):
    stub.says["GET", f"{BASE}/contracts/n"] = {"state": "REQUESTED"}
    with pytest.raises(SourceError, match="not concluded in time") as caught:
        contracts.conclude("s", ASKED, USE)
    assert "goes on" in caught.value.next
    stub.says["GET", f"{BASE}/contracts/n"] = {"state": "FINALIZED", "contractAgreementId": "agreed"}
    assert contracts.conclude("s", ASKED, USE)["agreement"] == "agreed"
    assert len(asked_for(stub, "/contracts")) == 1


def test_a_node_that_forgot_is_asked_anew(stub, contracts, tmp_path):
    Records(tmp_path / "contracts").put("s", {"id": "forgotten", "asked": json.dumps(ASKED), "offer": "", "provider": "p"})
    assert contracts.conclude("s", ASKED, USE)["agreement"] == "agreed"
    assert contracts.conclude("s", {**ASKED, "contractDefinitionId": "other"}, USE)["agreement"] == "agreed"
    assert len(asked_for(stub, "/contracts")) == 2


def test_a_refusal_gives_its_reason_and_can_be_tried_again(stub, contracts):
    stub.says["GET", f"{BASE}/contracts/n"] = {"state": "TERMINATED", "errorDetail": "not for consumers"}
    with pytest.raises(PolicyRefusal, match="not for consumers"):
        contracts.conclude("s", ASKED, USE)
    stub.says["POST", f"{BASE}/connectorCatalog/assets"] = {"offers": []}
    with pytest.raises(PolicyRefusal, match="does not offer this") as caught:
        contracts.conclude("s", ASKED, USE)
    assert "identity attributes" in caught.value.next


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/connectorCatalog/assets", []), ("/contracts", {}), ("/contracts", {"contractNegotiationId": 7}), ("/contracts", [])],
)
def test_an_answer_of_another_shape_is_a_broken_protocol(stub, contracts, path, answer):
    stub.says["POST", f"{BASE}{path}"] = answer
    with pytest.raises(ProtocolError):
        contracts.conclude("s", ASKED, USE)


def test_pauses_grow_and_end():
    slept = []
    pauses = list(waits(0.2, lambda seconds: (slept.append(seconds), time.sleep(seconds))))
    assert pauses == sorted(pauses)
    assert sum(slept) == pytest.approx(0.2, abs=0.1)
    assert list(waits(0, slept.append)) == [0.05]
