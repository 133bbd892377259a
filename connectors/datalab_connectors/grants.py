"""What every connector asks before it agrees and before it fetches: that exactly this is permitted, and still is."""

from __future__ import annotations

import dataclasses
import datetime as dt

from datalab.errors import PolicyRefusal
from datalab.model.agreement import Agreement, Intent
from datalab.model.decision import Decision, Door
from datalab.model.offer import Offer
from datalab.model.policy import Rule
from datalab.policy import acquire_subject, acquire_target, check_grant, decide_acquisition
from datalab.policy.moments import rfc3339


def granted(decision: Decision, offer: Offer, intent: Intent) -> str:
    """Return what the decision is about; raise ``PolicyRefusal`` unless it permits to acquire exactly this."""
    subject = acquire_subject(offer, intent)
    check_grant(decision, Door.ACQUIRE, subject, acquire_target(offer), intent.recipient)
    return subject


def look_again(offer: Offer, intent: Intent, *, actor: str, participant: str = "") -> None:
    """Raise ``PolicyRefusal`` where the terms that can be read forbid this: no holder is asked who would say so.

    What cannot be read was for the decision to judge: a steward may have vouched for it.
    """
    again = decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor=actor, participant=participant)
    if not again.permitted and not all(refusal.vouchable for refusal in again.refusals):
        raise PolicyRefusal("\n".join(again.reasons), where=offer.dataset, next="choose another purpose or another offer")


def look_again_at_bans(offer: Offer, intent: Intent, *, actor: str, participant: str = "") -> None:
    """Raise ``PolicyRefusal`` where a prohibition catches this intent.

    For a connector of ours that takes no purpose: nobody behind it can object to one. What it does measure, permissions and duties,
    and what only the lab knows about itself, was for the decision to judge.
    """
    bans = dataclasses.replace(offer.policy, permissions=(Rule("use"),), obligations=(), unknown=())
    look_again(dataclasses.replace(offer, policy=bans), intent, actor=actor, participant=participant)


def in_force(agreement: Agreement, offer: Offer, decision: Decision) -> None:
    """Raise ``PolicyRefusal`` unless agreement and decision let exactly this offer be fetched now."""
    granted(decision, offer, agreement.intent)
    if (agreement.dataset_id, agreement.offer_id) != (offer.dataset_id, offer.offer_id):
        raise PolicyRefusal("the agreement is about another offer", where=agreement.id, next="negotiate this one")
    if ended(agreement):
        raise PolicyRefusal(f"the agreement ended at {agreement.valid_until}", where=agreement.id, next="negotiate again")


def lasting(agreement: Agreement) -> Agreement:
    """Return an agreement that was reached just now; raise ``PolicyRefusal`` where its own terms ended before."""
    if ended(agreement):
        where = f"{agreement.connector}:{agreement.dataset_id}"
        raise PolicyRefusal(
            f"these terms ended at {agreement.valid_until}", where=where, next="ask the data holder for new ones"
        )
    return agreement


def ended(agreement: Agreement) -> bool:
    """Whether the terms of an agreement have come to their end."""
    return bool(agreement.valid_until) and agreement.valid_until <= rfc3339(dt.datetime.now(dt.UTC))
