"""Acquire: find the offer, decide, agree, fetch. Nothing is read without an agreement that covers the purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from datalab.engine.plan import Input
from datalab.errors import NotFound, PolicyRefusal, SourceError
from datalab.formats import ReadOptions, detect
from datalab.lab.facts import agreed, offer_facts
from datalab.lab.lab import ENGINE, Lab
from datalab.lab.locks import counted
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer
from datalab.model.pipeline import Pipeline, Source
from datalab.policy import decide_acquisition, deletion, valid_until
from datalab.policy.moments import interval, rfc3339
from datalab.ports.connector import Connector, Progress, open_connector


@dataclass(frozen=True, slots=True)
class Acquired:
    """What a pipeline may work on: offers, agreements, and the landed objects with their reader options."""

    offers: tuple[Offer, ...]
    agreements: tuple[Agreement, ...]
    inputs: tuple[Input, ...]
    references: dict[str, tuple[Input, ...]]

    @property
    def objects(self) -> tuple[SourceObject, ...]:
        """All landed objects, the main source's first."""
        items = [*self.inputs, *(item for items in self.references.values() for item in items)]
        return tuple(item.object for item in items)


def acquire(lab: Lab, pipeline: Pipeline, progress: Progress) -> Acquired:
    """Acquire the source and the references of ``pipeline``; raise ``PolicyRefusal`` where the terms say no."""
    intent = intent_of(lab, pipeline)
    known: dict[tuple[str, str], tuple[Offer, Agreement, list[SourceObject]]] = {}
    offers: dict[str, Offer] = {}
    agreements: dict[str, Agreement] = {}

    def get(source: Source, reference: str) -> list[Input]:
        place = (source.dataset, source.distribution)
        if place not in known:
            known[place] = _acquire_source(lab, source, pipeline, intent, progress)
        offer, agreement, objects = known[place]
        offers[offer.dataset] = offer
        agreements[agreement.id] = agreement
        return [
            Input(replace(item, ordinal=place, reference=reference), _reader(source, item))
            for place, item in enumerate(objects)
        ]

    inputs = get(pipeline.source, "")
    references = {name: tuple(get(source, name)) for name, source in pipeline.references.items()}
    return Acquired(tuple(offers.values()), tuple(agreements.values()), tuple(inputs), references)


def intent_of(lab: Lab, pipeline: Pipeline) -> Intent:
    """Return what ``pipeline`` wants to do, in the words that terms are measured against."""
    return Intent(
        purpose=pipeline.purpose.code,
        purpose_text=pipeline.purpose.text,
        legal_basis=pipeline.legal_basis,
        territory=lab.settings.territory,
        commercial=pipeline.purpose.commercial,
    )


def connector_for(lab: Lab, source: Source, owner: str) -> tuple[Connector, str]:
    """Return the connector and the dataset id that ``source`` means: ``connector:id``, or a path of the steward's own."""
    name, _, identifier = source.dataset.partition(":")
    if identifier:
        return lab.connector(name), identifier
    table = {
        "kind": "files",
        "root": str(lab.settings.root),
        "outside": True,  # the path stands in the steward's own pipeline
        "attestation": source.attestation,
        "attested_by": owner,
    }
    return open_connector("files", table, lab.home / "connectors" / "files"), source.dataset


def _acquire_source(
    lab: Lab, source: Source, pipeline: Pipeline, intent: Intent, progress: Progress
) -> tuple[Offer, Agreement, list[SourceObject]]:
    connector, identifier = connector_for(lab, source, pipeline.owner)
    offer = connector.offer(identifier)
    with counted(lab, [offer.policy]):
        agreement, decision = agree(lab, connector, offer, intent)
        distribution = _choose(source, offer)
        objects = fetch(lab, connector, offer, agreement, decision, distribution.id, pipeline.retention, progress)
    return offer, agreement, objects


