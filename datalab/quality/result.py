"""Results of expectations: small records, and the JSON of Great Expectations' ``ExpectationSuiteValidationResult``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datalab.quality.suite import Expectation, Severity

DATALAB = "datalab"
GREAT_EXPECTATIONS = "great-expectations"
VALUES_WITHHELD = 'values are withheld; allow examples with "meta": {"datalab": {"examples": true}}'
FORMAT_VERSION = "1.24.1"
"""The version of Great Expectations whose result format is written."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one expectation. Counts are of rows, None where Great Expectations gives none.

    ``observed`` is an aggregate of the column (a mean, a count) as JSON text, "" where there is none. ``examples`` is empty unless the expectation allows raw values.
    ``error`` names what kept the expectation from being evaluated: then ``success`` is false.
    """

    expectation: Expectation
    success: bool
    severity: Severity
    element_count: int | None = None
    unexpected_count: int | None = None
    missing_count: int | None = None
    observed: str = ""
    engine: str = DATALAB
    examples: tuple[Any, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def blocks(self) -> bool:
        """Whether this result withholds a release."""
        return not self.success and self.severity == Severity.CRITICAL

    @property
    def unexpected_percent(self) -> float | None:
        """Unexpected rows per hundred rows that have a value; None where there are none."""
        if self.unexpected_count is None or not self.element_count:
            return None
        considered = self.element_count - (self.missing_count or 0)
        return self.unexpected_count / considered * 100 if considered else None

    def as_gx_json(self) -> dict[str, Any]:
        """Return the result as Great Expectations writes it (result format BASIC)."""
        asked = self.expectation
        return {
            "success": self.success,
            "expectation_config": {
                "type": asked.type,
                "kwargs": dict(asked.kwargs),
                "meta": dict(asked.meta),
                "severity": str(self.severity),
            },
            "result": {} if self.error else self._body(),
            "meta": {DATALAB: {"engine": self.engine, **self._note(), **self.meta}},
            "exception_info": {
                "raised_exception": bool(self.error),
                "exception_traceback": None,
                "exception_message": self.error or None,
            },
        }

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.observed:
            body["observed_value"] = json.loads(self.observed)
        if self.unexpected_count is not None:
            body["unexpected_count"] = self.unexpected_count
            body["partial_unexpected_list"] = list(self.examples)
            if self.element_count is None:
                body["observed_value"] = None
        if self.element_count is not None and self.unexpected_count is not None:
            body["element_count"] = self.element_count
            body["unexpected_percent"] = self.unexpected_percent
            if self.missing_count is not None:
                rows = self.element_count
                body["missing_count"] = self.missing_count
                body["missing_percent"] = self.missing_count / rows * 100 if rows else None
                body["unexpected_percent_total"] = self.unexpected_count / rows * 100 if rows else None
                body["unexpected_percent_nonmissing"] = self.unexpected_percent
        if self.details:
            body["details"] = dict(self.details)
        return body

    def _note(self) -> dict[str, str]:
        return {"note": VALUES_WITHHELD} if self.unexpected_count and not self.examples else {}


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """The outcome of a suite over one table."""

    suite: str
    results: tuple[CheckResult, ...]
    rows: int

    @property
    def passed(self) -> bool:
        """Whether no critical expectation failed: warnings and information only report."""
        return not any(result.blocks for result in self.results)

    @property
    def success(self) -> bool:
        """Whether every expectation was met, whatever its severity (Great Expectations' own word)."""
        return all(result.success for result in self.results)

    def as_gx_json(self) -> dict[str, Any]:
        """Return the results in the shape of Great Expectations' suite validation result. It holds floats: not canonical JSON."""
        evaluated = len(self.results)
        good = sum(result.success for result in self.results)
        return {
            "success": self.success,
            "results": [result.as_gx_json() for result in self.results],
            "suite_name": self.suite,
            "suite_parameters": {},
            "statistics": {
                "evaluated_expectations": evaluated,
                "successful_expectations": good,
                "unsuccessful_expectations": evaluated - good,
                "success_percent": good / evaluated * 100 if evaluated else None,
            },
            "meta": {
                "great_expectations_version": FORMAT_VERSION,
                DATALAB: {"passed": self.passed, "rows": self.rows},
            },
            "id": None,
        }

    def to_bytes(self) -> bytes:
        """Return the results as JSON text with a fixed form, as ``checks.json`` holds it."""
        return (json.dumps(self.as_gx_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def titles(results: Sequence[CheckResult]) -> list[str]:
    """Return one heading per result, unique among them: ``type(columns)``, with its place where two are alike."""
    plain = [result.expectation.title for result in results]
    return [title if plain.count(title) == 1 else f"{title} #{place}" for place, title in enumerate(plain, start=1)]
