"""Expectation suites in Great Expectations' format, compiled to one pass over Arrow."""

from __future__ import annotations

from datalab.quality.compile import Checks, compile_suite
from datalab.quality.fit import Check
from datalab.quality.gx import ROW_CAP, take_sample
from datalab.quality.keys import KEYS
from datalab.quality.result import CheckResult, SuiteResult, titles
from datalab.quality.suite import Expectation, Severity, Suite, core_expectations, load_suite, parse_suite
from datalab.quality.validate import validate

__all__ = [
    "KEYS",
    "ROW_CAP",
    "Check",
    "CheckResult",
    "Checks",
    "Expectation",
    "Severity",
    "Suite",
    "SuiteResult",
    "compile_suite",
    "core_expectations",
    "load_suite",
    "parse_suite",
    "take_sample",
    "titles",
    "validate",
]
