"""Errors as Dagster shows them: what, where and what next; a refusal by the terms is called one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import dagster as dg

from datalab.errors import DatalabError, GateFailed, PolicyRefusal, RunFailed, SourceError, StorageFailed

OUTCOME_TAG = "datalab/outcome"
"""Run tag by which runs can be filtered: refused, withheld, source-failed, stopped or failed."""

_OUTCOMES: tuple[tuple[type[DatalabError], str, str], ...] = (
    (PolicyRefusal, "refused", "Refused by the terms: "),
    (GateFailed, "withheld", "Withheld by the gate: "),
    (SourceError, "source-failed", "The source did not deliver: "),
    (RunFailed, "stopped", "Stopped, and can be resumed: "),
    (DatalabError, "failed", ""),
)


def failure_of(error: DatalabError) -> dg.Failure:
    """Return the failure that stands for ``error``. Dagster must not retry it by itself: the same terms say no again."""
    _, outcome, word = next(item for item in _OUTCOMES if isinstance(error, item[0]))
    metadata: dict[str, str | int] = {"outcome": outcome, "error": type(error).__name__, "what": error.what}
    metadata |= {name: text for name, text in (("where", error.where), ("next", error.next)) if text}
    metadata["exit code of the command line"] = error.exit_code
    return dg.Failure(description=f"{word}{error}", metadata=metadata, allow_retries=False)


@contextlib.contextmanager
def told_plainly(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Iterator[None]:
    """Turn a ``DatalabError`` into a failure without a chain of causes, and tag the run with its outcome."""
    try:
        yield
    except DatalabError as error:
        raise tell(context, error) from None


def tell(context: dg.OpExecutionContext | dg.AssetExecutionContext, error: DatalabError) -> dg.Failure:
    """Tag the run with the outcome and return the failure to raise."""
    failure = failure_of(error)
    outcome = str(failure.metadata["outcome"].value)
    with contextlib.suppress(StorageFailed):  # what failed first is what has to be told
        context.resources.lab.business.record(
            context.run.tags.get("business_operation", ""),
            "ERROR",
            f"{outcome}: {error.what}",
            facts={"outcome": outcome, "error": type(error).__name__},
        )
    context.instance.add_run_tags(context.run.run_id, {OUTCOME_TAG: outcome})
    return failure