def agree(lab: Lab, connector: Connector, offer: Offer, intent: Intent) -> tuple[Agreement, Decision]:
    """Decide on an offer and conclude an agreement, both in the ledger; raise ``PolicyRefusal`` where the terms say no.

    Hold `counted` from here to the end of `fetch`: the objects that land are the use.
    """
    lab.record("offer.discovered", offer.dataset, _offer_facts(offer))
    decision = decide_acquisition(offer, intent, moment=datetime.now(UTC), actor=lab.actor, facts=offer_facts(lab, offer))
    lab.record("decision.made", offer.dataset, {**decision.as_json(), "id": decision.id}, actor=ENGINE)
    if not decision.permitted:
        raise PolicyRefusal(
            "\n  - ".join([f"the terms of {offer.title!r} do not permit this:", *decision.reasons]),
            where=f"{offer.dataset}, purpose {intent.purpose}",
            next=decision.next or "choose another purpose or another offer, or ask the data holder for other terms",
        )
    agreement = _since_first(lab, connector.negotiate(offer, intent, decision))
    lab.record("agreement.concluded", agreement.id, _agreement_facts(agreement, offer))
    end = valid_until(agreement.policy, agreed(agreement))
    if (bounds := interval(end)) and datetime.now(UTC) >= bounds[0]:
        raise PolicyRefusal(
            f"the terms of the agreement ended at {end}",
            where=agreement.id,
            next="ask the data holder for a new agreement",
        )
    return agreement, decision


def fetch(
    lab: Lab,
    connector: Connector,
    offer: Offer,
    agreement: Agreement,
    decision: Decision,
    distribution: str,
    retention: str,
    progress: Progress,
) -> list[SourceObject]:
    """Fetch a distribution under an agreement, to be kept for ``retention``, and say in the ledger what landed."""
    objects = connector.fetch(agreement, offer, distribution, lab.landing, decision, progress)
    if not objects:
        raise SourceError(
            "the distribution has no objects", where=f"{offer.dataset}, {distribution}", next="choose another distribution"
        )
    for item in objects:
        facts = {
            "name": item.name,
            "bytes": item.bytes,
            "format": item.format,
            "dataset": offer.dataset,
            "agreement": agreement.id,
            "retention": retention,
        }
        lab.record("object.landed", item.sha256, facts, actor=ENGINE)
    return objects


def _since_first(lab: Lab, agreement: Agreement) -> Agreement:
    """Return the agreement with the date on which it was first concluded: one that stands is told anew, its clock is not."""
    told = (event.body.get("agreed_at", "") for event in lab.ledger.events(type="agreement.concluded", subject=agreement.id))
    first = next(told, "")
    known, now = interval(str(first)), interval(agreement.agreed_at)
    return replace(agreement, agreed_at=str(first)) if known and now and known < now else agreement


def _choose(source: Source, offer: Offer) -> Distribution:
    by_id = {item.id: item for item in offer.distributions}
    if source.distribution:
        if source.distribution not in by_id:
            raise NotFound.among("distribution", source.distribution, by_id, where=source.dataset)
        return by_id[source.distribution]
    if not by_id:
        raise SourceError("the offer has no distribution", where=source.dataset, next="ask the data holder")
    return next(iter(by_id.values()))


def _reader(source: Source, item: SourceObject) -> ReadOptions:
    return detect(item.path, {"format": item.format, **source.read})


def _offer_facts(offer: Offer) -> dict[str, object]:
    return {
        "title": offer.title,
        "holder": offer.holder,
        "licence": offer.licence,
        "offer": offer.offer_id,
        "personal_data": offer.personal_data,
        "distributions": len(offer.distributions),
        "policy_sha256": offer.policy.sha256,
    }


def _agreement_facts(agreement: Agreement, offer: Offer) -> dict[str, object]:
    gone = deletion(agreement.policy, agreed(agreement))
    return {
        "kind": agreement.kind,
        "dataset": f"{agreement.connector}:{agreement.dataset_id}",
        "provider": agreement.provider,
        "consumer": agreement.consumer,
        "purpose": agreement.intent.purpose,
        "legal_basis": agreement.intent.legal_basis,
        "policy_sha256": agreement.policy.sha256,
        "agreed_at": agreement.agreed_at,
        "valid_until": agreement.valid_until,
        "offer_policy_sha256": offer.policy.sha256,
        "delete_by": rfc3339(gone.by) if gone.by else "",
        "delete_after_use": gone.after_use,
    }
