"""Terms that nobody negotiates: a steward's attestation, a holder's policy beside the data, a published licence.

Each becomes the agreement as it stands, once a decision permits exactly this offer for exactly this intent.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from dataclasses import dataclass

from datalab.errors import PolicyRefusal
from datalab.model.agreement import Agreement, Intent
from datalab.model.decision import Decision
from datalab.model.offer import Offer
from datalab.model.policy import Policy
from datalab.policy import parse, valid_until
from datalab.policy.moments import rfc3339
from datalab_connectors.grants import granted, look_again
from datalab_connectors.table import Table


@dataclass(frozen=True, slots=True)
class Attestation:
    """Why a steward may use data that comes without terms, and who says so."""

    text: str = ""
    by: str = ""

    @classmethod
    def of(cls, table: Table) -> Attestation:
        """Read ``attestation`` and ``attested_by`` of a connector's table."""
        return cls(table.text("attestation").strip(), table.text("attested_by").strip())

    def policy(self) -> Policy:
        """Return the terms: use, and without a text nothing at all."""
        identifier = f"urn:datalab:attestation:{hashlib.sha256(self.text.encode()).hexdigest()}"
        stated = {
            "@type": "Set",
            "@id": identifier,
            "permission": [{"action": "use"}],
            "attestation": self.text,
            "attestedBy": self.by,
        }
        policy = parse(json.dumps({"@type": "Set", "permission": [{"action": "use"}]}))
        if not self.text:
            policy = dataclasses.replace(policy, unknown=("no attestation of why these files may be used",))
        return dataclasses.replace(policy, id=identifier, verbatim=json.dumps(stated, ensure_ascii=False))

    def check(self, dataset: str) -> None:
        """Raise ``PolicyRefusal`` unless somebody attests something."""
        if not self.text or not self.by:
            raise PolicyRefusal(
                "a file of one's own needs an attestation and the name of who makes it",
                where=dataset,
                next="say in the pipeline's source why it may be used: attestation=…",
            )


def stated_policy(text: str) -> Policy:
    """Return a holder's policy as it was found beside the data, with an id in every case."""
    policy = parse(text)
    return policy if policy.id else dataclasses.replace(policy, id=f"urn:datalab:policy:{policy.sha256}")


def missing_policy(name: str) -> Policy:
    """Return the terms where a policy file was to be expected and is not there: none that permit anything."""
    unknown = (f"no {shown(name)} beside the data, where its terms should stand",)
    body = {"@type": "Set", "@id": "urn:datalab:policy:missing", "permission": []}
    return Policy(id=str(body["@id"]), unknown=unknown, verbatim=json.dumps(body))


def shown(name: str) -> str:
    """Return a setting as it may stand in a sentence."""
    return repr(name[:80])


def agree(
    offer: Offer, intent: Intent, decision: Decision, *, provider: str, consumer: str, attestation: Attestation | None = None
) -> Agreement:
    """Turn the terms of an offer into the agreement: a licence, or what a steward attests. The same again, the same id."""
    subject = granted(decision, offer, intent)
    if attestation is None:
        look_again(offer, intent, actor=decision.actor, participant=consumer)
    else:
        attestation.check(offer.dataset_id)
    kind = "licence" if attestation is None else "attestation"
    return Agreement(
        id=f"urn:datalab:{kind}:{subject}",
        kind=kind,
        connector=offer.connector,
        dataset_id=offer.dataset_id,
        offer_id=offer.offer_id,
        provider=provider,
        consumer=consumer,
        intent=intent,
        policy=offer.policy,
        agreed_at=rfc3339(dt.datetime.now(dt.UTC)),
        valid_until=valid_until(offer.policy),
        verbatim=offer.policy.verbatim,
    )
