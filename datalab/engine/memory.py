"""How much memory a part needs, estimated before the run, and how many rows of a part fit into what a worker may use.

Estimate: what a worker holds before it has read anything, and for each row of a part its bytes in Arrow memory (sampled) times what
steps, keys and writers hold beside them at the worst moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datalab.formats import read

if TYPE_CHECKING:
    from datalab.engine.plan import Input
    from datalab.model.step import Step

BASE_MB = 180
"""A worker with its libraries, before the first row."""
EXPANSION = 6
"""Peak over the Arrow bytes of a part. Measured 4.9 to 5.8 (docs/decisions/0026-physical-plan.md)."""
_MODELS = {"enrichment.language": 320, "cleaning.language": 320, "scrubbing.presidio": 800}
"""What loading the model of a step takes beside that, in MiB, by the name of the step."""
FEWEST_ROWS = 256
_SAMPLE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class RowBytes:
    """Average bytes per row in Arrow memory, by column, from the first rows of the first object."""

    columns: Mapping[str, float]

    def of(self, columns: Sequence[str]) -> float:
        """Return the bytes of one row of ``columns``, its identity included; a column that a step adds counts like an average one."""
        known = [self.columns[name] for name in columns if name in self.columns]
        average = sum(self.columns.values()) / max(len(self.columns), 1)
        return 12 + sum(known) + average * (len(columns) - len(known))


def sample_rows(inputs: Sequence[Input]) -> RowBytes:
    """Measure the first rows of the first object that has any."""
    for item in inputs:
        for chunk in read(item.object.path, item.options, batch_rows=_SAMPLE_ROWS):
            frame = chunk.frame
            if frame.height:
                return RowBytes({column.name: column.estimated_size() / frame.height for column in frame.get_columns()})
            break
    return RowBytes({})


def base_mb(steps: Sequence[Step]) -> int:
    """Return what a worker takes before the first row, in MiB: libraries, and the models of ``steps``."""
    return BASE_MB + sum(_MODELS.get(name, 0) for name in {step.name for step in steps})


def estimate_mb(rows: int, row_bytes: float, base: int = BASE_MB) -> int:
    """Return the memory that a worker needs for parts of ``rows`` rows, in MiB."""
    return base + int(EXPANSION * rows * row_bytes) // (1 << 20)


def fitting_rows(wanted: int, row_bytes: float, memory_mb: int, base: int = BASE_MB) -> int:
    """Return how many rows a part gets: ``wanted``, halved until a worker stays within ``memory_mb`` (0: no limit).

    Halved, so that a somewhat other limit or sample gives the same parts, and with them the same plan.
    """
    rows = wanted
    while memory_mb and rows // 2 >= FEWEST_ROWS and estimate_mb(rows, row_bytes, base) > memory_mb:
        rows //= 2
    return rows
