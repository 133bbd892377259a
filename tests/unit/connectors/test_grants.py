"""What is asked of every agreement before anything moves."""

from __future__ import annotations

import dataclasses

import pytest
from datalab_connectors.edc.reading import offer_in
from datalab_connectors.grants import ended, granted, in_force, lasting, look_again_at_bans

from datalab.errors import PolicyRefusal
from datalab.model.agreement import Agreement
from tests.unit.connectors.edc_shapes import OLDER, RESEARCH, permit

OFFER = offer_in("space", OLDER, "provider")
BEFORE, AFTER = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def agreement(**more):
    about = {"connector": "space", "dataset_id": OFFER.dataset_id, "offer_id": OFFER.offer_id}
    said = {"id": "a", "kind": "contract", "provider": "p", "consumer": "c", "intent": RESEARCH, "policy": OFFER.policy}
    return Agreement(**{**about, **said, "agreed_at": BEFORE, **more})


def test_what_was_agreed_and_lasts_is_in_force():
    in_force(agreement(valid_until=AFTER), OFFER, permit(OFFER))
    in_force(agreement(), OFFER, permit(OFFER))
    assert lasting(agreement(valid_until=AFTER)).id == "a"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"valid_until": BEFORE}, "the agreement ended at 2020"),
        ({"offer_id": "other"}, "about another offer"),
        ({"dataset_id": "other"}, "about another offer"),
        ({"intent": dataclasses.replace(RESEARCH, purpose_text="something else")}, "permits something else"),
    ],
)
def test_what_ended_or_is_about_something_else_opens_nothing(more, what):
    with pytest.raises(PolicyRefusal, match=what) as caught:
        in_force(agreement(**more), OFFER, permit(OFFER))
    assert caught.value.where
    assert caught.value.next


def test_terms_that_ended_before_they_were_agreed_are_no_agreement():
    assert ended(agreement(valid_until=BEFORE))
    with pytest.raises(PolicyRefusal, match="these terms ended at 2020"):
        lasting(agreement(valid_until=BEFORE))


def test_a_ban_holds_whatever_the_decision_says():
    selling = dataclasses.replace(RESEARCH, purpose="https://w3id.org/dpv#CommercialPurpose")
    forged = dataclasses.replace(permit(OFFER, selling), permitted=True)
    granted(forged, OFFER, selling)
    look_again_at_bans(OFFER, RESEARCH, actor="steward")
    with pytest.raises(PolicyRefusal, match="prohibits"):
        look_again_at_bans(OFFER, selling, actor="steward")
