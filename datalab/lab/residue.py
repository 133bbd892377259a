"""Judge the second look at the rows to be released: nothing that a step promised to remove may be left."""

from __future__ import annotations

from dataclasses import dataclass

from datalab.engine.drive import Executed
from datalab.engine.plan import Plan
from datalab.engine.residue import merge_residue, promises, scrubs
from datalab.lab.lab import ENGINE, Lab

TITLE = "no personal data left that a step removes"
"""How the verdict is named among the checks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reasons`` withhold the release; ``checks`` is its line among the checks, empty for a pipeline that does not scrub."""

    reasons: tuple[str, ...] = ()
    checks: tuple[tuple[str, bool], ...] = ()


def judge_residue(lab: Lab, plan: Plan, executed: Executed) -> Verdict:
    """Hold what is left against what was promised, and tell the ledger: counts by column and kind, never a value or a place."""
    if not scrubs(plan) or not executed.shards:
        return Verdict()
    look = merge_residue(receipt.facts for receipt in executed.shards)
    made = promises(plan)
    broken = [
        {"column": column, "kind": kind, "number": number, "step": made[column][kind]}
        for column, kinds in look.found.items()
        for kind, number in kinds.items()
        if kind in made.get(column, {})
    ]
    body = {
        "rows": look.rows,
        "columns": list(look.columns),
        "found": look.found,
        "sampled": look.sampled,
        "others": look.others,
        "promised": {column: sorted(kinds) for column, kinds in made.items() if column in look.columns},
        "broken": broken,
    }
    lab.record("residue.scanned", plan.id, body, actor=ENGINE)
    reasons = [
        f"The column {item['column']} still holds {item['number']} of the kind {item['kind']}, which step {item['step']} was to remove."
        for item in broken
    ]
    unseen = len(executed.shards) - look.shards
    if unseen:  # receipts of an earlier version: what was not looked at is not known
        reasons.append(
            f"{unseen} of {len(executed.shards)} shards were not looked at for personal data: purge the run, then run it again."
        )
    return Verdict(tuple(reasons), ((TITLE, not reasons),))
