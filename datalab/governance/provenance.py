"""PROV-O: who made what from what, in the neutral form that Croissant and DCAT-AP refer to."""

from __future__ import annotations

from typing import Any

from datalab.governance.evidence import Evidence
from datalab.governance.moments import made_at, published_at, started_at
from datalab.governance.names import agreement_iri, lab_iri, object_iri, offer_iri, release_iri, run_iri

CONTEXT = {
    "prov": "http://www.w3.org/ns/prov#",
    "dct": "http://purl.org/dc/terms/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def provenance(evidence: Evidence) -> dict[str, Any]:
    """Return the chain from every shard over the run to the landed objects, their datasets and agreements, as JSON-LD."""
    graph = [_release(evidence), *_shards(evidence), *_run(evidence), *_objects(evidence), *_agreements(evidence)]
    graph += [_agent(lab_iri(evidence), evidence.lab, "prov:Organization"), *_approval(evidence)]
    return {"@context": CONTEXT, "@graph": graph}


def _release(evidence: Evidence) -> dict[str, Any]:
    return {
        "@id": release_iri(evidence),
        "@type": ["prov:Entity", "prov:Collection"],
        "rdfs:label": evidence.pipeline.title,
        "dct:identifier": f"sha256:{evidence.digest}",
        "prov:wasGeneratedBy": _to(run_iri(evidence)),
        "prov:wasAttributedTo": _to(lab_iri(evidence)),
        "prov:generatedAtTime": _moment(made_at(evidence)),
        "prov:hadMember": [_to(_shard_iri(evidence, shard.path)) for shard in evidence.shards],
        "prov:wasDerivedFrom": [_to(object_iri(item)) for item in evidence.objects],
    }


def _shards(evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {
            "@id": _shard_iri(evidence, shard.path),
            "@type": "prov:Entity",
            "rdfs:label": shard.path,
            "dct:identifier": f"sha256:{shard.sha256}",
            "prov:wasGeneratedBy": _to(run_iri(evidence)),
        }
        for shard in evidence.shards
    ]


def _run(evidence: Evidence) -> list[dict[str, Any]]:
    started = evidence.last("run.started")
    steward = started.actor if started else evidence.pipeline.owner
    plan = f"{run_iri(evidence)}#plan"
    return [
        {
            "@id": run_iri(evidence),
            "@type": "prov:Activity",
            "rdfs:label": f"Run of {evidence.pipeline.name}",
            "prov:startedAtTime": _moment(started_at(evidence)),
            "prov:endedAtTime": _moment(made_at(evidence)),
            "prov:used": [_to(object_iri(item)) for item in evidence.objects],
            "prov:wasAssociatedWith": [_to(lab_iri(evidence)), _to(_person(evidence, steward))],
            "prov:qualifiedAssociation": {
                "@type": "prov:Association",
                "prov:agent": _to(_person(evidence, steward)),
                "prov:hadPlan": _to(plan),
            },
        },
        {
            "@id": plan,
            "@type": ["prov:Entity", "prov:Plan"],
            "rdfs:label": " -> ".join(step["label"] for step in evidence.steps),
            "dct:identifier": f"sha256:{evidence.pipeline.fingerprint}",
        },
        _agent(_person(evidence, steward), steward, "prov:Agent"),
    ]


def _objects(evidence: Evidence) -> list[dict[str, Any]]:
    datasets = {offer.dataset: offer for offer in evidence.offers}
    agreements = {agreement.id: agreement for agreement in evidence.agreements}
    found: dict[str, dict[str, Any]] = {}
    for item in evidence.objects:
        origins = [_to(offer_iri(datasets[item.dataset]))] if item.dataset in datasets else []
        terms = [_to(agreement_iri(agreements[item.agreement_id]))] if item.agreement_id in agreements else []
        found[item.sha256] = {
            "@id": object_iri(item),
            "@type": "prov:Entity",
            "rdfs:label": item.title,
            "dct:identifier": f"sha256:{item.sha256}",
            "prov:wasDerivedFrom": origins,
            "odrl:hasPolicy": terms,
        }
    return list(found.values())


def _agreements(evidence: Evidence) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = [
        {
            "@id": offer_iri(offer),
            "@type": "prov:Entity",
            "rdfs:label": offer.title,
            "prov:wasAttributedTo": _to(f"{offer_iri(offer)}#holder"),
        }
        for offer in evidence.offers
    ]
    nodes += [_agent(f"{offer_iri(offer)}#holder", offer.holder, "prov:Agent") for offer in evidence.offers]
    nodes += [
        {
            "@id": agreement_iri(agreement),
            "@type": ["prov:Entity", "odrl:Agreement"],
            "rdfs:label": agreement.kind,
            "prov:generatedAtTime": _moment(agreement.agreed_at),
            "dct:identifier": f"sha256:{agreement.policy.sha256}",
        }
        for agreement in evidence.agreements
    ]
    return nodes


def _approval(evidence: Evidence) -> list[dict[str, Any]]:
    approved = evidence.last("release.approved")
    if approved is None:
        return []
    person = _person(evidence, approved.actor)
    return [
        {
            "@id": f"{release_iri(evidence)}#approval",
            "@type": "prov:Activity",
            "rdfs:label": "Approval",
            "prov:endedAtTime": _moment(published_at(evidence)),
            "prov:used": _to(release_iri(evidence)),
            "prov:wasAssociatedWith": _to(person),
        },
        _agent(person, approved.actor, "prov:Person"),
    ]


def _agent(iri: str, name: str, kind: str) -> dict[str, Any]:
    return {"@id": iri, "@type": kind if kind == "prov:Agent" else ["prov:Agent", kind], "rdfs:label": name}


def _person(evidence: Evidence, name: str) -> str:
    from urllib.parse import quote

    return f"{lab_iri(evidence).rstrip('/')}/actors/{quote(name, safe='')}"


def _shard_iri(evidence: Evidence, path: str) -> str:
    return f"{release_iri(evidence)}/{path}"


def _to(iri: str) -> dict[str, str]:
    return {"@id": iri}


def _moment(moment: str) -> dict[str, str]:
    return {"@value": moment, "@type": "xsd:dateTime"}
