"""DCAT-AP 3.0.1: the catalogue record of a release, as data spaces and data portals read it.

The shapes of DCAT-AP check the class of every node that is referred to, so each carries its type in the same graph.
"""

from __future__ import annotations

from typing import Any

from datalab.governance.croissant import personal_data_in_words
from datalab.governance.evidence import Evidence
from datalab.governance.moments import made_at, published_at, started_at
from datalab.governance.names import agreement_iri, lab_iri, licence_iris, offer_iri, release_iri, run_iri

CONTEXT = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_RIGHTS = "http://publications.europa.eu/resource/authority/access-right/"
_LANGUAGES = "http://publications.europa.eu/resource/authority/language/"
_ISO_639_3 = {
    "bg": "BUL", "cs": "CES", "da": "DAN", "de": "DEU", "el": "ELL", "en": "ENG", "es": "SPA", "et": "EST", "fi": "FIN",
    "fr": "FRA", "ga": "GLE", "hr": "HRV", "hu": "HUN", "it": "ITA", "lt": "LIT", "lv": "LAV", "mt": "MLT", "nl": "NLD",
    "pl": "POL", "pt": "POR", "ro": "RON", "sk": "SLK", "sl": "SLV", "sv": "SWE",
}  # fmt: skip
"""The 24 official languages of the EU, by the codes of the EU's authority table."""


def dcat(evidence: Evidence) -> dict[str, Any]:
    """Return the DCAT-AP record as JSON-LD with its context inline."""
    return {"@context": CONTEXT, "@graph": [_dataset(evidence), _distribution(evidence), _lab(evidence), *_parts(evidence)]}


def _dataset(evidence: Evidence) -> dict[str, Any]:
    pipeline, release, iri = evidence.pipeline, evidence.pipeline.release, release_iri(evidence)
    languages = [_ISO_639_3[code] for code in release.languages if code in _ISO_639_3]
    return {
        "@id": iri,
        "@type": "dcat:Dataset",
        "dct:title": _text(pipeline.title),
        "dct:description": _text(release.description),
        "dct:identifier": iri,
        "dct:publisher": {"@id": lab_iri(evidence)},
        "dct:creator": {"@id": f"{iri}#creator"},
        "dcat:contactPoint": {"@id": f"{iri}#contact"},
        "dcat:keyword": [_text(word) for word in release.keywords],
        "dct:language": [{"@id": _LANGUAGES + code, "@type": "dct:LinguisticSystem"} for code in languages],
        "dct:issued": _date(published_at(evidence)),
        "dct:modified": _date(made_at(evidence)),
        "dcat:version": f"{evidence.version or 0}.0.0",
        "dct:accessRights": {"@id": _RIGHTS + _access(evidence), "@type": "dct:RightsStatement"},
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": _text(_provenance(evidence))},
        "dct:source": [{"@id": offer_iri(offer)} for offer in evidence.offers],
        "prov:wasGeneratedBy": {
            "@id": run_iri(evidence),
            "@type": "prov:Activity",
            "prov:startedAtTime": _moment(started_at(evidence)),
            "prov:endedAtTime": _moment(made_at(evidence)),
        },
        "adms:versionNotes": _text(f"Content digest sha256:{evidence.digest}"),
        "dcat:distribution": {"@id": f"{iri}#parquet"},
    }


def _distribution(evidence: Evidence) -> dict[str, Any]:
    iri = release_iri(evidence)
    licences = licence_iris(evidence.pipeline.release.licence)
    size = str(sum(shard.bytes for shard in evidence.shards))
    return {
        "@id": f"{iri}#parquet",
        "@type": "dcat:Distribution",
        "dct:title": _text("Parquet shards, one folder for each split"),
        "dct:description": _text("The path and SHA-256 of every shard stand in manifest.json and croissant.json."),
        "dcat:accessURL": {"@id": iri, "@type": "rdfs:Resource"},
        "dct:license": {
            "@id": licences[0] if len(licences) == 1 else f"{iri}#licence",
            "@type": "dct:LicenseDocument",
            "skos:notation": evidence.pipeline.release.licence,
        },
        "dcat:mediaType": {
            "@id": "https://www.iana.org/assignments/media-types/application/vnd.apache.parquet",
            "@type": "dct:MediaType",
        },
        "dcat:byteSize": {"@value": size, "@type": "xsd:nonNegativeInteger"},
        "dct:rights": {"@type": "dct:RightsStatement", "rdfs:label": [_text(sentence) for sentence in evidence.terms]},
        "odrl:hasPolicy": {
            "@id": f"{iri}#terms",
            "@type": ["odrl:Policy", "odrl:Set"],
            "odrl:inheritFrom": [
                {"@id": agreement_iri(agreement), "@type": "odrl:Policy"} for agreement in evidence.agreements
            ],
        },
    }


def _lab(evidence: Evidence) -> dict[str, Any]:
    return {"@id": lab_iri(evidence), "@type": "foaf:Agent", "foaf:name": evidence.lab}


def _parts(evidence: Evidence) -> list[dict[str, Any]]:
    iri, owner = release_iri(evidence), evidence.pipeline.owner
    mail = {"vcard:hasEmail": {"@id": f"mailto:{owner}"}} if "@" in owner and " " not in owner else {}
    sources = [
        {
            "@id": offer_iri(offer),
            "@type": "dcat:Dataset",
            "dct:title": _text(offer.title),
            "dct:description": _text(offer.description or offer.title),
        }
        for offer in evidence.offers
    ]
    return [
        {"@id": f"{iri}#creator", "@type": "foaf:Agent", "foaf:name": evidence.pipeline.release.creator},
        {"@id": f"{iri}#contact", "@type": "vcard:Kind", "vcard:fn": owner, **mail},
        *sources,
    ]


def _access(evidence: Evidence) -> str:
    open_terms = all(agreement.kind == "licence" for agreement in evidence.agreements)
    return "PUBLIC" if open_terms and not evidence.valid_until else "RESTRICTED"


def _provenance(evidence: Evidence) -> str:
    steps = ", ".join(dict.fromkeys(step["service"] for step in evidence.steps)) or "no step"
    sources = "; ".join(f"{offer.title} from {offer.holder}" for offer in evidence.offers)
    return f"Prepared by {evidence.lab} from: {sources}. Services applied: {steps}. {personal_data_in_words(evidence)}"


def _text(words: str) -> dict[str, str]:
    return {"@value": words, "@language": "en"}


def _date(moment: str) -> dict[str, str]:
    return {"@value": moment[:10], "@type": "xsd:date"}


def _moment(moment: str) -> dict[str, str]:
    return {"@value": moment, "@type": "xsd:dateTime"}
