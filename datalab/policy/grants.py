"""Binding a decision to what it permits: the subject of an acquisition, and the check at each door."""

from __future__ import annotations

import datetime as dt

from datalab.errors import PolicyRefusal
from datalab.model.agreement import Intent
from datalab.model.canonical import describe, digest
from datalab.model.decision import Decision, Door
from datalab.model.offer import Offer
from datalab.policy.doors import decide
from datalab.policy.facts import Facts


def acquire_subject(offer: Offer, intent: Intent) -> str:
    """Return what a decision at the door ACQUIRE must name: a digest of the offer, its terms to the letter, and the intent."""
    body = {
        "connector": offer.connector,
        "dataset": offer.dataset_id,
        "offer": offer.offer_id,
        "policy": offer.policy.sha256,
        "intent": describe(intent),
    }
    return digest(body)


def acquire_target(offer: Offer) -> str:
    """Return what an acquisition is aimed at: the dataset, by its name in the connector."""
    return f"{offer.connector}:{offer.dataset_id}"


def decide_acquisition(
    offer: Offer, intent: Intent, *, moment: dt.datetime, actor: str, participant: str = "", facts: Facts | None = None
) -> Decision:
    """Decide whether ``offer`` may be acquired for ``intent``: the decision that connectors ask for.

    ``facts`` are what the lab knows; without them nothing but its own identifier, the ``participant``, is known.
    """
    return decide(
        Door.ACQUIRE,
        [offer.policy],
        intent,
        moment=moment,
        facts=facts or Facts(personal_data=offer.personal_data, participant=participant),
        subject=acquire_subject(offer, intent),
        target=acquire_target(offer),
        actor=actor,
    )


def check_grant(decision: Decision, door: Door, subject: str, target: str, recipient: str) -> None:
    """Raise ``PolicyRefusal`` unless ``decision`` permits exactly this."""
    if not decision.permitted:
        raise PolicyRefusal(
            "\n".join(decision.reasons) or "the decision is a no",
            where=f"{decision.door} of {decision.target}",
            next=decision.next,
        )
    if not decision.permits(door, subject, target, recipient):
        wanted = {"door": str(door), "subject": subject, "target": target, "recipient": recipient}
        found = decision.as_json()
        wrong = ", ".join(key for key, value in wanted.items() if found[key] != value)
        raise PolicyRefusal(
            f"the decision permits something else: it differs in {wrong}",
            where=f"{door} of {target}",
            next="ask for a decision about exactly this",
        )
