"""What a second worker process brings: the wall clock of the whole chain with two workers against one.

Reported and not gated: the cores of the machine are shared, and what is before and after the parts (landing, planning, the last
exchange, the report) is done once, by one process.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare import compared
from benchmarks.measure import Command, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("workers-2-vs-1", "Wall clock of the text chain with one worker, divided by that with two", "higher"),)


def measure(scale: Scale) -> Iterator[Row]:
    """Run the same chain by turns with two workers and with one."""
    from benchmarks.corpus import corpus
    from benchmarks.textchain import PACKAGES

    data = corpus(1 if scale.quick else 4)
    files = [str(path) for path in data.files]
    pairs = run_pairs(
        Command("benchmarks.textchain:run", {"files": files, "workers": 2, "part_rows": 4_096}),
        Command("benchmarks.textchain:run", {"files": files, "workers": 1, "part_rows": 4_096}),
        scale.pairs,
        scale.say,
    )
    yield compared(
        GOALS[0],
        pairs,
        unit="wall s",
        what=lambda one: one.wall,
        data=data.as_data(),
        packages=PACKAGES,
        note="wall clock on shared cores; start, landing, planning, gate and report count on both sides",
    )
