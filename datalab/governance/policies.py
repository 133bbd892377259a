"""The policies of a release, exactly as the holders sent them, each with its digest, so that nobody has to trust a reading of them.

Last the one that follows from them: what all of them permit and any of them forbids, which the release carries on.
"""

from __future__ import annotations

import json
from typing import Any

from datalab.governance.evidence import Evidence
from datalab.governance.names import agreement_iri, offer_iri, release_iri
from datalab.policy import carried

CONTEXT = {
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "verbatim": {"@id": "prov:value"},
    "sha256": {"@id": "dct:identifier"},
    "provider": {"@id": "odrl:assigner", "@type": "@id"},
    "consumer": {"@id": "odrl:assignee", "@type": "@id"},
    "target": {"@id": "odrl:target", "@type": "@id"},
    "agreed_at": {"@id": "dct:created"},
    "valid_until": {"@id": "dct:valid"},
    "kind": {"@id": "dct:type"},
    "inherits": {"@id": "odrl:inheritFrom", "@type": "@id"},
    "policy": {"@id": "odrl:hasPolicy", "@type": "@json"},
}


def policies(evidence: Evidence) -> dict[str, Any]:
    """Return the agreements with their policies, and the terms of the release.

    Of an agreement ``verbatim`` is the text that ``sha256`` belongs to, ``policy`` the same parsed.
    """
    terms = f"{release_iri(evidence)}#terms"
    targets = {offer.dataset: offer_iri(offer) for offer in evidence.offers}
    return {
        "@context": CONTEXT,
        "@graph": [
            *(
                {
                    "@id": agreement_iri(agreement),
                    "@type": "odrl:Agreement",
                    "kind": agreement.kind,
                    "target": targets.get(f"{agreement.connector}:{agreement.dataset_id}", agreement.dataset_id),
                    "provider": agreement.provider,
                    "consumer": agreement.consumer,
                    "agreed_at": agreement.agreed_at,
                    "valid_until": agreement.valid_until,
                    "sha256": agreement.policy.sha256,
                    "verbatim": agreement.policy.verbatim,
                    "policy": _parsed(agreement.policy.verbatim),
                }
                for agreement in evidence.agreements
            ),
            {
                "@id": terms,
                "@type": "odrl:Set",
                "inherits": [agreement_iri(agreement) for agreement in evidence.agreements],
                "valid_until": evidence.valid_until,
                "policy": json.loads(carried(evidence.agreements, terms).verbatim),
            },
        ],
    }


def _parsed(verbatim: str) -> Any:
    try:
        return json.loads(verbatim)
    except ValueError:
        return None
