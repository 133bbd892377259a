"""The driver's side of Beam: a job for each stage, watched through the receipts that its parts leave."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from datalab.engine.beam.hands import Terms, dismiss
from datalab.engine.beam.runners import find_runner
from datalab.engine.beam.worker_pool import WorkerPool
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan
from datalab.engine.pool import usable_cores
from datalab.engine.task import Task
from datalab.errors import DatalabError, MissingExtra, RunFailed
from datalab.model.receipt import Receipt
from datalab.model.settings import Settings

_PAUSE = 0.2
"""Seconds between two looks at the receipts."""
_PATIENCE = 5.0
"""Seconds that a network filesystem is given to show the receipts of a job that is done."""
_FOLDER = "beam"


class BeamWorkers:
    """Workers that a Beam runner schedules. Use it as a context manager; leaving it ends what it started.

    ``runner`` is one of `datalab.engine.beam.runners.RUNNERS`, ``options`` are Beam's. Without the option
    ``environment_config`` (the address of the worker pools that a cluster's machines run) a worker pool is started here.
    """

    def __init__(
        self, plan: Plan, folder: RunFolder, settings: Settings, *, runner: str, options: Mapping[str, str] | None = None
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._settings = settings
        self._runner = find_runner(runner)
        self._options = dict(options or {})
        self._runner.check(self._options)
        self._pool: WorkerPool | None = None
        self._terms = Terms(
            folder=folder,
            stages=plan.stages,
            labels=plan.labels,
            memory_mb=settings.worker_memory_mb,
            attempts=settings.attempts,
            part_seconds=settings.part_seconds,
            path=_own_path(),
        )

    def __enter__(self) -> Self:
        _open_beam()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder.path(_FOLDER))
        if self._runner.pool and "environment_config" not in self._options:
            self._pool = WorkerPool().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.__exit__(*error)
        dismiss(self._folder.root)

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Work the tasks of one stage off and yield their receipts as they appear; raise the error of a part that failed.

        A job that ends without all receipts (a machine was lost) is followed by another one for the rest.
        """
        missing = {task.part: task for task in tasks}
        failed = ""
        for _ in range(max(1, self._settings.attempts)):
            if not missing:
                return
            failed = yield from self._try(missing)
        if missing:
            stage = self._plan.stages[tasks[0].stage].describe(self._plan.labels)
            raise RunFailed(
                f"Beam left {len(missing)} of {len(tasks)} parts undone" + (f": {failed}" if failed else ""),
                where=f"{stage}, runner {self._runner.name}",
                next="look at the logs of the runner and its workers, then run again: finished parts are kept",
            )

    def _try(self, missing: dict[int, Task]) -> Generator[Receipt, None, str]:
        """Run one job for what is missing; return how it failed, "" when it did not."""
        from datalab.engine.beam.parts import Errand

        errand = Errand(f"{_FOLDER}/{secrets.token_hex(6)}", self._terms)
        job = _Job(self._arguments(next(iter(missing.values()))), errand, list(missing.values()))
        job.start()
        try:
            while not job.over(_PAUSE):
                yield from self._arrived(missing)
                _raise_left(errand)
            patience = time.monotonic() + (0 if job.failed else _PATIENCE)
            yield from self._arrived(missing)
            _raise_left(errand)
            while missing and time.monotonic() < patience:
                time.sleep(_PAUSE)
                yield from self._arrived(missing)
        finally:
            errand.stop()
            job.end()
        return job.failed

    def _arguments(self, task: Task) -> list[str]:
        stage = self._plan.stages[task.stage]
        pool = self._pool.address if self._pool else ""
        arguments = self._runner.arguments(self._options, workers=self._settings.workers or usable_cores(), pool=pool)
        name = f"datalab-{self._plan.pipeline.name}-{stage.number}-{stage.kind}".replace("_", "-")
        return [*arguments, f"--job_name={name}"]

    def _arrived(self, missing: dict[int, Task]) -> Iterator[Receipt]:
        """Yield the receipts that appeared since the last look."""
        for part in self._seen(next(iter(missing.values())).stage if missing else 0):
            if part in missing and (receipt := self._folder.others_receipt(missing[part].stage, part)):
                del missing[part]
                yield receipt

    def _seen(self, stage: int) -> list[int]:
        """Return the parts of a stage whose receipt is listed: one call, however many parts there are."""
        try:
            names = os.listdir(self._folder.receipt_path(stage, 0).parent)  # noqa: PTH208 - names alone are wanted
        except FileNotFoundError:
            return []
        return sorted(int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdecimal())


class _Job:
    """One Beam pipeline, in a thread: some runners return at once, others when all is done. ``failed`` says how, "" for well."""

    def __init__(self, arguments: list[str], errand: Any, tasks: list[Task]) -> None:
        self.failed = ""
        self._done = threading.Event()
        self._harnesses: set[int] = set()
        self._arguments = arguments
        self._errand = errand
        self._tasks = tasks
        self._result: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="datalab-beam-job")

    def start(self) -> None:
        self._thread.start()

    def over(self, seconds: float) -> bool:
        """Wait so long for its end; return whether it came."""
        if self._done.wait(seconds):
            return True
        alive = _harnesses()
        gone, self._harnesses = self._harnesses - alive, alive
        if not gone or self._done.wait(_PATIENCE):
            return self._done.is_set()
        self.failed = "one of Beam's worker processes died"  # and Beam's own runner would wait for it for ever
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return True

    def end(self) -> None:
        """Cancel it if it still runs; parts that are being worked on may come to their end."""
        if self.failed:
            return
        if not self._done.is_set() and self._result is not None:
            with contextlib.suppress(Exception):
                self._result.cancel()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions

        from datalab.engine.beam.parts import WorkParts, descriptor

        beam: Any = apache_beam  # half of it is typed

        try:
            pipeline = beam.Pipeline(options=PipelineOptions(self._arguments))
            _ = (
                pipeline
                | "parts" >> beam.Create([descriptor(task) for task in self._tasks], reshuffle=False)
                | "spread" >> beam.Reshuffle()
                | "work" >> beam.ParDo(WorkParts(self._errand))
            )
            self._result = pipeline.run()
            state = self._result.wait_until_finish()
            self.failed = "" if state == "DONE" else f"the job ended as {state}"
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread that waits must hear of it
            self.failed = f"{type(error).__name__}: {_first_line(error)}"
        finally:
            self._done.set()


