"""OpenLineage 2-0-2: the run as lineage events for catalogues such as Marquez, DataHub or OpenMetadata, one JSON object a line.

Two jobs: the pipeline itself, and the judgement of what it made (assertions belong to the input of a job). Written by own code, because the
facts are all here and the client library would add dependencies without adding checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datalab.governance.evidence import Evidence
from datalab.governance.moments import made_at, started_at
from datalab.governance.names import PRODUCER, lab_iri, object_iri, release_iri, run_uuid
from datalab.model.agreement import SourceObject

_CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "dataSource": "1-0-1/DatasourceDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "ownership": "1-0-1/OwnershipDatasetFacet",
    "jobOwnership": "1-0-1/OwnershipJobFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "documentation": "1-1-0/DocumentationJobFacet",
    "parent": "1-2-0/ParentRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
}


def openlineage(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the events of the run in their order: START and COMPLETE of the pipeline, then of its checks."""
    name = evidence.pipeline.name
    inputs = [_source(evidence, item) for item in evidence.objects]
    output = _released(evidence)
    output["outputFacets"] = {
        "outputStatistics": _facet(
            "outputStatistics",
            rowCount=sum(shard.rows for shard in evidence.shards),
            size=sum(shard.bytes for shard in evidence.shards),
            fileCount=len(evidence.shards),
        )
    }
    done = made_at(evidence)
    events = [
        _event(evidence, "START", started_at(evidence), name, inputs, []),
        _event(evidence, "COMPLETE", done, name, inputs, [output]),
    ]
    checks = evidence.last("checks.evaluated")
    if checks is not None:
        judged = _released(evidence)
        judged["inputFacets"] = {"dataQualityAssertions": _facet("dataQualityAssertions", assertions=_assertions(checks.body))}
        events += [
            _event(evidence, "START", checks.at, f"{name}.checks", [judged], []),
            _event(evidence, "COMPLETE", checks.at, f"{name}.checks", [judged], []),
        ]
    return events


def _event(
    evidence: Evidence, state: str, at: str, job: str, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    name, namespace = evidence.pipeline.name, lab_iri(evidence)
    facets = {"processing_engine": _facet("processing_engine", name="datalab", version="1")}
    if job != name:
        parent = {"run": {"runId": run_uuid(evidence)}, "job": {"namespace": namespace, "name": name}}
        facets["parent"] = _facet("parent", **parent)
    about = evidence.pipeline.release.description if job == name else f"Expectations on the rows of {name}"
    return {
        "eventType": state,
        "eventTime": at,
        "producer": PRODUCER,
        "schemaURL": _CORE,
        "run": {"runId": run_uuid(evidence, "" if job == name else "checks"), "facets": facets},
        "job": {
            "namespace": namespace,
            "name": job,
            "facets": {
                "jobType": _facet("jobType", processingType="BATCH", integration="DATALAB", jobType="JOB"),
                "documentation": _facet("documentation", description=about),
                "ownership": _facet("jobOwnership", owners=[{"name": evidence.pipeline.owner, "type": "STEWARD"}]),
            },
        },
        "inputs": inputs,
        "outputs": outputs,
    }


def _source(evidence: Evidence, item: SourceObject) -> dict[str, Any]:
    offer = next((offer for offer in evidence.offers if offer.dataset == item.dataset), None)
    facets = {
        "dataSource": _facet("dataSource", name=item.dataset, uri=object_iri(item)),
        "version": _facet("version", datasetVersion=f"sha256:{item.sha256}"),
    }
    if offer is not None:
        facets["ownership"] = _facet("ownership", owners=[{"name": offer.holder, "type": "HOLDER"}])
        if offer.columns and not item.reference:
            facets["schema"] = _facet("schema", fields=[{"name": name, "description": text} for name, text in offer.columns])
    return {"namespace": item.connector or "unknown", "name": _name(item), "facets": facets}


def _released(evidence: Evidence) -> dict[str, Any]:
    fields = [
        {"name": column["name"], "type": column["type"], "ordinal_position": place}
        for place, column in enumerate(evidence.schema, start=1)
    ]
    return {
        "namespace": lab_iri(evidence),
        "name": evidence.pipeline.name,
        "facets": {
            "schema": _facet("schema", fields=fields),
            "columnLineage": _facet("columnLineage", fields=_column_lineage(evidence)),
            "dataSource": _facet("dataSource", name=evidence.lab, uri=release_iri(evidence)),
            "version": _facet("version", datasetVersion=f"sha256:{evidence.digest}"),
            "ownership": _facet("ownership", owners=[{"name": evidence.pipeline.owner, "type": "STEWARD"}]),
        },
    }


def _column_lineage(evidence: Evidence) -> dict[str, Any]:
    """Every released column with the fields it comes from, in each main source object, and whether it was masked on the way."""
    mains = [item for item in evidence.objects if not item.reference]
    return {
        origin["column"]: {
            "inputFields": [
                {
                    "namespace": item.connector or "unknown",
                    "name": _name(item),
                    "field": field,
                    "transformations": [
                        {
                            "type": "DIRECT",
                            "subtype": origin["kind"],
                            "description": origin["description"] or ", ".join(origin["steps"]),
                            "masking": origin["masked"],
                        }
                    ],
                }
                for item in mains
                for field in origin["inputs"]
            ]
        }
        for origin in evidence.lineage
    }


def _assertions(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for result in body["results"]:
        kind, _, columns = str(result["expectation"]).partition("(")
        column = columns.partition(")")[0]
        assertion = {
            "assertion": kind,
            "success": result["success"],
            "severity": {"critical": "error", "warning": "warn"}.get(result["severity"], result["severity"]),
            "name": result["expectation"],
        }
        if column and "," not in column:
            assertion["column"] = column
        if result["observed"]:
            assertion["actual"] = str(result["observed"])
        elif result["unexpected_count"] is not None:
            assertion["actual"] = f"{result['unexpected_count']} unexpected rows"
        found.append(assertion)
    return found


def _name(item: SourceObject) -> str:
    return f"{item.dataset_id}/{item.name}"


def _facet(kind: str, **body: Any) -> dict[str, Any]:
    address = _FACETS[kind]
    definition = address.partition("/")[2]
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"https://openlineage.io/spec/facets/{address}.json#/$defs/{definition}",
        **body,
    }
