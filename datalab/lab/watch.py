"""Who watches a run: the ledger, told in batches as receipts arrive, and the face that asked for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from datalab.engine.plan import Plan, Stage
from datalab.governance.ledger import Entry, Ledger
from datalab.lab.lab import ENGINE
from datalab.lab.pace import LeftOut, Pace
from datalab.model.receipt import Receipt, Rows, Tally

_MOST_WAITING = 100
_LONGEST_WAIT = 2.0
_PARTS = "parts.done"


class Face(Protocol):
    """What a face may show while a use case is at work."""

    def say(self, what: str) -> None:
        """Show a sentence: a new act begins."""

    def progress(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """Show how far something is, in bytes, parts or files, and a note on its pace."""


class Silent:
    """A face that shows nothing."""

    def say(self, what: str) -> None:
        """Say nothing."""

    def progress(self, what: str, done: int, total: int | None, note: str = "") -> None:
        """Show nothing."""


@dataclass(slots=True)
class ProgressWatcher:
    """Turns what the engine reports into progress (`datalab.engine.drive.Watcher`), and keeps no record of it."""

    plan: Plan
    face: Face
    _pace: Pace = field(default_factory=lambda: Pace(0, 0))
    _left_out: LeftOut = field(default_factory=LeftOut)

    def stage(self, stage: Stage, tasks: int, found: Sequence[Receipt]) -> None:
        """Begin a stage."""
        self._pace = Pace(tasks, len(found))
        self._left_out.take(found)
        self._show(stage)

    def receipt(self, stage: Stage, receipt: Receipt) -> None:
        """Take a receipt in."""
        self._pace.take(receipt)
        self._left_out.take([receipt])
        self._show(stage)

    def total(self, stage: Stage, rows: Rows, counts: Tally) -> None:
        """End a stage."""

    def _show(self, stage: Stage) -> None:
        note = "; ".join(words for words in (self._pace.in_words(), self._left_out.in_words()) if words)
        self.face.progress(stage.describe(self.plan.labels), self._pace.done, self._pace.tasks, note)


@dataclass(slots=True)
class RunWatcher:
    """Turns what the engine reports into ledger events and progress (`datalab.engine.drive.Watcher`).

    Every part of a run is told to the ledger once, by the digest of its receipt: also one that an interrupted run, or another
    process of a crew, left behind untold. Those are told first, in the order of their parts.
    """

    plan: Plan
    ledger: Ledger
    face: Face
    _progress: ProgressWatcher = field(init=False)
    _known: set[tuple[int, str, str]] = field(init=False)
    """(stage, part, digest of the receipt) of what the ledger knows already."""
    _waiting: list[Receipt] = field(default_factory=list)
    _told: float = field(default_factory=time.monotonic)
    _tasks: int = 0

    def __post_init__(self) -> None:
        self._progress = ProgressWatcher(self.plan, self.face)
        self._known = {
            (event.body["stage"], part, digest)
            for event in self.ledger.events(subject=self.plan.id, type=_PARTS)
            for part, digest in event.body["parts"].items()
        }

    def stage(self, stage: Stage, tasks: int, found: Sequence[Receipt]) -> None:
        """Begin a stage."""
        self._tasks = tasks
        self._progress.stage(stage, tasks, found)
        for receipt in found:
            if (stage.number, str(receipt.part), _digest(receipt)) not in self._known:
                self._waiting.append(receipt)
                if len(self._waiting) >= _MOST_WAITING:
                    self._tell(stage, ())

    def receipt(self, stage: Stage, receipt: Receipt) -> None:
        """Take a receipt in; tell the ledger now and then."""
        self._waiting.append(receipt)
        self._progress.receipt(stage, receipt)
        if len(self._waiting) >= _MOST_WAITING or time.monotonic() - self._told > _LONGEST_WAIT:
            self._tell(stage, ())

    def total(self, stage: Stage, rows: Rows, counts: Tally) -> None:
        """End a stage: its rows, reasons and counts become one event."""
        steps = list(stage.steps) if stage.keyed is None else [*stage.steps, stage.keyed]
        body: dict[str, Any] = {
            "stage": stage.number,
            "kind": str(stage.kind),
            "steps": [self.plan.labels[place] for place in steps],
            "tasks": self._tasks,
            "rows": rows.as_json(),
            "counts": {step: dict(names) for step, names in counts.items()},
        }
        self._tell(stage, [Entry("stage.done", ENGINE, self.plan.id, body)])

    def _tell(self, stage: Stage, more: Sequence[Entry]) -> None:
        entries = list(more)
        if self._waiting:
            body = {
                "stage": stage.number,
                "parts": {str(receipt.part): _digest(receipt) for receipt in self._waiting},
                "attempts": {str(receipt.part): receipt.attempt for receipt in self._waiting if receipt.attempt > 1},
            }
            entries.insert(0, Entry(_PARTS, ENGINE, self.plan.id, body))
            self._waiting.clear()
        if entries:
            self.ledger.append(entries)
        self._told = time.monotonic()


def _digest(receipt: Receipt) -> str:
    return str(receipt.as_json()["digest"])
