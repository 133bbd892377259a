"""Croissant 1.1 with the Responsible AI vocabulary 1.0: what loaders and hubs read.

Built as plain JSON-LD with the official context inline: mlcroissant serves as a checker only, because its round trip loses the type of the policy and
its validator lets documents pass that lack what the specification requires (mlcommons/croissant#535); `missing` closes that gap.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from datalab.governance.evidence import Evidence
from datalab.governance.moments import made_at, published_at, started_at
from datalab.governance.names import agreement_iri, lab_iri, licence_iris, object_iri, offer_iri, release_iri, run_iri

_TYPED = {
    "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo", "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/", "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field",
    "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform", "equivalentProperty": "cr:equivalentProperty",
    "isArray": "cr:isArray", "arrayShape": "cr:arrayShape",
}  # fmt: skip
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    **_TYPED,
    "rai": "http://mlcommons.org/croissant/RAI/",
    "prov": "http://www.w3.org/ns/prov#",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "dpv": "https://w3id.org/dpv#",
}
REQUIRED = (
    "@context",
    "@type",
    "conformsTo",
    "description",
    "license",
    "name",
    "url",
    "creator",
    "datePublished",
    "distribution",
)
"""Properties of a data set that the specification 1.1 requires."""
_PARQUET = "application/x-parquet"
_SIMPLE = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "float": "cr:Float32",
    "double": "cr:Float64",
    "halffloat": "cr:Float16",
    "binary": "sc:Text",
}


def croissant(evidence: Evidence) -> dict[str, Any]:
    """Return the Croissant document of a release or candidate."""
    pipeline, release = evidence.pipeline, evidence.pipeline.release
    licences = licence_iris(release.licence)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "@id": release_iri(evidence),
        "name": pipeline.name,
        "alternateName": pipeline.title,
        "description": release.description,
        "url": release_iri(evidence),
        "license": licences[0] if len(licences) == 1 else licences,
        "creator": {"@type": "sc:Organization", "name": release.creator},
        "publisher": {"@type": "sc:Organization", "@id": lab_iri(evidence), "name": evidence.lab},
        "datePublished": published_at(evidence)[:10],
        "dateCreated": made_at(evidence)[:10],
        "version": f"{evidence.version or 0}.0.0",
        "identifier": f"sha256:{evidence.digest}",
        "citeAs": _citation(evidence),
        "keywords": list(release.keywords),
        "inLanguage": list(release.languages),
        "conditionsOfAccess": " ".join(evidence.terms),
        **({"expires": evidence.valid_until} if evidence.valid_until else {}),
        "usageInfo": [_terms(agreement.policy.verbatim, agreement_iri(agreement)) for agreement in evidence.agreements],
        **_provenance(evidence),
        **_responsible(evidence),
        "distribution": _distribution(evidence),
        "recordSet": [_splits(evidence), _records(evidence)],
    }


def missing(document: Mapping[str, Any]) -> list[str]:
    """Return what the specification requires and ``document`` lacks, as paths; empty where nothing is missing."""
    found = [name for name in REQUIRED if not document.get(name)]
    for place, item in enumerate(document.get("distribution", ())):
        needed = ["@id", "name", "encodingFormat"]
        needed += ["contentUrl", "sha256"] if item.get("@type") == "cr:FileObject" else ["includes"]
        found += [f"distribution[{place}].{name}" for name in needed if not item.get(name)]
    for place, records in enumerate(document.get("recordSet", ())):
        found += [f"recordSet[{place}].{name}" for name in ("@id", "name", "field") if not records.get(name)]
        for number, field in enumerate(records.get("field", ())):
            needed = ["@id", "name", "dataType"] + (["source"] if "data" not in records else [])
            found += [f"recordSet[{place}].field[{number}].{name}" for name in needed if not field.get(name)]
    return found


def _citation(evidence: Evidence) -> str:
    release = evidence.pipeline.release
    version = f"version {evidence.version}" if evidence.version else "candidate"
    return f"{release.creator}: {evidence.pipeline.title}, {version}, {published_at(evidence)[:4]}. {release_iri(evidence)}"


def _terms(verbatim: str, identifier: str) -> dict[str, Any]:
    """Return a policy as the use conditions of Croissant 1.1: an ODRL offer that is also a creative work."""
    try:
        body = json.loads(verbatim)
    except ValueError:
        body = None
    rules = body if isinstance(body, dict) else {}
    kept = {f"odrl:{key}": value for key, value in rules.items() if key in {"permission", "prohibition", "obligation"}}
    return {"@type": ["CreativeWork", "odrl:Offer"], "@id": identifier, **_prefixed(kept)}


def _prefixed(value: Any) -> Any:
    """Give ODRL's own words their prefix, so that they mean the same under Croissant's context."""
    words = {"action", "constraint", "leftOperand", "operator", "rightOperand", "duty", "target", "assigner", "assignee"}
    if isinstance(value, dict):
        return {f"odrl:{key}" if key in words else key: _prefixed(item) for key, item in value.items()}
    return [_prefixed(item) for item in value] if isinstance(value, list) else value


def _provenance(evidence: Evidence) -> dict[str, Any]:
    return {
        "prov:wasDerivedFrom": [{"@id": offer_iri(offer), "prov:label": offer.title} for offer in evidence.offers],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "@id": run_iri(evidence),
            "prov:startedAtTime": started_at(evidence),
            "prov:endedAtTime": made_at(evidence),
            "prov:used": [{"@id": object_iri(item)} for item in evidence.objects],
        },
        "prov:wasAttributedTo": {"@id": lab_iri(evidence)},
    }


def _responsible(evidence: Evidence) -> dict[str, Any]:
    """Return the Responsible AI properties, with the names of the specification (the library's constants differ)."""
    pipeline = evidence.pipeline
    steps = [": ".join(filter(None, (step["name"], step["why"]))) for step in evidence.steps]
    statements = [text for _, text in sorted(pipeline.release.statements.items())]
    return {
        "rai:dataCollection": " ".join(f"{offer.title}, from {offer.holder}." for offer in evidence.offers),
        "rai:dataCollectionType": ["Secondary data analysis"],
        "rai:dataPreprocessingProtocol": steps,
        "rai:dataUseCases": [pipeline.purpose.text],
        "rai:personalSensitiveInformation": [personal_data_in_words(evidence)],
        **({"rai:dataLimitations": statements} if statements else {}),
        "rai:dataReleaseMaintenancePlan": f"Questions and corrections: {pipeline.owner}.",
    }


def personal_data_in_words(evidence: Evidence) -> str:
    """Say in one sentence whether the sources hold personal data and what was done about it."""
    if not evidence.personal_data:
        return "The holders of the sources state that they hold no personal data."
    if evidence.synthetic:
        return "The sources hold personal data; every released row was generated by a model, none of them was copied."
    if evidence.scrubbed:
        return (
            "The sources hold personal data; known kinds of it were found and removed or hidden, which leaves a residual risk."
        )
    return "The sources hold personal data, and no step removes it."


def _distribution(evidence: Evidence) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": shard.path,
            "name": shard.path,
            "contentUrl": shard.path,
            "contentSize": f"{shard.bytes} B",
            "encodingFormat": _PARQUET,
            "sha256": shard.sha256,
        }
        for shard in evidence.shards
    ]
    shards = {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "All shards, one folder for each split.",
        "encodingFormat": _PARQUET,
        "includes": "data/*/*.parquet",
    }
    return [*files, shards]


