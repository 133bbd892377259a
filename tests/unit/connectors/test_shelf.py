from __future__ import annotations

import pytest
from datalab_connectors.dsp.callers import ANONYMOUS, identity_token, read_caller
from datalab_connectors.sandbox.reading import hit_id
from datalab_connectors.sandbox.shelf import read_shelf

from datalab.errors import DatalabError, SettingsError


def test_a_holding_is_read_with_its_digest(holding):
    [found] = read_shelf([holding.parent]).values()
    assert (found.id, found.files[0].bytes) == ("bicycles", (holding / "counts.csv").stat().st_size)
    assert found.offer_id.startswith("offer:bicycles:")


def test_other_terms_are_another_offer(holding):
    before = read_shelf([holding.parent])["bicycles"].offer_id
    (holding / "policy.json").write_text('{"permission":[{"action":"use"}]}')
    assert read_shelf([holding.parent])["bicycles"].offer_id != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('id = "bicycles"', 'id = "../x"'),
        ('title = "Vélos in Luxembourg"', ""),
        ("personal_data = false", ""),
        ('file = "counts.csv"', 'file = "../../secret"'),
        ('file = "counts.csv"', 'file = "absent.csv"'),
        ("issued", "isued"),
        ('policy = "policy.json"', "policy = "),
    ],
)
def test_a_wrong_holding_names_its_file(holding, old, new):
    path = holding / "holding.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SettingsError) as caught:
        read_shelf([holding.parent])
    assert "bicycles" in caught.value.where


def test_terms_that_cannot_be_read_are_not_offered(holding):
    (holding / "policy.json").write_text("{")
    with pytest.raises(DatalabError, match="JSON"):
        read_shelf([holding.parent])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ???", "Bearer e30=", "Bearer W10=", "Basic eA=="])
def test_who_cannot_be_read_is_anonymous(header):
    assert read_caller(header).participant == ANONYMOUS


def test_a_token_carries_who_and_why():
    from datalab.model.agreement import Intent

    intent = Intent("dpv:Marketing", "", territory="LU", commercial=True)
    caller = read_caller("Bearer " + identity_token("did:web:x", intent))
    assert (caller.participant, caller.intent) == ("did:web:x", intent)


@pytest.mark.parametrize(
    "item", [None, {}, {"n": None}, {"n": {}}, {"n": {"claimsGraphUri": []}}, {"n": {"claimsGraphUri": [7]}}, []]
)
def test_an_odd_hit_is_no_hit(item):
    assert hit_id(item) == ""


def test_the_inner_key_of_a_hit_is_arbitrary():
    for letter in ("n", "i", "0"):
        assert hit_id({letter: {"claimsGraphUri": ["did:web:x:DataOffering:abc"]}}) == "abc"
