"""A worker process: started clean, held to its limits, gone when its parent is gone."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType

from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.task import Task, perform
from datalab.errors import DatalabError, RunFailed
from datalab.model.receipt import Receipt

_PR_SET_PDEATHSIG = 1
_SURROUNDINGS = {
    **dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"),
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # gives back what a part needed; measured: a tenth less at the peak
    # numpy's passing arrays of a few MiB stay in the heap: asked from the system each time, hashing takes twice as long
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    # polars gives back soon; at once (its allocator's way with columns of 8 MiB and more), it asks for the same pages all the time
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:5000,muzzy_decay_ms:0,oversize_threshold:0",
}
"""One thread a worker, because there is a worker a core."""


def surroundings() -> dict[str, str]:
    """Return the environment variables that every worker process is started with, on any engine."""
    return dict(_SURROUNDINGS)


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker ended without an answer: its exit code (negative: a signal), or the limit in seconds that its part overran."""

    exit_code: int
    limit: float = 0.0

    @property
    def late(self) -> bool:
        """Whether it was ended because its part took too long."""
        return self.limit > 0

    def __str__(self) -> str:
        if self.late:
            return f"not done after {self.limit:.0f} s"
        return signal.Signals(-self.exit_code).name if self.exit_code < 0 else f"exit code {self.exit_code}"


@dataclass(slots=True)
class Worker:
    """A worker as its parent sees it: one task at a time."""

    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    limit: float = 0.0
    """Seconds that its task may take; 0 means no limit."""
    since: float = 0.0

    def send(self, task: Task, limit: float) -> None:
        """Give it a task."""
        self.task, self.limit, self.since = task, limit, time.monotonic()
        with contextlib.suppress(OSError):  # a worker that died is noticed when its answer is awaited
            self.pipe.send(task)

    @property
    def left(self) -> float | None:
        """Seconds until its task is late, None when it may take any time."""
        return max(0.0, self.since + self.limit - time.monotonic()) if self.limit else None

    def receive(self) -> Receipt | DatalabError | Death:
        """Return its answer; end it when it is late."""
        limit, late = self.limit, self.left == 0.0 and not self.pipe.poll()
        self.task, self.limit = None, 0.0
        if late:
            self.end()
            return Death(-signal.SIGKILL, limit)
        try:
            answer: Receipt | DatalabError = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.pipe.close()
            return Death(self.process.exitcode or 0)
        return answer

    def end(self) -> None:
        """End it at once: what it was writing is under a temporary name."""
        with contextlib.suppress(OSError, ValueError):
            self.pipe.close()
        self.process.kill()
        self.process.join()


_STARTING = threading.Lock()
"""Held while the process's environment and main module are not its own: a Beam worker starts workers from several threads."""


def start_worker(folder: RunFolder, memory_mb: int, path: tuple[str, ...] = ()) -> Worker:
    """Start a worker for the plan in ``folder``; ``memory_mb`` limits its data segment (0: no limit), ``path`` is looked through first for modules."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, folder, memory_mb, os.getpid(), path), daemon=True, name="datalab-worker"
    )
    with _STARTING:
        before = {name: os.environ.get(name) for name in _SURROUNDINGS}
        os.environ.update(_SURROUNDINGS)  # read once, when the child imports its libraries
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")  # or the child would run the caller's script again
        held = signal.pthread_sigmask(
            signal.SIG_BLOCK, {signal.SIGINT}
        )  # inherited: Ctrl-C must not meet a child that is not ready
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            sys.modules["__main__"] = main
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    theirs.close()
    return Worker(process, ours)


def _serve(pipe: Connection, folder: RunFolder, memory_mb: int, parent: int, path: tuple[str, ...]) -> None:
    """Be a worker: take tasks until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent)
    os.umask(0o077)
    sys.path[:0] = path
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold rows
    if memory_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    plan: Plan | None = None
    stage = -1
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        # What one pass needed is not held in the next. Between the parts of a pass it would be asked for again at once.
        if task.stage != stage:
            pa.default_memory_pool().release_unused()
            stage = task.stage
        answer: Receipt | DatalabError
        try:
            plan = plan or folder.load_plan()
            answer = perform(plan, folder, task)
        except DatalabError as error:
            answer = error
        except BaseException as error:  # noqa: BLE001 - the parent must hear of everything
            if _starved(error):
                os.abort()  # native code does the same; nothing can be trusted to go on from here
            answer = unexpected(error)
        try:
            pipe.send(answer)
        except OSError:
            return


def _starved(error: BaseException) -> bool:
    """Whether an error says that memory ran out: as Python, the system or the loader of a library says it."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, ImportError):
        return any(words in str(error) for words in ("allocate memory", "failed to map segment"))
    return isinstance(error, MemoryError)


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, also in the middle of native code (Linux; elsewhere the pipe tells)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def unexpected(error: BaseException) -> RunFailed:
    """Name an unexpected error by type and place; its text may quote the data and stays behind."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return RunFailed(f"a worker failed with {type(error).__name__}", where=place, next="run again; finished parts are kept")
