"""What runs inside a Beam worker: it takes a part descriptor and has a worker process of our own work it off.

The process between Beam and the part is the local engine's (`datalab.engine.pool`) with one worker: a part that crashes natively,
hangs or needs too much memory costs neither the Beam worker nor the job, and its rows are set apart the same way on every engine.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam

from datalab.engine.folder import RunFolder
from datalab.engine.pool import Pool
from datalab.engine.process import unexpected
from datalab.engine.task import Task
from datalab.errors import DatalabError


@dataclass(frozen=True, slots=True)
class Errand:
    """One Beam job. ``name`` is its folder in the run folder: there a failure is left, and there it is told to stop."""

    folder: RunFolder
    name: str
    memory_mb: int
    attempts: int
    part_seconds: float
    path: tuple[str, ...]
    """Where the caller finds modules; the steward's pipelines are among them."""

    @property
    def stop(self) -> Path:
        """Exists once parts that were not begun are to be left alone."""
        return self.folder.path(f"{self.name}/stop")

    @property
    def failure(self) -> Path:
        """Holds the error that a part failed with."""
        return self.folder.path(f"{self.name}/failure.pickle")

    def fail(self, error: DatalabError) -> None:
        """Leave an error for who waits for the job; of several the last one stays."""
        self.folder.write(f"{self.name}/failure.pickle", pickle.dumps(error))


def descriptor(task: Task) -> str:
    """Return a task as an element: JSON, file names and numbers."""
    return json.dumps({"stage": task.stage, "part": task.part, "detail": dict(task.detail)}, separators=(",", ":"))


class WorkParts(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Work off parts; put nothing out. What came of a part is its receipt or the errand's failure, on the shared filesystem."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._thread: ThreadPoolExecutor | None = None
        self._pool: Pool | None = None

    def process(self, element: str) -> Iterator[object]:
        """Work one part off, in a thread that stays: a worker process ends with the thread that started it."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "datalab-part")
        self._thread.submit(self._work, Task(**json.loads(element))).result()
        return iter(())

    def teardown(self) -> None:
        """End the worker process."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def _work(self, task: Task) -> None:
        errand = self._errand
        if errand.stop.exists() or errand.folder.others_receipt(task.stage, task.part):  # a runner may try again
            return
        try:
            if self._pool is None:
                sys.path += [place for place in errand.path if place not in sys.path]
                plan = errand.folder.load_plan()
                self._pool = Pool(
                    plan,
                    errand.folder,
                    workers=1,
                    memory_mb=errand.memory_mb,
                    attempts=errand.attempts,
                    part_seconds=errand.part_seconds,
                )
            for _receipt in self._pool.run([task]):
                pass
        except DatalabError as error:
            errand.fail(error)
        except Exception as error:  # noqa: BLE001 - Beam would quote its text in the logs of a cluster
            errand.fail(unexpected(error))
