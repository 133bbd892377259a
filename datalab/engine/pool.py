"""The local engine: worker processes, one task each at a time, whose death is an expected event.

A worker that raises stops the run with its error. A worker that dies (native crash, killed, out of memory) costs its task an attempt;
after the last one the rows that kill it are found by halving and set apart, so that they and nothing else are quarantined.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Self

from datalab.engine.folder import RunFolder
from datalab.engine.parts import ordinals
from datalab.engine.plan import Plan, StageKind
from datalab.engine.task import Task, perform
from datalab.errors import DatalabError, RunFailed
from datalab.model.receipt import Receipt

MOST_CRASHES = 32
"""Rows of one part that may each kill a worker before the step is taken to be broken."""
_SURROUNDINGS = {
    **dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"),
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # gives back what a part needed; measured: a tenth less at the peak
}
"""One thread a worker, because there is a worker a core."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None


class Pool:
    """Worker processes for one run folder. Use it as a context manager; leaving it ends the workers."""

    def __init__(self, plan: Plan, folder: RunFolder, *, workers: int = 0, memory_mb: int = 0, attempts: int = 3) -> None:
        self.size = workers or os.process_cpu_count() if hasattr(os, "process_cpu_count") else workers or os.cpu_count() or 1
        self._plan = plan
        self._folder = folder
        self._memory_mb = memory_mb
        self._attempts = max(1, attempts)
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Work the tasks off and yield their receipts as they come; raise the first error of a worker."""
        waiting = deque(tasks)
        busy = 0
        while waiting or busy:
            while waiting and (worker := self._idle(len(waiting) + busy)):
                self._send(worker, waiting.popleft())
                busy += 1
            for worker in self._ready():
                task = worker.task
                assert task is not None
                answer = self._receive(worker)
                busy -= 1
                if isinstance(answer, Receipt):
                    yield answer
                elif isinstance(answer, DatalabError):
                    raise answer
                elif task.attempt < self._attempts:
                    waiting.appendleft(replace(task, attempt=task.attempt + 1))
                else:
                    waiting.appendleft(self._isolated(task, answer))

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            with contextlib.suppress(OSError, ValueError):
                worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def _idle(self, wanted: int) -> _Worker | None:
        for worker in self._workers:
            if worker.task is None:
                return worker
        if len(self._workers) < min(self.size, wanted):
            self._workers.append(_start(self._folder, self._memory_mb))
            return self._workers[-1]
        return None

    def _send(self, worker: _Worker, task: Task) -> None:
        worker.task = task
        with contextlib.suppress(OSError):  # a worker that died is noticed when its answer is awaited
            worker.pipe.send(task)

    def _ready(self) -> list[_Worker]:
        pipes = {id(worker.pipe): worker for worker in self._workers if worker.task is not None}
        return [pipes[id(pipe)] for pipe in wait([worker.pipe for worker in pipes.values()])]

    def _receive(self, worker: _Worker) -> Receipt | DatalabError | int:
        """Return the answer of a worker, or the exit code it died with."""
        worker.task = None
        try:
            answer: Receipt | DatalabError = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            worker.pipe.close()
            return worker.process.exitcode or 0
        return answer

    def _isolated(self, task: Task, exit_code: int) -> Task:
        """Return the task with the rows set apart that kill a worker; raise when it is not about rows."""
        if self._plan.stages[task.stage].kind != StageKind.MAP:
            raise _died(self._plan, task, exit_code)
        rows = ordinals(self._folder, task.detail)
        known = set(task.detail.get("poison", ()))
        crashing: list[int] = []
        ranges = [(0, len(rows))]
        while ranges:
            start, stop = ranges.pop()
            probe = replace(task, detail={**task.detail, "probe": [start, stop]}, attempt=1)
            answer = self._alone(probe)
            if isinstance(answer, DatalabError):
                raise answer
            if isinstance(answer, Receipt):
                continue
            if stop - start == 1:
                crashing.append(int(rows[start]))
                if len(crashing) > MOST_CRASHES:
                    raise _died(self._plan, task, exit_code)
            else:
                middle = (start + stop) // 2
                ranges += [(start, middle), (middle, stop)]
        if not set(crashing) - known:
            raise _died(self._plan, task, exit_code)
        return replace(task, detail={**task.detail, "poison": sorted(known | set(crashing))}, attempt=1)

    def _alone(self, task: Task) -> Receipt | DatalabError | int:
        worker = _start(self._folder, self._memory_mb)
        self._workers.append(worker)
        self._send(worker, task)
        answer = self._receive(worker)
        if worker in self._workers:
            self._workers.remove(worker)
            worker.pipe.close()
            worker.process.terminate()
            worker.process.join()
        return answer


def _start(folder: RunFolder, memory_mb: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, folder, memory_mb), daemon=True, name="datalab-worker")
    before = {name: os.environ.get(name) for name in _SURROUNDINGS}
    os.environ.update(_SURROUNDINGS)  # read once, when the child imports its libraries
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # or the child would run the caller's script again
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    theirs.close()
    return _Worker(process, ours)


def _serve(pipe: Connection, folder: RunFolder, memory_mb: int) -> None:
    """Be a worker: take tasks until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; parts end whole
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.umask(0o077)
    if memory_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    plan: Plan | None = None
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        answer: Receipt | DatalabError
        try:
            plan = plan or folder.load_plan()
            answer = _probe(plan, folder, task) if "probe" in task.detail else perform(plan, folder, task)
        except DatalabError as error:
            answer = error
        except MemoryError:
            os.abort()
        except BaseException as error:  # noqa: BLE001 - the parent must hear of everything
            answer = _unexpected(error)
        try:
            pipe.send(answer)
        except OSError:
            return
        pa.default_memory_pool().release_unused()  # what one part needed is not held while the next one is worked on


def _probe(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    from datalab.engine.mapping import map_part

    return map_part(plan, folder, task)


def _unexpected(error: BaseException) -> RunFailed:
    """Name an unexpected error by type and place; its text may quote the data and stays behind."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return RunFailed(f"a worker failed with {type(error).__name__}", where=place, next="run again; finished parts are kept")


def _died(plan: Plan, task: Task, exit_code: int) -> RunFailed:
    cause = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    return RunFailed(
        f"a worker died again and again ({cause})",
        where=f"{plan.stages[task.stage].describe(plan.labels)}, part {task.part}",
        next="give workers more memory ([engine] worker_memory_mb), or smaller parts (part_rows); finished parts are kept",
    )
