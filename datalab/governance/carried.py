"""What a release carries on of the terms of its sources, in figures and names: for its manifest, its card and TERMS.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from datalab.governance.evidence import Evidence
from datalab.model.agreement import Agreement
from datalab.model.policy import Policy
from datalab.policy import carried, deletion, terms
from datalab.policy.moments import rfc3339


def carried_facts(agreements: Sequence[Agreement]) -> dict[str, Any]:
    """Return the terms of all agreements together: the policy as ODRL, whether the data may be passed on, when it must be gone."""
    whole = carried(agreements)
    gone = deletion(whole)
    return {
        "policy": json.loads(whole.verbatim),
        "redistribution": _may_pass_on(whole),
        "attribution": any(_names_source(agreement.policy) for agreement in agreements),
        "delete_by": rfc3339(gone.by) if gone.by else "",
        "delete_after_use": gone.after_use,
    }


def attributions(evidence: Evidence) -> list[str]:
    """Return whom the terms demand to be named, as "title, holder, licence", one for each source that demands it."""
    wanted = {
        f"{agreement.connector}:{agreement.dataset_id}": _parties(agreement.policy)
        for agreement in evidence.agreements
        if _names_source(agreement.policy)
    }
    return [
        ", ".join(part for part in (offer.title, *(wanted[offer.dataset] or (offer.holder,)), offer.licence) if part)
        for offer in evidence.offers
        if offer.dataset in wanted
    ]


def shared_alike(evidence: Evidence) -> list[str]:
    """Return whose licence binds what is derived, as "title, holder, licence", one for each source that demands it."""
    wanted = {
        f"{agreement.connector}:{agreement.dataset_id}"
        for agreement in evidence.agreements
        if any(terms.action_name(duty.action) == terms.SHARE_ALIKE for duty in _duties(agreement.policy))
    }
    return [
        ", ".join(part for part in (offer.title, offer.holder, offer.licence) if part)
        for offer in evidence.offers
        if offer.dataset in wanted
    ]


def _may_pass_on(policy: Policy) -> bool:
    """Whether some permission covers it and no prohibition does, conditions aside: each passing on is still decided."""
    forbidden = any(
        terms.DISTRIBUTE in terms.FORBIDDEN.get(terms.action_name(rule.action), _ALL) for rule in policy.prohibitions
    )
    granted = any(terms.DISTRIBUTE in terms.GRANTED.get(terms.action_name(rule.action), ()) for rule in policy.permissions)
    return granted and not forbidden and not policy.unknown


_ALL = frozenset((terms.READ, terms.DERIVE, terms.DISTRIBUTE))


def _duties(policy: Policy) -> list[Any]:
    return [*policy.obligations, *(duty for rule in policy.permissions for duty in rule.duties)]


def _attributing(policy: Policy) -> list[Any]:
    return [duty for duty in _duties(policy) if terms.action_name(duty.action) in terms.ATTRIBUTE]


def _names_source(policy: Policy) -> bool:
    return bool(_attributing(policy))


def _parties(policy: Policy) -> tuple[str, ...]:
    return tuple(dict.fromkeys(duty.party for duty in _attributing(policy) if duty.party))
