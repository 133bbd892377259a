"""What a part costs more on Beam's runners than on the local engine, once everything has started.

The text chain without near-duplicates over one file and over many (each file of the corpus under several names), on each engine with one worker: what the larger run takes more
than the smaller one is the cost of its additional parts. CPU seconds of all processes count, those of Flink (JobManager, TaskManager, Beam's
job server) too; their start is in both runs and falls out.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import figure
from benchmarks.measure import ROOT, Command, Measured, measured
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (
    Goal("mp-vs-local", "CPU of a further part on Beam's FnApiRunner with worker processes, against local", "lower", 1.4, 1.2),
    Goal("flink-vs-local", "CPU of a further part on Flink behind Beam, against the local engine", "lower", 1.4, 1.2),
)
JARS = Path(os.environ.get("DATALAB_FLINK", ROOT / ".cache" / "flink"))
PART_ROWS = 1_024
COPIES = 5
_CHAIN = ("normalise", "language", "quality", "patterns")
_ENGINES = {"mp-vs-local": "multi_processing", "flink-vs-local": "flink"}


def measure(scale: Scale) -> Iterator[Row]:
    """Run all engines by turns over both sizes; Flink only where its jars and Java are."""
    from benchmarks.corpus import corpus
    from benchmarks.textchain import PACKAGES
    from datalab.engine.beam.flink import missing

    data = corpus(max(2, scale.files))
    small, large = list(data.files[:1]), list(data.files) * (1 if scale.quick else COPIES)
    lacking = missing(JARS)
    if lacking:
        scale.say(f"flink-vs-local is left out: {lacking}")
    engines = ["local", *(engine for engine in _ENGINES.values() if engine != "flink" or not lacking)]
    more: dict[str, list[float]] = {engine: [] for engine in engines}
    for turn in range(scale.pairs):
        for engine in engines if turn % 2 == 0 else reversed(engines):
            less, all_ = (_run(engine, files) for files in (small, large))
            more[engine].append(all_.cpu - less.cpu)
            scale.say(f"turn {turn + 1} of {scale.pairs}, {engine}: {less.cpu:.2f} and {all_.cpu:.2f} CPU s")
    rows = data.as_data()["rows"]
    parts = (len(large) - len(small)) * -(-rows // len(data.files) // PART_ROWS)
    for goal in GOALS:
        engine = _ENGINES[goal.name]
        if engine not in more:
            continue
        ratio = statistics.median(a / b for a, b in zip(more[engine], more["local"], strict=True))
        yield figure(
            goal,
            ours=1000 * statistics.median(more[engine]) / parts,
            theirs=1000 * statistics.median(more["local"]) / parts,
            ratio=ratio,
            unit="CPU ms a part",
            data={**data.as_data(), "parts": f"{parts} more than in the smaller run", "copies": len(large) // len(data.files)},
            packages=(*PACKAGES, "apache-beam"),
            note="one worker on each side; what is before and after the parts grows with the rows on both sides",
            more={"turns": [[round(a, 2), round(b, 2)] for a, b in zip(more[engine], more["local"], strict=True)]},
        )


def _run(engine: str, files: Sequence[Path]) -> Measured:
    return measured(Command("benchmarks.engine.on_beam:work", {"engine": engine, "files": [str(path) for path in files]}))


def work(engine: str, files: Sequence[str]) -> dict[str, Any]:
    """Run the chain on one engine, in the process that is measured; what it starts is ended and so counted."""
    from datalab.engine.beam.flink import Flink

    if engine == "local":
        return _chain(files, "local", {})
    if engine == "multi_processing":
        return _chain(files, "fnapi", {"direct_running_mode": engine, "direct_num_workers": "1"})
    with tempfile.TemporaryDirectory(prefix="datalab-bench-") as state, Flink(JARS, Path(state), slots=1) as cluster:
        return _chain(files, "flink", {"job_endpoint": cluster.job_endpoint, "parallelism": "1"})


def _chain(files: Sequence[str], runner: str, options: Mapping[str, str]) -> dict[str, Any]:
    from benchmarks.textchain import run
    from benchmarks.workplace import CACHE
    from datalab.engine.engines import Engine

    engine = Engine() if runner == "local" else Engine("beam", runner, options)
    with tempfile.TemporaryDirectory(prefix="copies-", dir=CACHE) as folder:
        copies = [Path(folder, f"{number:03d}-{Path(path).name}") for number, path in enumerate(files)]
        for path, copy in zip(files, copies, strict=True):
            copy.hardlink_to(path)
        return run([str(copy) for copy in copies], _CHAIN, part_rows=PART_ROWS, engine=engine)
