"""The local engine: worker processes, one task each at a time, whose death is an expected event.

A worker that raises stops the run with its error. A worker that dies (native crash, killed, out of memory) costs its task an attempt;
after the last one the rows that kill it are found by halving and set apart, so that they and nothing else are quarantined. A part that
overruns its time limit is treated the same, except that its halves are its next attempt. What is in flight is bounded: a part a worker.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Protocol, Self

from datalab.engine.folder import RunFolder
from datalab.engine.isolate import MOST_CRASHES, Search
from datalab.engine.parts import ordinals
from datalab.engine.plan import Stage, StageKind
from datalab.engine.process import Death, Worker, start_worker
from datalab.engine.task import Task
from datalab.errors import DatalabError, RunFailed
from datalab.model.receipt import Receipt

_START_SECONDS = 60.0
"""What a probe may take beside its rows: a worker that starts, models that are loaded. Never more than the limit of a part."""


class Outline(Protocol):
    """What a pool knows of its plan; the workers load the plan itself."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the steps."""


class Pool:
    """Worker processes for one run folder. Use it as a context manager; leaving it ends the workers.

    ``workers``: 0 means one per core that this process may use. ``memory_mb``: limit of a worker's data segment, 0 means none.
    ``part_seconds``: what a part of a map stage may take, 0 means any time.
    ``path``: where workers look for modules first; for a pool in a process that is not the run's.
    """

    def __init__(
        self,
        plan: Outline,
        folder: RunFolder,
        *,
        workers: int = 0,
        memory_mb: int = 0,
        attempts: int = 3,
        part_seconds: float = 0,
        path: tuple[str, ...] = (),
    ) -> None:
        self.size = workers or usable_cores()
        self._plan = plan
        self._folder = folder
        self._memory_mb = memory_mb
        self._attempts = max(1, attempts)
        self._part_seconds = part_seconds
        self._path = path
        self._workers: list[Worker] = []
        self._searches: dict[int, Search] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Work the tasks of one stage off and yield their receipts as they come; raise the first error of a worker."""
        waiting = deque(tasks)
        self._searches.clear()
        while waiting or any(worker.task for worker in self._workers):
            while waiting and (worker := self._idle()):
                following = waiting.popleft()
                worker.send(following, self._limit(following))
            for worker in self._answering():
                task = worker.task
                assert task is not None
                answer = worker.receive()
                if isinstance(answer, Death):
                    self._workers.remove(worker)
                    waiting.extendleft(self._after_death(task, answer))
                elif isinstance(answer, DatalabError):
                    raise answer
                elif "probe" in task.detail:
                    self._searches[task.part].passed()
                    waiting.extendleft(self._after_search(task.part))
                else:
                    yield answer

    def close(self) -> None:
        """End all workers."""
        while self._workers:
            self._workers.pop().end()

    def _idle(self) -> Worker | None:
        for worker in self._workers:
            if worker.task is None:
                return worker
        if len(self._workers) < self.size:
            self._workers.append(start_worker(self._folder, self._memory_mb, self._path))
            return self._workers[-1]
        return None

    def _answering(self) -> list[Worker]:
        """Wait for the next answers, deaths, or parts that are late."""
        busy = [worker for worker in self._workers if worker.task is not None]
        limits = [left for worker in busy if (left := worker.left) is not None]
        ready = wait([worker.pipe for worker in busy], timeout=min(limits, default=None))
        return [worker for worker in busy if worker.pipe in ready or worker.left == 0.0]

    def _limit(self, task: Task) -> float:
        if self._plan.stages[task.stage].kind != StageKind.MAP:  # other tasks are not bounded in rows
            return 0.0
        if "probe" not in task.detail:
            return self._part_seconds
        share = self._searches[task.part].share(task)
        return min(_START_SECONDS, self._part_seconds) + share * self._part_seconds

    def _after_death(self, task: Task, death: Death) -> list[Task]:
        """Return what is to be done next: another attempt, or the probes of a search."""
        if "probe" in task.detail:
            search = self._searches[task.part]
            return search.died(task) or self._after_search(task.part)
        if not death.late and task.attempt < self._attempts:
            return [replace(task, attempt=task.attempt + 1)]
        if self._plan.stages[task.stage].kind != StageKind.MAP:
            raise self._failed(task, death)
        self._searches[task.part] = Search(task, ordinals(self._folder, task.detail).to_list(), death)
        return self._searches[task.part].begin()

    def _after_search(self, part: int) -> list[Task]:
        """Return the task with its guilty rows set apart, once the search is over; raise when it is not about rows."""
        search = self._searches[part]
        if len(search.guilty) > MOST_CRASHES:
            raise self._failed(search.task, search.death)
        if not search.over:
            return []
        del self._searches[part]
        if search.verdict:
            return [search.verdict]
        if search.death.late and search.task.attempt < self._attempts:
            return [replace(search.task, attempt=search.task.attempt + 1)]
        raise self._failed(search.task, search.death)

    def _failed(self, task: Task, death: Death) -> RunFailed:
        where = f"{self._plan.stages[task.stage].describe(self._plan.labels)}, part {task.part}"
        if death.late:
            return RunFailed(
                f"a part does not come to an end ({death})",
                where=where,
                next="give parts more time ([engine] part_seconds), or make them smaller (part_rows); finished parts are kept",
            )
        return RunFailed(
            f"a worker died again and again ({death})",
            where=where,
            next="give workers more memory ([engine] worker_memory_mb), or smaller parts (part_rows); finished parts are kept",
        )


def usable_cores() -> int:
    """Return the number of cores that this process may use: of a machine, or of its share in a Slurm job."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
