"""The verdict of the expectations, from the partial results in the shards' receipts."""

from __future__ import annotations

import polars as pl

from datalab.engine.drive import Executed
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.quality import SuiteResult, compile_suite, take_sample


def evaluate_suite(plan: Plan, folder: RunFolder, executed: Executed) -> SuiteResult | None:
    """Evaluate the suite from the partial results in the shards' receipts; None without a suite or without rows to judge."""
    if plan.suite is None or not executed.shards:
        return None
    checks = compile_suite(plan.suite, plan.schema_out)
    state = checks.merge([receipt.facts["partial"] for receipt in executed.shards], executed.unique)
    sample: pl.DataFrame | None = None
    for receipt in executed.shards if checks.outside else ():
        more = folder.read_rows(receipt.files["sample"].path)
        sample = take_sample([frame for frame in (sample, more) if frame is not None], checks.cap)
    scratch = folder.path("scratch")
    scratch.mkdir(exist_ok=True, mode=0o700)
    return SuiteResult(plan.suite.name, tuple(checks.evaluate(state, sample, scratch=scratch)), state["rows"])
