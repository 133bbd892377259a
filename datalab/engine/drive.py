"""The driver: stage after stage, tasks without a receipt are worked off, receipts are added up, and everything must balance."""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from datalab.engine.exchange import partitions_for
from datalab.engine.folder import RunFolder, disk_error
from datalab.engine.intake import take_in_references
from datalab.engine.plan import Plan, Stage, StageKind, reference_bytes
from datalab.engine.shuffle import shuffle_partitions
from datalab.engine.splits import cut_shards
from datalab.engine.task import Task
from datalab.errors import ConservationError, RunFailed
from datalab.model.receipt import Receipt, Rows, Tally, add_tallies
from datalab.model.step import KeyedStep, LookupStep

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)
"""What a filesystem without locks says."""


class Watcher(Protocol):
    """Who follows a run: the ledger, the progress line."""

    def stage(self, stage: Stage, tasks: int, found: Sequence[Receipt]) -> None:
        """Hear that a stage begins with ``tasks`` tasks, and which of their receipts an earlier run, or another process, left."""

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
    costs: Tally
    """Rows, bytes and microseconds of processor time by step, over all parts (`Receipt.costs`)."""


@dataclass(slots=True)
class _Run:
    """What one run has come to so far: the files of the last pass, and what the next one needs to know."""

    plan: Plan
    folder: RunFolder
    workers: Workers
    watcher: Watcher
    mine: Callable[[int], bool]
    stages: list[tuple[Stage, Rows, Tally]] = field(default_factory=list)
    parts: list[list[int]] = field(default_factory=list)
    """[source, first, last, rows] of every part, in order."""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    """What each part of the next pass reads (`datalab.engine.parts.read_part`)."""
    rows: int = 0
    partitions: int = 1
    """Partitions of the exchange that the last pass wrote keys for."""
    bytes: int = 0
    shuffled: int = 0
    """Partitions that the last pass scattered the rows to, 0 where it kept their order."""
    cuts: list[dict[str, Any]] = field(default_factory=list)
    """Facts of each part that the cut into shards needs (`datalab.engine.splits.split_facts`)."""
    keys: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    verdicts: dict[str, Any] | None = None
    """Place of the keyed step that spoke last, and the files that hold its verdicts by part."""
    entries: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """Files that hold what the reference says to each part, for the step that the next pass begins with."""
    fitted: Receipt | None = None
    withheld: bool = False
    shards: list[Receipt] = field(default_factory=list)
    unique: list[dict[str, Any]] = field(default_factory=list)
    peak_bytes: int = 0
    resumed: int = 0
    costs: Tally = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """The files that the last pass wrote, one per part."""
        return [part["rows"] for part in self.inputs]

    def moved(self, receipts: Sequence[Receipt]) -> None:
        """Take over what a pass wrote as the input of the next."""
        self.inputs = [{"rows": receipt.files["rows"].path} for receipt in receipts]
        self.cuts = [dict(receipt.facts) for receipt in receipts]
        self.bytes = sum(receipt.files["rows"].bytes for receipt in receipts)
        self.rows = sum(receipt.rows.kept for receipt in receipts)

    def work(self, stage: Stage, details: Sequence[dict[str, Any]]) -> list[Receipt]:
        """Work off the parts that have no receipt yet; return all receipts in the order of the parts."""
        tasks = [Task(stage.number, part, detail) for part, detail in enumerate(details)]
        receipts = [self._receipt(task) for task in tasks]
        missing = [task for task in tasks if receipts[task.part] is None]
        self.resumed += len(tasks) - len(missing)
        self.watcher.stage(stage, len(tasks), [receipt for receipt in receipts if receipt is not None])
        for receipt in self.workers.run(missing):
            if receipt.plan != self.plan.id:
                raise RunFailed("a worker answered for another plan", next="run again")
            receipts[receipt.part] = receipt
            self.watcher.receipt(stage, receipt)
        done = [receipt for receipt in receipts if receipt is not None]
        if len(done) != len(tasks):
            raise RunFailed(f"{len(tasks) - len(done)} parts of stage {stage.number} have no receipt", next="run again")
        rows = Rows.together(receipt.rows for receipt in done)
        counts = add_tallies(receipt.counts for receipt in done)
        self.peak_bytes = max([self.peak_bytes, *(receipt.peak_bytes for receipt in done)])
        self.costs = add_tallies([self.costs, *(receipt.costs for receipt in done)])
        self.stages.append((stage, rows, counts))
        self.watcher.total(stage, rows, counts)
        return done

    def _receipt(self, task: Task) -> Receipt | None:
        if self.mine(task.part):
            return self.folder.receipt(task.stage, task.part, deep=True)
        return self.folder.others_receipt(task.stage, task.part)


