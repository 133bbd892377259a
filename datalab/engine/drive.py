"""The driver: stage after stage, tasks without a receipt are worked off, receipts are added up, and everything must balance."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from datalab.engine.exchange import partitions_for
from datalab.engine.folder import RunFolder, disk_error
from datalab.engine.intake import take_in_references
from datalab.engine.plan import Plan, Stage, StageKind
from datalab.engine.task import Task
from datalab.errors import ConservationError, RunFailed
from datalab.model.receipt import Receipt, Rows, Tally, add_tallies


class Watcher(Protocol):
    """Who follows a run: the ledger, the progress line."""

    def stage(self, stage: Stage, tasks: int, done: int) -> None:
        """Hear that a stage begins with ``tasks`` tasks, ``done`` of them finished in an earlier run."""

    def receipt(self, stage: Stage, receipt: Receipt) -> None:
        """Hear of a part that was finished now."""

    def total(self, stage: Stage, rows: Rows, counts: Tally) -> None:
        """Hear what a whole stage came to."""


class Workers(Protocol):
    """An engine: it runs tasks somewhere and yields receipts."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Work the tasks off, in any order."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What a run came to, before the gate. ``shards`` are the receipts of the shards in order."""

    rows: Rows
    stages: tuple[tuple[Stage, Rows, Tally], ...]
    shards: tuple[Receipt, ...]
    unique: tuple[dict[str, Any], ...]
    fit: Receipt | None
    peak_bytes: int
    resumed: int


@dataclass(slots=True)
class _Run:
    plan: Plan
    folder: RunFolder
    workers: Workers
    watcher: Watcher
    stages: list[tuple[Stage, Rows, Tally]] = field(default_factory=list)
    peak_bytes: int = 0
    resumed: int = 0

    def work(self, stage: Stage, tasks: Sequence[Task]) -> list[Receipt]:
        """Work off what has no receipt yet; return all receipts in the order of the tasks."""
        receipts = {task.part: self.folder.receipt(stage.number, task.part) for task in tasks}
        missing = [task for task in tasks if receipts[task.part] is None]
        self.resumed += len(tasks) - len(missing)
        self.watcher.stage(stage, len(tasks), len(tasks) - len(missing))
        for receipt in self.workers.run(missing):
            if receipt.plan != self.plan.id:
                raise RunFailed("a worker answered for another plan", next="run again")
            receipts[receipt.part] = receipt
            self.watcher.receipt(stage, receipt)
        done = [receipt for task in tasks if (receipt := receipts[task.part])]
        if len(done) != len(tasks):
            raise RunFailed(f"{len(tasks) - len(done)} parts of stage {stage.number} have no receipt", next="run again")
        rows = Rows.together(receipt.rows for receipt in done)
        counts = add_tallies(receipt.counts for receipt in done)
        self.peak_bytes = max([self.peak_bytes, *(receipt.peak_bytes for receipt in done)])
        self.stages.append((stage, rows, counts))
        self.watcher.total(stage, rows, counts)
        return done


@contextlib.contextmanager
def locked(folder: RunFolder, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the one lock of a plan: two faces may ask for the same run, one runs and the other then finds it done."""
    folder.create_root()
    with folder.path("lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        folder.sweep()
        yield


def execute(plan: Plan, folder: RunFolder, workers: Workers, watcher: Watcher) -> Executed:
    """Run all stages of ``plan``. Call it inside `locked`; after an interruption, calling it again resumes."""
    run = _Run(plan, folder, workers, watcher)
    try:
        take_in_references(plan, folder)
        return _execute(run)
    except OSError as error:
        raise disk_error(error, folder.root) from error


def _execute(run: _Run) -> Executed:
    plan = run.plan
    intake = run.work(plan.stages[0], [Task(0, item.object.ordinal) for item in plan.inputs])
    parts: list[list[int]] = [part for receipt in intake for part in receipt.facts["parts"]]
    files = [ref.path for receipt in intake for role, ref in sorted(receipt.files.items()) if role.startswith("rows-")]
    counts = [part[3] for part in parts]
    splits: list[list[int]] = []
    settled: int | None = None
    fitted: Receipt | None = None
    findings: list[str] = []
    keys: list[str] = []
    partitions = 1
    last_map = max(stage.number for stage in plan.stages if stage.kind == StageKind.MAP)
    generating = any(stage.kind == StageKind.GENERATE for stage in plan.stages)
    shards: list[Receipt] = []
    unique: list[dict[str, Any]] = []
    for stage in plan.stages[1:]:
        number = stage.number
        if stage.kind == StageKind.MAP:
            partitions = partitions_for(sum(counts))
            detail: dict[str, Any] = {"partitions": partitions}
            if settled is not None:
                detail["verdicts"] = settled
            if number == last_map and not generating:
                detail["split"] = True
            receipts = run.work(stage, [Task(number, part, {**detail, "rows": name}) for part, name in enumerate(files)])
            files = [receipt.files["rows"].path for receipt in receipts]
            counts = [receipt.rows.kept for receipt in receipts]
            keys = [receipt.files["keys"].path for receipt in receipts if "keys" in receipt.files]
            splits = [receipt.facts.get("splits", []) for receipt in receipts]
        elif stage.kind == StageKind.REDUCE:
            tasks = [Task(number, place, {"keys": keys}) for place in range(partitions)] if keys else []
            findings = [receipt.files["findings"].path for receipt in run.work(stage, tasks)]
        elif stage.kind == StageKind.SETTLE:
            run.work(stage, [Task(number, 0, {"findings": findings, "parts": [part[:3] for part in parts]})] if parts else [])
            settled = number
        elif stage.kind == StageKind.FIT:
            fitted = run.work(stage, [Task(number, 0, {"rows": files})])[0]
        elif stage.kind == StageKind.GENERATE:
            assert fitted is not None
            if not all(test["passed"] for test in fitted.facts["privacy"]):
                break  # the privacy gate withholds: nothing is generated from a model that leaks
            size, total = plan.pipeline.part_rows, fitted.facts["total"]
            ranges = [(start, min(size, total - start)) for start in range(0, total, size)]
            tasks = [Task(number, part, {"start": start, "count": count}) for part, (start, count) in enumerate(ranges)]
            receipts = run.work(stage, tasks)
            files = [receipt.files["rows"].path for receipt in receipts]
            splits = [receipt.facts["splits"] for receipt in receipts]
        elif stage.kind == StageKind.SHARDS:
            partitions = partitions_for(sum(sum(split) for split in splits))
            shards = run.work(stage, _shard_tasks(plan, stage, files, splits, partitions))
        elif stage.kind == StageKind.UNIQUE:
            keys = [receipt.files["keys"].path for receipt in shards if "keys" in receipt.files]
            tasks = [Task(number, place, {"keys": keys}) for place in range(partitions)] if keys else []
            unique = [receipt.facts["unique"] for receipt in run.work(stage, tasks)]
    return Executed(
        rows=_account(run),
        stages=tuple(run.stages),
        shards=tuple(shards),
        unique=tuple(unique),
        fit=fitted,
        peak_bytes=run.peak_bytes,
        resumed=run.resumed,
    )


def _shard_tasks(plan: Plan, stage: Stage, files: list[str], splits: list[list[int]], partitions: int) -> list[Task]:
    """Cut every split into shards of ``rows_per_shard`` rows, in the order of the parts."""
    size = plan.pipeline.release.rows_per_shard
    tasks: list[Task] = []
    for place, split in enumerate(plan.pipeline.splits.shares):
        pieces: list[list[Any]] = []
        room = size
        number = 0

        def shut(place: int = place, split: str = split) -> None:
            nonlocal pieces, room, number
            detail = {"split": split, "place": place, "number": number, "pieces": pieces, "partitions": partitions}
            tasks.append(Task(stage.number, len(tasks), detail))
            pieces, room, number = [], size, number + 1

        for name, numbers in zip(files, splits, strict=True):
            first, left = 0, numbers[place] if numbers else 0
            while left:
                taken = min(left, room)
                pieces.append([name, first, taken])
                first, left, room = first + taken, left - taken, room - taken
                if not room:
                    shut()
        if pieces:
            shut()
    return tasks


def _account(run: _Run) -> Rows:
    """Add the whole run up and check that every stage got exactly what the one before it kept (law 1)."""
    moving = (StageKind.INTAKE, StageKind.MAP, StageKind.FIT, StageKind.GENERATE, StageKind.SHARDS)
    counted = [(stage, rows) for stage, rows, _ in run.stages if stage.kind in moving]
    for (before, had), (stage, got) in zip(counted, counted[1:], strict=False):
        expected = 0 if stage.kind == StageKind.GENERATE else had.kept
        if got.rows_in != expected:
            raise ConservationError(
                f"{before.kind} {before.number} kept {had.kept} rows, {stage.kind} {stage.number} was given {got.rows_in}",
                where=f"pipeline {run.plan.pipeline.name}",
                next="this is a defect of the engine: nothing was released, please report it",
            )
    return Rows(
        rows_in=counted[0][1].rows_in,
        generated=sum(rows.generated for _, rows in counted),
        kept=counted[-1][1].kept,
        dropped=add_tallies(rows.dropped for _, rows in counted),
        quarantined=add_tallies(rows.quarantined for _, rows in counted),
    )
