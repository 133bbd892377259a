"""What the lab knows when it asks for a decision: groups and accepted terms from its settings, all else from its ledger.

Uses are counted from the ledger's events of exactly the act that a door stands for: objects that landed under an agreement (acquire), releases
that were published (release), releases that were pulled (stage). A decision alone, or an act that failed, is no use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from datalab.lab.lab import Lab
from datalab.lab.overrides import overrides
from datalab.model.agreement import Agreement
from datalab.model.decision import Door
from datalab.model.offer import Offer
from datalab.model.policy import Policy
from datalab.model.settings import Settings
from datalab.policy import Facts, Standing, terms
from datalab.policy.moments import interval


def offer_facts(lab: Lab, offer: Offer) -> Facts:
    """Return what is known before ``offer`` is acquired (once more)."""
    uses = {Door.ACQUIRE: _acquired(lab, offer)} if counts(offer.policy) else {}
    return _facts(lab, offer.personal_data, standing={offer.policy.sha256: Standing(uses=uses)})


def agreement_facts(
    lab: Lab,
    agreements: Sequence[Agreement],
    *,
    personal_data: bool,
    synthetic: bool = False,
    scrubbed: bool = False,
    but: tuple[str, str] = ("", ""),
) -> Facts:
    """Return what is known about data under ``agreements``. ``but`` is the (digest, plan) of the release asked for: it is no use yet."""
    standing: dict[str, Standing] = {}
    for agreement in agreements:
        key = agreement.policy.sha256
        made = Standing(agreed(agreement), _uses(lab, agreement.id, but) if counts(agreement.policy) else {})
        standing[key] = _stricter(standing[key], made) if key in standing else made
    return _facts(lab, personal_data, synthetic=synthetic, scrubbed=scrubbed, standing=standing)


def agreed(agreement: Agreement) -> datetime | None:
    """Return the moment of an agreement, None where it does not tell a readable one."""
    bounds = interval(agreement.agreed_at)
    return bounds[0] if bounds else None


def territory_of(settings: Settings, place: Path) -> str:
    """Return on whose ground ``place`` stands: by the longest path in ``[places]``, or the lab's own where it is the lab's filesystem.

    "" where nobody said it: a mount from elsewhere is not where the lab stands.
    """
    real = place.resolve()
    known = [(settings.path(Path(entry["path"])).resolve(), entry["territory"]) for entry in settings.places.values()]
    within = [(len(path.parts), territory) for path, territory in known if real == path or path in real.parents]
    if within:
        return max(within)[1]
    return settings.territory if _device(real) == _device(settings.path(settings.home).resolve()) else ""


def _facts(
    lab: Lab, personal_data: bool, *, standing: Mapping[str, Standing], synthetic: bool = False, scrubbed: bool = False
) -> Facts:
    return Facts(
        personal_data=personal_data,
        synthetic=synthetic,
        scrubbed=scrubbed,
        participant=lab.settings.participant,
        groups=lab.settings.groups,
        accepted=lab.settings.accept,
        standing=standing,
        overrides=overrides(lab),
    )


def _device(place: Path) -> int:
    """Return the filesystem of the nearest folder that exists."""
    return next(path for path in (place, *place.parents) if path.exists()).stat().st_dev


def counts(policy: Policy) -> bool:
    """Return whether these terms count uses."""
    rules = (*policy.permissions, *policy.prohibitions)
    return any(item.left == terms.COUNT for rule in rules for item in rule.constraints)


def _stricter(one: Standing, other: Standing) -> Standing:
    """Join two agreements with the same terms: the older date, the sum of the uses."""
    dates = [date for date in (one.agreed_at, other.agreed_at) if date]
    both = one.uses.keys() & other.uses.keys()
    return Standing(min(dates) if len(dates) == 2 else None, {door: one.uses[door] + other.uses[door] for door in both})


def _acquired(lab: Lab, offer: Offer) -> int:
    """Count how often objects landed under agreements for exactly these terms of this dataset."""
    ids = {
        event.subject
        for event in lab.ledger.events(type="agreement.concluded")
        if (event.body["dataset"], event.body.get("offer_policy_sha256")) == (offer.dataset, offer.policy.sha256)
    }
    return _landings(lab, ids)


def _landings(lab: Lab, ids: Iterable[str]) -> int:
    number, landed, wanted = 0, False, frozenset(ids)
    for event in lab.ledger.events():
        if event.type == "agreement.concluded" and event.subject in wanted:
            landed = False
        elif event.type == "object.landed" and event.body["agreement"] in wanted and not landed:
            number, landed = number + 1, True
    return number


def _uses(lab: Lab, agreement: str, but: tuple[str, str]) -> dict[Door, int]:
    plans = {event.subject for event in lab.ledger.events(type="run.started") if agreement in event.body.get("agreements", ())}
    approved = {event.sequence: event for event in lab.ledger.events(type="release.approved") if event.body["plan"] in plans}
    published = [
        approved[event.body["approval"]]
        for event in lab.ledger.events(type="release.published")
        if event.body["approval"] in approved
    ]
    names = {event.subject for event in published}
    return {
        Door.ACQUIRE: _landings(lab, {agreement}),
        Door.RELEASE: sum((event.body["digest"], event.body["plan"]) != but for event in published),
        Door.STAGE: sum(event.subject in names for event in lab.ledger.events(type="release.pulled")),
    }