def _own_path() -> tuple[str, ...]:
    """Return where modules are found here beside Python's own: the steward's pipelines are among them."""
    places = [str(Path(place or ".").resolve()) for place in sys.path]
    return tuple(place for place in places if not place.startswith((sys.prefix, sys.base_prefix)))


def _harnesses() -> set[int]:
    """Return the process ids of the workers that Beam's own runner started here (its mode multi_processing)."""
    found = set()
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in children.read_text().split() if _is_harness(pid)}
    return found


def _is_harness(pid: str) -> bool:
    try:
        return b"sdk_worker_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _open_beam() -> None:
    """Import Beam, without the notes that it logs about cloud libraries that are not there."""
    root = logging.getLogger()
    quiet = root.manager.disable
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
    except ImportError:
        raise MissingExtra.needed("beam", "the Beam engine") from None
    finally:
        logging.disable(quiet)


def _raise_left(errand: Any) -> None:
    """Raise the error that a part left behind."""
    try:
        data = errand.failure.read_bytes()
    except FileNotFoundError:
        return
    error: DatalabError = pickle.loads(data)  # noqa: S301 - our own file in a 0700 folder
    raise error


def _first_line(error: BaseException) -> str:
    """Return the first line of an error of Beam's own: parts never raise, so it holds no value from the data."""
    return next(iter(str(error).strip().splitlines()), "")[:300]
