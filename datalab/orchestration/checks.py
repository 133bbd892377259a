"""Asset checks of a candidate: one per expectation, and three for the gate. They mirror the ledger; the engine's gate decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from datalab.errors import UsageError
from datalab.model.pipeline import Pipeline
from datalab.model.step import GenerateStep, Service
from datalab.orchestration.story import Story
from datalab.quality import CheckResult, Expectation, Severity, Suite, titles

GATE, CONSERVATION, PRIVACY, RESIDUE = "gate", "conservation", "privacy", "residue"


def check_specs(pipeline: Pipeline, suite: Suite | None, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Declare the checks of a candidate: critical expectations block, warnings and information only report."""
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=asset,
            blocking=expectation.severity == Severity.CRITICAL,
            description=title,
            metadata={"severity": str(expectation.severity), "arguments": dg.MetadataValue.json(dict(expectation.kwargs))},
        )
        for name, (title, expectation) in _named(suite).items()
    ]
    own = {
        GATE: "The gate: expectations, privacy tests, the share of quarantined rows and the terms. One no withholds the release.",
        CONSERVATION: "Rows in and generated = rows kept, dropped and quarantined, through every stage.",
    }
    if any(isinstance(step, GenerateStep) for step in pipeline.steps):
        own[PRIVACY] = "The privacy tests of the model that generates the rows."
    if any(step.service == Service.SCRUBBING for step in pipeline.steps):
        own[RESIDUE] = "A second look at the rows to be released: nothing is left of what a scrubbing step removes."
    return specs + [dg.AssetCheckSpec(name, asset=asset, blocking=True, description=text) for name, text in own.items()]


def check_results(
    story: Story, suite: Suite | None, declared: Sequence[str], asset: dg.AssetKey
) -> Iterator[dg.AssetCheckResult]:
    """Yield what the ledger says about the declared checks; an expectation that was never evaluated has no result."""
    names = {title: name for name, (title, _) in _named(suite).items()}
    for entry in story.checks.get("results", ()):
        if names.get(entry["expectation"]) not in declared:
            raise UsageError(
                f"the expectation {entry['expectation']} is not among the checks of this run",
                where=str(story.checks.get("suite", "")),
                next="the suite changed after Dagster loaded it: reload the code location and run again",
            )
        yield _of_expectation(names[entry["expectation"]], entry, asset)
    if PRIVACY in declared and story.model:
        tests = story.model["privacy"]
        yield dg.AssetCheckResult(
            check_name=PRIVACY,
            asset_key=asset,
            passed=all(test["passed"] for test in tests),
            metadata={test["name"]: f"{test['value']} (threshold {test['threshold']}): {test['meaning']}" for test in tests},
        )
    if RESIDUE in declared and story.residue:
        found = {
            f"{column}: {kind}": number for column, kinds in story.residue["found"].items() for kind, number in kinds.items()
        }
        yield dg.AssetCheckResult(
            check_name=RESIDUE,
            asset_key=asset,
            passed=not story.residue["broken"],
            metadata={"rows looked at": story.residue["rows"], **found},
        )
    if story.done:
        totals = {name: int(story.done["totals"][name]) for name in ("rows_in", "generated", "kept", "dropped", "quarantined")}
        yield dg.AssetCheckResult(check_name=CONSERVATION, asset_key=asset, passed=story.conserved, metadata=totals)
    if story.gate:
        reasons = list(story.gate["reasons"])
        yield dg.AssetCheckResult(
            check_name=GATE,
            asset_key=asset,
            passed=bool(story.gate["passed"]),
            description=" ".join(reasons) or None,
            metadata={"reasons": dg.MetadataValue.json(reasons)},
        )


def _of_expectation(name: str, entry: Mapping[str, Any], asset: dg.AssetKey) -> dg.AssetCheckResult:
    facts = {key: entry[key] for key in ("element_count", "unexpected_count", "missing_count", "observed", "engine")}
    critical = entry["severity"] == Severity.CRITICAL
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset,
        passed=bool(entry["success"]),
        severity=dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN,
        metadata={key: value for key, value in facts.items() if value not in (None, "")},
    )


def _named(suite: Suite | None) -> dict[str, tuple[str, Expectation]]:
    """Give every expectation a name that Dagster accepts: ``expect_column_values_to_be_unique__lei``."""
    if suite is None:
        return {}
    headings = titles([CheckResult(item, success=False, severity=item.severity) for item in suite.expectations])
    named: dict[str, tuple[str, Expectation]] = {}
    for title, expectation in zip(headings, suite.expectations, strict=True):
        name = re.sub(r"[^A-Za-z0-9]+", "_", title.replace("(", "__")).rstrip("_")
        named[name if name not in named else f"{name}_{len(named) + 1}"] = (title, expectation)
    return named
