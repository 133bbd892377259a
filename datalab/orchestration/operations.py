"""The four operations of a pipeline: acquire; the multi-asset of its services; the candidate with its checks; the report.

Parallelism is inside the engine, so the steps are coarse and run in one process. Dagster stops at the candidate: a release needs a
named person (`datalab.orchestration.approval`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from datalab.errors import GateFailed
from datalab.lab.acquire import Acquired
from datalab.model.canonical import digest
from datalab.model.pipeline import Pipeline
from datalab.model.step import Step
from datalab.orchestration import metadata
from datalab.orchestration.checks import check_results, check_specs
from datalab.orchestration.failures import tell, told_plainly
from datalab.orchestration.session import session_of, spelled_out
from datalab.orchestration.simpl import BusinessLog
from datalab.orchestration.story import tell_story
from datalab.quality import Suite

_MOST_PREVIEW = 20_000
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def asset_key(pipeline: Pipeline, name: str) -> dg.AssetKey:
    """Return the key ``PIPELINE/NAME``."""
    return dg.AssetKey([pipeline.name, name])


def identifier(pipeline: Pipeline) -> str:
    """Return the pipeline's name as Dagster's jobs, groups and operations spell it."""
    return pipeline.name.replace("-", "_")


def owner_of(pipeline: Pipeline) -> str:
    """Return the owner as Dagster accepts one: an e-mail address, or a team."""
    if _EMAIL.fullmatch(pipeline.owner):
        return pipeline.owner
    return "team:" + (re.sub(r"[^A-Za-z0-9_.-]+", "-", pipeline.owner).strip("-") or "unnamed")


def operations(pipeline: Pipeline, suite: Suite | None) -> list[dg.AssetsDefinition]:
    """Compile ``pipeline`` to its four operations."""
    return [_acquire(pipeline), _prepare(pipeline), _candidate(pipeline, suite), _report(pipeline)]


def release_spec(pipeline: Pipeline) -> dg.AssetSpec:
    """Declare the release: shown beside the candidate, made by the job ``approve`` only."""
    text = "The approved release. No run makes it: a named person does, with the job approve or with datalab approve."
    return _spec(pipeline, "release", text, {"parquet"}, ["candidate", "report"])


def _acquire(pipeline: Pipeline) -> dg.AssetsDefinition:
    source = pipeline.source.dataset
    spec = _spec(
        pipeline, "source", f"Acquired under its terms: {source}.", {source.partition(":")[0] if ":" in source else "files"}, []
    )

    @dg.multi_asset(name=f"{identifier(pipeline)}__acquire", specs=[spec], required_resource_keys={"lab"})
    @spelled_out
    def acquire(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        session = session_of(context)
        with told_plainly(context):
            business = session.business
            business.record(pipeline.name, "REQUEST", "acquire the source", facts={"dataset": pipeline.source.dataset})
            begun = session.begin(pipeline, anew=True)
            _tell_acquired(business, pipeline, begun.acquired)
        version = dg.DataVersion(digest([item.sha256 for item in begun.acquired.objects]))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata.of_source(begun), data_version=version)

    return acquire


def _tell_acquired(business: BusinessLog, pipeline: Pipeline, acquired: Acquired) -> None:
    """Record from whom, under which agreement, how much came."""
    for agreement in acquired.agreements:
        objects = [item for item in acquired.objects if item.agreement_id == agreement.id]
        facts = {
            "agreement": agreement.id,
            "dataset": agreement.dataset_id,
            "objects": len(objects),
            "bytes": sum(item.bytes for item in objects),
        }
        business.record(pipeline.name, "RESPONSE", "the source is acquired", origin=agreement.provider, facts=facts)


def _prepare(pipeline: Pipeline) -> dg.AssetsDefinition:
    intake = _spec(pipeline, "intake", "The rows as they were read from the source's objects.", {"arrow"}, ["source"])
    parts = metadata.stretches(pipeline)
    specs = [intake]
    for stretch in parts:
        upstream = specs[-1].key.path[-1]
        steps = pipeline.steps[stretch.first : stretch.last + 1]
        lines = [_step_line(*pair) for pair in zip(pipeline.labels[stretch.first :], steps, strict=False)]
        specs.append(_spec(pipeline, stretch.name, "\n".join(lines), {"arrow", str(stretch.service)}, [upstream]))

    @dg.multi_asset(name=f"{identifier(pipeline)}__prepare", specs=specs, can_subset=False, required_resource_keys={"lab"})
    @spelled_out
    def prepare(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        session = session_of(context)
        with told_plainly(context):
            session.work(pipeline)
            begun = session.begin(pipeline)
            story = tell_story(session.lab.ledger, begun.plan)
            facts = {"plan": begun.plan.id, "rows_in": story.intake.rows_in}
            session.business.record(pipeline.name, "RESPONSE", "the rows are prepared", facts=facts)
        found = metadata.of_intake(begun, story, asset_key(pipeline, "source"))
        yield dg.MaterializeResult(asset_key=intake.key, metadata=found, data_version=_version(begun.plan.id, "intake"))
        for before, spec, stretch in zip(specs, specs[1:], parts, strict=False):
            found = metadata.of_stretch(begun, story, stretch, before.key)
            version = _version(begun.plan.id, stretch.name)
            yield dg.MaterializeResult(asset_key=spec.key, metadata=found, data_version=version)

    return prepare


def _candidate(pipeline: Pipeline, suite: Suite | None) -> dg.AssetsDefinition:
    upstream = next((stretch.name for stretch in reversed(metadata.stretches(pipeline))), "intake")
    text = "What may become a release, once a named person has approved it. Every expectation and the gate are checks of it."
    spec = _spec(pipeline, "candidate", text, {"parquet"}, [upstream])
    checks = check_specs(pipeline, suite, spec.key)
    declared = [check.name for check in checks]

    @dg.multi_asset(name=f"{identifier(pipeline)}__candidate", specs=[spec], check_specs=checks, required_resource_keys={"lab"})
    @spelled_out
    def candidate(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        session = session_of(context)
        withheld: GateFailed | None = None
        summary = None
        with told_plainly(context):
            try:
                summary = session.conclude(pipeline)
            except GateFailed as error:
                withheld = error
            begun = session.begin(pipeline)
            story = tell_story(session.lab.ledger, begun.plan)
            results = list(check_results(story, suite, declared, spec.key))
            if summary is not None:
                facts = {"digest": summary.digest, **(story.done["totals"] if story.done else {})}
                session.business.record(pipeline.name, "RESPONSE", "a candidate is written", facts=facts)
        yield from results
        if summary is None:
            assert withheld is not None
            raise tell(context, withheld)
        found = metadata.of_candidate(begun, story, summary, asset_key(pipeline, upstream))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=found, data_version=dg.DataVersion(summary.digest))

    return candidate


def _report(pipeline: Pipeline) -> dg.AssetsDefinition:
    spec = _spec(
        pipeline,
        "report",
        "The report for the compliance officer: one file, every figure with its event.",
        {"html"},
        ["candidate"],
    )

    @dg.multi_asset(name=f"{identifier(pipeline)}__report", specs=[spec], required_resource_keys={"lab"})
    @spelled_out
    def report(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        session = session_of(context)
        with told_plainly(context):
            summary = session.standing(pipeline)
            session.business.record(pipeline.name, "RESPONSE", "the report is written", facts={"digest": summary.digest})
        found: dict[str, Any] = {"report": dg.MetadataValue.path(summary.report), "digest": summary.digest}
        card = Path(summary.candidate, "README.md")
        if card.is_file():
            found["dataset card"] = dg.MetadataValue.md(card.read_text("utf-8")[:_MOST_PREVIEW])
        yield dg.MaterializeResult(asset_key=spec.key, metadata=found, data_version=_version(summary.digest, "report"))

    return report


def _spec(pipeline: Pipeline, name: str, text: str, kinds: set[str], deps: list[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(pipeline, name),
        description=f"**{pipeline.title}** (purpose: {pipeline.purpose.text})\n\n{text}",
        group_name=identifier(pipeline),
        kinds=kinds,
        owners=[owner_of(pipeline)],
        code_version=pipeline.fingerprint,
        deps=[asset_key(pipeline, dep) for dep in deps],
        metadata={"purpose": pipeline.purpose.code, "legal basis": pipeline.legal_basis},
    )


def _step_line(label: str, step: Step) -> str:
    return f"- {label}" + (f": {step.why}" if step.why else "")


def _version(*words: str) -> dg.DataVersion:
    return dg.DataVersion(digest(list(words)))