def _splits(evidence: Evidence) -> dict[str, Any]:
    names = dict.fromkeys(shard.split for shard in evidence.shards)
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [{"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}],
        "data": [{"splits/name": name} for name in names],
    }


def _records(evidence: Evidence) -> dict[str, Any]:
    taken = {column["name"] for column in evidence.schema}
    split = next(name for name in ("split", "_split", "_datalab_split") if name not in taken)
    return {
        "@type": "cr:RecordSet",
        "@id": "records",
        "name": "records",
        "description": "The rows of the release.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"records/{split}",
                "name": split,
                "description": "The split a row belongs to, from the folder of its shard.",
                "dataType": "sc:Text",
                "references": {"field": {"@id": "splits/name"}},
                "source": {
                    "fileSet": {"@id": "shards"},
                    "extract": {"fileProperty": "fullpath"},
                    "transform": {"regex": "(?:data/)?([^/]+)(?:/[^/]+)?$"},
                },
            },
            *(_field(evidence, column) for column in evidence.schema),
        ],
    }


def _field(evidence: Evidence, column: Mapping[str, Any]) -> dict[str, Any]:
    name = column["name"]
    described = next((item["description"] for item in evidence.lineage if item["column"] == name), "")
    kind, repeated = data_type(column["type"])
    return {
        "@type": "cr:Field",
        "@id": f"records/{name}",
        "name": name,
        **({"description": described} if described else {}),
        "dataType": kind,
        **({"isArray": True, "arrayShape": "-1"} if repeated else {}),
        "source": {"fileSet": {"@id": "shards"}, "extract": {"column": name}},
    }


def data_type(name: str) -> tuple[str, bool]:
    """Return the Croissant type of a column type (as `datalab.kernels.content` names it), and whether it is a list."""
    if name.startswith("list<"):
        return data_type(name[5:-1])[0], True
    if name in _SIMPLE:
        return _SIMPLE[name], False
    if name.startswith(("int", "uint")):
        return f"cr:{'UInt' if name.startswith('u') else 'Int'}{name.lstrip('uint')}", False
    if name.startswith("date"):
        return "sc:Date", False
    if name.startswith("timestamp"):
        return "sc:DateTime", False
    if name.startswith("time"):
        return "sc:Time", False
    return ("sc:Float" if name.startswith("decimal") else "sc:Text"), False
