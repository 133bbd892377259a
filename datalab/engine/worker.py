"""What every worker measures of itself: time, memory, and which step took how much of them."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datalab.model.receipt import Receipt

if TYPE_CHECKING:
    import polars as pl

READ, WRITE = "read", "write"
"""What a pass does beside its steps, in the costs of a receipt."""


class Costs(dict[str, dict[str, int]]):
    """Processor time by step label (`Receipt.costs`). Measuring one step takes some microseconds, whatever the batch holds."""

    @contextlib.contextmanager
    def of(self, label: str, frame: pl.DataFrame | None = None) -> Iterator[None]:
        """Count what happens inside as the cost of ``label``, for the rows and bytes of ``frame``."""
        mine = self.setdefault(label, {"rows": 0, "bytes": 0, "microseconds": 0})
        if frame is not None:
            mine["rows"] += frame.height
            mine["bytes"] += int(frame.estimated_size())
        started = time.process_time_ns()
        try:
            yield
        finally:
            mine["microseconds"] += (time.process_time_ns() - started) // 1000


def measured(receipt: Receipt, started: float, costs: Costs | None = None) -> Receipt:
    """Add time since ``started`` (perf_counter), the process's peak memory and the costs by step to a receipt."""
    milliseconds = int((time.perf_counter() - started) * 1000)
    return dataclasses.replace(receipt, milliseconds=milliseconds, peak_bytes=peak_memory(), costs=costs or {})


def peak_memory() -> int:
    """Return the most memory that this process ever held, in bytes.

    Linux tells it of the process itself; what ``getrusage`` tells begins with the peak of the process that started this one.
    """
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
