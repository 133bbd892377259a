"""The gate: expectations, privacy tests, personal data left in the rows, the share of quarantined rows, the terms. One no withholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from datalab.engine.drive import Executed
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.suite import evaluate_suite
from datalab.lab.acquire import Acquired
from datalab.lab.facts import agreement_facts
from datalab.lab.lab import ENGINE, Lab
from datalab.lab.residue import judge_residue
from datalab.model.canonical import canonical_json
from datalab.model.decision import Decision, Door
from datalab.model.step import GenerateStep, Service
from datalab.policy import decide
from datalab.quality import CheckResult, SuiteResult, titles
from datalab.services.discovery import merge_profiles


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdict. ``checks`` is the suite's result in Great Expectations' shape, None without a suite."""

    passed: bool
    reasons: tuple[str, ...]
    checks: Mapping[str, Any] | None
    checks_in_short: list[list[Any]]
    left: list[tuple[str, bool]] = field(default_factory=list)
    """The line about personal data left in the rows, for a pipeline that scrubs."""

    @property
    def all_checks(self) -> list[list[Any]]:
        """Expectations and the look at what is left: what a face shows as checks."""
        return [*self.checks_in_short, *map(list, self.left)]

    @property
    def checks_passed(self) -> int:
        """Expectations that were met."""
        return sum(bool(passed) for _, passed in self.checks_in_short)

    @property
    def checks_failed(self) -> int:
        """Expectations that were not met, warnings included."""
        return len(self.checks_in_short) - self.checks_passed


def judge(lab: Lab, plan: Plan, acquired: Acquired, folder: RunFolder, executed: Executed, digest: str) -> Gate:
    """Judge what a run made, and tell the ledger what was found."""
    reasons: list[str] = []
    if executed.fit is not None:
        facts = executed.fit.facts
        lab.record("model.fitted", plan.id, _without_floats(facts), actor=ENGINE)
        reasons += [
            f"The privacy test {test['name']} failed: {test['value']} against {test['threshold']}."
            for test in facts["privacy"]
            if not test["passed"]
        ]
    result = evaluate_suite(plan, folder, executed)
    if result is not None:
        lab.record("checks.evaluated", plan.id, _check_facts(result), actor=ENGINE)
        named = zip(titles(result.results), result.results, strict=True)
        reasons += [f"The expectation {title} failed{_count(check)}." for title, check in named if check.blocks]
    profile = merge_profiles(receipt.facts["profile"] for receipt in executed.shards)
    lab.record("profile.made", plan.id, profile.as_json(), actor=ENGINE)
    left = judge_residue(lab, plan, executed)
    reasons += left.reasons
    if executed.rows.kept == 0 and not reasons:
        reasons.append("No row is left to release.")
    reasons += _quarantine_reasons(plan, executed)
    if not reasons:
        decision = may_be_released(lab, plan, acquired, digest)
        lab.record("decision.made", plan.id, {**decision.as_json(), "id": decision.id}, actor=ENGINE)
        if not decision.permitted:
            reasons += decision.reasons
    return Gate(
        passed=not reasons,
        reasons=tuple(reasons),
        checks=result.as_gx_json() if result else None,
        checks_in_short=_in_short(result),
        left=list(left.checks),
    )


def may_be_released(lab: Lab, plan: Plan, acquired: Acquired, digest: str) -> Decision:
    """Ask the policies of all sources whether this content may be released from this lab."""
    synthetic = any(isinstance(step, GenerateStep) for step in plan.pipeline.steps)
    personal = any(offer.personal_data for offer in acquired.offers)
    return decide(
        Door.RELEASE,
        [agreement.policy for agreement in acquired.agreements],
        acquired.agreements[0].intent,
        moment=datetime.now(UTC),
        facts=agreement_facts(
            lab,
            acquired.agreements,
            personal_data=personal and not synthetic,
            synthetic=synthetic,
            scrubbed=any(step.service == Service.SCRUBBING for step in plan.pipeline.steps),
            but=(digest, plan.id),
        ),
        subject=digest,
        target=lab.settings.territory,
        actor=ENGINE,
    )


def _quarantine_reasons(plan: Plan, executed: Executed) -> list[str]:
    rows, limit = executed.rows, plan.pipeline.quarantine_limit
    if rows.rows_quarantined <= rows.rows_in * limit:
        return []
    return [
        f"{rows.rows_quarantined} of {rows.rows_in} rows were quarantined, more than the {limit:.1%} that the pipeline allows."
    ]


def _in_short(result: SuiteResult | None) -> list[list[Any]]:
    if result is None:
        return []
    return [[title, check.success] for title, check in zip(titles(result.results), result.results, strict=True)]


def _count(check: CheckResult) -> str:
    if check.error:
        return f": {check.error}"
    return f" for {check.unexpected_count} rows" if check.unexpected_count else ""


def _check_facts(result: SuiteResult) -> dict[str, Any]:
    return {
        "suite": result.suite,
        "rows": result.rows,
        "results": [
            {
                "expectation": title,
                "severity": str(check.severity),
                "success": check.success,
                "element_count": check.element_count,
                "unexpected_count": check.unexpected_count,
                "missing_count": check.missing_count,
                "observed": check.observed,
                "engine": check.engine,
            }
            for title, check in zip(titles(result.results), result.results, strict=True)
        ],
    }


def _without_floats(value: Any) -> Any:
    """Return facts with floats as decimal text, as the ledger wants them."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _without_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_floats(item) for item in value]
    canonical_json(value)
    return value
