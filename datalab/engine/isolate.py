"""The search for the rows of one part that kill a worker: halves, in workers of their own, until single rows are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from datalab.engine.process import Death
from datalab.engine.task import Task

MOST_CRASHES = 32
"""Rows of one part that may each kill a worker before the step is taken to be broken."""


@dataclass(slots=True)
class Search:
    """A search in the part of ``task``, whose rows have the ordinals ``rows``; ``death`` is what it began with.

    Probes are tasks that try a range of rows and write nothing. Halves that pass are innocent; a row is guilty only when it
    kills a worker alone, twice, so that a kill from outside convicts nobody.
    """

    task: Task
    rows: Sequence[int]
    death: Death
    guilty: list[int] = field(default_factory=list)
    _open: int = 0

    @property
    def over(self) -> bool:
        """Whether every probe is answered."""
        return self._open == 0

    @property
    def verdict(self) -> Task | None:
        """The task with its guilty rows set apart; None when no row was found that was not known."""
        known = set(self.task.detail.get("poison", ()))
        if not set(self.guilty) - known:
            return None
        return replace(self.task, detail={**self.task.detail, "poison": sorted(known | set(self.guilty))}, attempt=1)

    def begin(self) -> list[Task]:
        """Return the first probes."""
        return list(self._probes(self._halves(0, len(self.rows)) if len(self.rows) > 1 else [(0, len(self.rows))]))

    def passed(self) -> None:
        """Hear that a probe was answered."""
        self._open -= 1

    def died(self, probe: Task) -> list[Task]:
        """Hear that a probe killed its worker; return the next probes."""
        self._open -= 1
        start, stop = probe.detail["probe"]
        if stop - start > 1:
            return list(self._probes(self._halves(start, stop)))
        if probe.attempt == 1 and stop > start:
            self._open += 1
            return [replace(probe, attempt=2)]
        self.guilty += [int(row) for row in self.rows[start:stop]]
        return []

    def share(self, probe: Task) -> float:
        """Return the share of the part's rows that a probe tries."""
        start, stop = probe.detail["probe"]
        return float(stop - start) / max(1, len(self.rows))

    def _probes(self, ranges: Sequence[tuple[int, int]]) -> Iterator[Task]:
        for start, stop in ranges:
            self._open += 1
            yield replace(self.task, detail={**self.task.detail, "probe": [start, stop]}, attempt=1)

    @staticmethod
    def _halves(start: int, stop: int) -> list[tuple[int, int]]:
        middle = (start + stop) // 2
        return [(start, middle), (middle, stop)]
