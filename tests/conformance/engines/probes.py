"""Small functions for Beam pipelines, in a module that its workers can import; they report by files, as our parts do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam


class Notes(beam.DoFn):
    """Append a line for each element to one file: what was worked, by whom, from when to when."""

    def __init__(self, path: str, seconds: float = 0.0, output: int = 0) -> None:
        self._path, self._seconds, self._output = path, seconds, output

    def process(self, element: str) -> Iterator[object]:
        start = time.time()
        time.sleep(self._seconds)
        sys.stdout.write("x" * self._output)
        sys.stderr.write("y" * self._output)
        note(self._path, f"{element[:12]} {len(element)} {start} {time.time()}")
        return iter(())


class Fails(beam.DoFn):
    """Raise for one element: always, or only the first time."""

    def __init__(self, path: str, bad: str, *, once: bool) -> None:
        self._path, self._bad, self._once = path, bad, once

    def process(self, element: str) -> Iterator[object]:
        marker = Path(self._path + ".failed")
        if element == self._bad and not (self._once and marker.exists()):
            marker.touch()
            msg = "probe: this element fails"
            raise ValueError(msg)
        note(self._path, element)
        return iter(())


def note(path: str, line: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{line}\n".encode())  # one write to a file opened for appending: lines do not mix
    os.close(handle)
