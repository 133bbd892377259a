"""What Beam sends and runs: a part descriptor, and the function that has it worked off."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam

from datalab.engine.beam.hands import Terms, hand
from datalab.engine.folder import RunFolder
from datalab.engine.process import unexpected
from datalab.engine.task import Task
from datalab.errors import DatalabError


@dataclass(frozen=True, slots=True)
class Errand:
    """One Beam job. ``name`` is its folder in the run folder: there a failure is left, and there it is told to stop."""

    name: str
    terms: Terms

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return self.terms.folder

    @property
    def stopped(self) -> Path:
        """Exists once parts that were not begun are to be left alone."""
        return self.folder.path(f"{self.name}/stop")

    @property
    def failure(self) -> Path:
        """Holds the error that a part failed with."""
        return self.folder.path(f"{self.name}/failure.pickle")

    def stop(self) -> None:
        """Have the parts that were not begun left alone."""
        self.folder.write(f"{self.name}/stop", b"")

    def fail(self, error: DatalabError) -> None:
        """Leave an error for who waits for the job; of several the last one stays."""
        self.folder.write(f"{self.name}/failure.pickle", pickle.dumps(error))

    def work(self, task: Task) -> None:
        """Work one part off: to its receipt, or to the errand's failure. Never raises for a part: Beam would log what it says."""
        if self.stopped.exists() or self.folder.others_receipt(task.stage, task.part):  # a runner may try again
            return
        try:
            with hand(self.terms) as one:
                one.work(task)
        except DatalabError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(unexpected(error))


def descriptor(task: Task) -> str:
    """Return a task as an element: JSON, file names and numbers."""
    return json.dumps({"stage": task.stage, "part": task.part, "detail": dict(task.detail)}, separators=(",", ":"))


class WorkParts(beam.DoFn):
    """Work off parts; put nothing out. What came of a part stands on the shared filesystem."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand

    def process(self, element: str) -> Iterator[object]:
        """Work one part off."""
        self._errand.work(Task(**json.loads(element)))
        return iter(())
