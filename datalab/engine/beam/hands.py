"""Worker processes of our own inside a Beam worker: as many as Beam asks for at once, kept from one job to the next.

Each is the local engine (`datalab.engine.pool`) with one process: a part that crashes natively, hangs or needs too much memory
costs neither the Beam worker nor its job, and its rows are set apart the same way on every engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datalab.engine.folder import RunFolder
from datalab.engine.plan import Stage
from datalab.engine.pool import Pool
from datalab.engine.task import Task

_KEPT_SECONDS = 60.0
"""How long an idle worker process is kept for the next job."""
_LOCK = threading.Lock()
_IDLE: list[Hand] = []
_WATCHES: list[threading.Timer] = []


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker process is started with, as in `datalab.engine.pool.Pool`.

    Plain values: nothing of a plan, its steps and their modules is loaded into a Beam worker, which other plans use too.
    """

    folder: RunFolder
    stages: tuple[Stage, ...]
    labels: tuple[str, ...]
    memory_mb: int
    attempts: int
    part_seconds: float
    path: tuple[str, ...]


class Hand:
    """One worker process, led by a thread of its own: a worker process ends with the thread that started it."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.since = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "datalab-hand")
        self._pool = Pool(
            terms,
            terms.folder,
            workers=1,
            memory_mb=terms.memory_mb,
            attempts=terms.attempts,
            part_seconds=terms.part_seconds,
            path=terms.path,
        )

    def work(self, task: Task) -> None:
        """Work one part off, to its receipt; raise the error of a part that fails."""
        self._thread.submit(lambda: list(self._pool.run([task]))).result()

    def close(self) -> None:
        """End the process."""
        self._thread.submit(self._pool.close).result()
        self._thread.shutdown()


@contextmanager
def hand(terms: Terms) -> Iterator[Hand]:
    """Lend a worker process on these terms; start one when none is idle."""
    dismiss(idle=_KEPT_SECONDS)
    with _LOCK:
        found = next((one for one in _IDLE if one.terms == terms), None)
        if found:
            _IDLE.remove(found)
    taken = found or Hand(terms)
    try:
        yield taken
    except BaseException:
        taken.close()
        raise
    taken.since = time.monotonic()
    with _LOCK:
        _IDLE.append(taken)
    _watch()


def dismiss(root: Path | None = None, *, idle: float = 0.0) -> None:
    """End the worker processes that are idle for ``idle`` seconds: those for the run folder ``root``, or all."""
    now = time.monotonic()
    with _LOCK:
        ended = [one for one in _IDLE if root in (None, one.terms.folder.root) and now - one.since >= idle]
        _IDLE[:] = [one for one in _IDLE if one not in ended]
    for one in ended:
        one.close()


def _watch() -> None:
    """See to it, in one thread, that idle processes end although no job comes any more."""
    with _LOCK:
        if _WATCHES or not _IDLE:
            return
        timer = threading.Timer(_KEPT_SECONDS + 1, _look)
        timer.daemon = True
        _WATCHES.append(timer)
    timer.start()


def _look() -> None:
    with _LOCK:
        _WATCHES.clear()
    dismiss(idle=_KEPT_SECONDS)
    _watch()
