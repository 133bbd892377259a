"""Who watches a run: the ledger, told in batches as receipts arrive, and the face that asked for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from datalab.engine.plan import Plan, Stage
from datalab.governance.ledger import Entry, Ledger
from datalab.lab.lab import ENGINE
from datalab.model.receipt import Receipt, Rows, Tally

_MOST_WAITING = 100
_LONGEST_WAIT = 2.0


class Face(Protocol):
    """What a face may show while a use case is at work."""

    def say(self, what: str) -> None:
        """Show a sentence: a new act begins."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Show how far something is, in bytes, parts or files."""


class Silent:
    """A face that shows nothing."""

    def say(self, what: str) -> None:
        """Say nothing."""

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Show nothing."""


@dataclass(slots=True)
class RunWatcher:
    """Turns what the engine reports into ledger events and progress (`datalab.engine.drive.Watcher`)."""

    plan: Plan
    ledger: Ledger
    face: Face
    _waiting: list[Receipt] = field(default_factory=list)
    _told: float = field(default_factory=time.monotonic)
    _tasks: int = 0
    _done: int = 0

    def stage(self, stage: Stage, tasks: int, done: int) -> None:
        """Begin a stage."""
        self._tasks, self._done = tasks, done
        self.face.progress(stage.describe(self.plan.labels), done, tasks)

    def receipt(self, stage: Stage, receipt: Receipt) -> None:
        """Take a receipt in; tell the ledger now and then."""
        self._waiting.append(receipt)
        self._done += 1
        self.face.progress(stage.describe(self.plan.labels), self._done, self._tasks)
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
                "parts": {str(receipt.part): str(receipt.as_json()["digest"]) for receipt in self._waiting},
                "attempts": {str(receipt.part): receipt.attempt for receipt in self._waiting if receipt.attempt > 1},
            }
            entries.insert(0, Entry("parts.done", ENGINE, self.plan.id, body))
            self._waiting.clear()
        if entries:
            self.ledger.append(entries)
        self._told = time.monotonic()