@contextlib.contextmanager
def locked(folder: RunFolder, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the one lock of a plan: two faces may ask for the same run, one runs and the other then finds it done.

    The lock spares work and is not needed for a right result. Where the filesystem has no locks (Lustre mounted without flock),
    there is none.
    """
    folder.create_root()
    with folder.path("lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        folder.sweep()
        yield


def execute(
    plan: Plan, folder: RunFolder, workers: Workers, watcher: Watcher, mine: Callable[[int], bool] = lambda _part: True
) -> Executed:
    """Run all stages of ``plan``. Call it inside `locked`; after an interruption, calling it again resumes.

    Where several processes share the plan (`datalab.engine.crew`), ``mine`` says which parts are this one's: only their
    receipts are checked against the bytes of their files, and discarded when they do not hold.
    """
    run = _Run(plan, folder, workers, watcher, mine)
    try:
        take_in_references(plan, folder)
        for stage in plan.stages:
            if not run.withheld:
                _STAGES[stage.kind](run, stage)
    except OSError as error:
        raise disk_error(error, folder.root) from error
    return Executed(
        rows=_account(run),
        stages=tuple(run.stages),
        shards=tuple(run.shards),
        unique=tuple(run.unique),
        fit=run.fitted,
        peak_bytes=run.peak_bytes,
        resumed=run.resumed,
        costs=run.costs,
    )


def _intake(run: _Run, stage: Stage) -> None:
    for receipt in run.work(stage, [{}] * len(run.plan.inputs)):
        run.parts += receipt.facts["parts"]
        run.inputs += [{"rows": ref.path} for role, ref in sorted(receipt.files.items()) if role.startswith("rows-")]
        run.inputs += [{"source": receipt.part, "span": span} for span in receipt.facts.get("spans", ())]
    run.rows = sum(part[3] for part in run.parts)


def _map(run: _Run, stage: Stage) -> None:
    run.partitions = _partitions(run, stage)
    detail: dict[str, Any] = {"partitions": run.partitions, "split": stage.number == run.plan.splitting}
    if detail["split"]:
        detail["shuffle"] = _scattered(run, run.rows)
    if run.verdicts is not None:
        detail["verdicts"] = run.verdicts
    if run.answers:
        detail["lookup"] = run.answers
    receipts = run.work(stage, [{**detail, **part} for part in run.inputs])
    run.keys = [receipt.files["keys"].path for receipt in receipts if "keys" in receipt.files]
    run.evidence = [receipt.files["evidence"].path for receipt in receipts if "evidence" in receipt.files]
    run.verdicts, run.answers = None, []
    run.moved(receipts)


def _partitions(run: _Run, stage: Stage) -> int:
    step = run.plan.pipeline.steps[stage.keyed] if stage.keyed is not None else None
    if isinstance(step, LookupStep):
        return max(partitions_for(run.rows), partitions_for(1, 2 * reference_bytes(run.plan.references[step.source])))
    return partitions_for(run.rows, step.row_bytes) if isinstance(step, KeyedStep) else 1


def _scattered(run: _Run, rows: int) -> int:
    """Return into how many partitions ``rows`` rows to be released are scattered, and remember it."""
    sampled = int(rows * run.plan.row_bytes.of(list(run.plan.schema_out)))
    run.shuffled = shuffle_partitions(run.plan, max(run.bytes, sampled))
    return run.shuffled


def _reference(run: _Run, stage: Stage) -> None:
    step = run.plan.pipeline.steps[stage.keyed or 0]
    assert isinstance(step, LookupStep)
    receipts = run.work(stage, [{"partitions": run.partitions}] * len(run.plan.references[step.source]))
    run.entries = [ref.path for receipt in receipts for _, ref in sorted(receipt.files.items())]


def _reduce(run: _Run, stage: Stage) -> None:
    lookup = isinstance(run.plan.pipeline.steps[stage.keyed or 0], LookupStep)
    detail: dict[str, Any] = {"keys": run.keys, "parts": [part[:3] for part in run.parts]}
    if lookup:
        detail["entries"] = run.entries
    receipts = run.work(stage, [detail] * run.partitions if run.keys else [])
    run.findings = [receipt.files["findings"].path for receipt in receipts]
    if lookup:
        run.answers = run.findings
    else:
        run.verdicts = {"keyed": stage.keyed, "files": run.findings} if run.keys else None


def _confirm(run: _Run, stage: Stage) -> None:
    detail = {"findings": run.findings, "evidence": run.evidence, "parts": [part[:3] for part in run.parts]}
    receipts = run.work(stage, [detail] * len(run.parts) if run.findings else [])
    run.findings = [receipt.files["findings"].path for receipt in receipts]


def _settle(run: _Run, stage: Stage) -> None:
    detail = {"findings": run.findings, "evidence": run.evidence, "parts": [part[:3] for part in run.parts]}
    receipts = run.work(stage, [detail] if run.parts else [])
    run.verdicts = (
        {"keyed": stage.keyed, "files": [receipts[0].files["verdicts"].path], **receipts[0].facts} if receipts else None
    )


def _fit(run: _Run, stage: Stage) -> None:
    [run.fitted] = run.work(stage, [{"rows": run.files}])
    # the privacy gate withholds: nothing is generated from a model that leaks
    run.withheld = not all(test["passed"] for test in run.fitted.facts["privacy"])


def _generate(run: _Run, stage: Stage) -> None:
    assert run.fitted is not None
    size, total = run.plan.pipeline.part_rows, run.fitted.facts["total"]
    detail = {"shuffle": _scattered(run, total)}
    starts = range(0, total, size)
    run.moved(run.work(stage, [{"start": start, "count": min(size, total - start), **detail} for start in starts]))


def _shuffle(run: _Run, stage: Stage) -> None:
    detail = {"rows": run.files, "partitions": run.shuffled}
    run.moved(run.work(stage, [detail] * run.shuffled if run.files else []))


def _shards(run: _Run, stage: Stage) -> None:
    run.partitions = partitions_for(run.rows)
    run.shards = run.work(stage, cut_shards(run.plan, run.files, run.cuts, run.partitions))
    run.keys = [receipt.files["keys"].path for receipt in run.shards if "keys" in receipt.files]


def _unique(run: _Run, stage: Stage) -> None:
    receipts = run.work(stage, [{"keys": run.keys}] * run.partitions if run.keys else [])
    run.unique = [receipt.facts["unique"] for receipt in receipts]


_STAGES: dict[StageKind, Callable[[_Run, Stage], None]] = {
    StageKind.INTAKE: _intake,
    StageKind.MAP: _map,
    StageKind.REDUCE: _reduce,
    StageKind.REFERENCE: _reference,
    StageKind.CONFIRM: _confirm,
    StageKind.SETTLE: _settle,
    StageKind.FIT: _fit,
    StageKind.GENERATE: _generate,
    StageKind.SHUFFLE: _shuffle,
    StageKind.SHARDS: _shards,
    StageKind.UNIQUE: _unique,
}


def _account(run: _Run) -> Rows:
    """Add the whole run up and check that every stage got exactly what the one before it kept (law 1)."""
    moving = (StageKind.INTAKE, StageKind.MAP, StageKind.FIT, StageKind.GENERATE, StageKind.SHUFFLE, StageKind.SHARDS)
    counted = [(stage, rows) for stage, rows, _ in run.stages if stage.kind in moving]
    for (before, had), (stage, got) in pairwise(counted):
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
