"""A task: one call of a worker, small enough to send to any process or machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datalab.engine.plan import Plan, StageKind

if TYPE_CHECKING:
    from datalab.engine.folder import RunFolder
    from datalab.model.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Task:
    """Part ``part`` of stage ``stage``. ``detail`` is plain JSON: file names and numbers, never rows."""

    stage: int
    part: int
    detail: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1


def perform(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Work one task off and write its receipt (a probe writes nothing); the result depends on plan and task alone."""
    receipt = _worker(plan.stages[task.stage].kind)(plan, folder, task)
    if "probe" not in task.detail:
        folder.write_receipt(receipt)
    return receipt


def _worker(kind: StageKind) -> Callable[[Plan, RunFolder, Task], Receipt]:
    from datalab.engine import exchange, generate, intake, lookup, mapping, pairs, shards, shuffle

    return {
        StageKind.INTAKE: intake.take_in,
        StageKind.MAP: mapping.map_part,
        StageKind.REDUCE: exchange.reduce_partition,
        StageKind.REFERENCE: lookup.take_entries,
        StageKind.CONFIRM: pairs.confirm,
        StageKind.SETTLE: exchange.settle,
        StageKind.FIT: generate.fit,
        StageKind.GENERATE: generate.generate,
        StageKind.SHUFFLE: shuffle.shuffle,
        StageKind.SHARDS: shards.write_shard,
        StageKind.UNIQUE: shards.reduce_unique,
    }[kind]
