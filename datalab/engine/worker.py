"""What every worker measures of itself."""

from __future__ import annotations

import dataclasses
import resource
import time

from datalab.model.receipt import Receipt


def measured(receipt: Receipt, started: float) -> Receipt:
    """Add time since ``started`` (perf_counter) and the process's peak memory to a receipt."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return dataclasses.replace(receipt, milliseconds=int((time.perf_counter() - started) * 1000), peak_bytes=peak)
