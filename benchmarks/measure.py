"""Measure child processes in pairs, ours and theirs by turns: CPU seconds, wall seconds, peak memory of the whole tree.

CPU seconds are user + system of the process and of all it waited for, start of the interpreter and imports included, as the
kernel reports them when the process ends. They hardly suffer from what else the machine does; the wall clock does. Peak memory is
the largest sum of the proportional set sizes (PSS) of the tree, looked at twice a second: the kernel walks all pages for it, and who is
looked at waits (twenty looks a second cost a process that maps files a twentieth of its CPU seconds). The largest single process is
known from the kernel's own high-water mark (not from ``ru_maxrss``: that begins with what the parent had when it forked).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any, Self

from benchmarks.workplace import CACHE, PLACE

ROOT = Path(__file__).parents[1]
ONE_THREAD = dict.fromkeys(
    ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
"""Both sides work with one thread, so that CPU seconds compare work and not waiting."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
_MISLEADING = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")
_LOOK_EVERY = 0.05
_SUM_EVERY = 0.5
_SHARE = 0.02
"""Of a core, for looking: where a look takes longer (a large process, a busy machine), looks become rarer."""


class Unable(Exception):
    """A comparison cannot run here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A child to be measured: ``function`` is ``package.module:name``, called with ``arguments``; what it returns is JSON."""

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a child. ``cpu`` and ``wall`` in seconds, ``peak`` (of the tree) and ``largest`` (of one process) in bytes.

    ``result`` is what the function returned.
    """

    cpu: float
    wall: float
    peak: int
    largest: int
    result: Any


@dataclass(frozen=True, slots=True)
class Pairs:
    """Runs of two children by turns. Ratios are of each pair, then the median of them."""

    ours: tuple[Measured, ...]
    theirs: tuple[Measured, ...]

    def median(self, side: str, what: Callable[[Measured], float] = lambda one: one.cpu) -> float:
        """Return the median of ``what`` (CPU seconds) over the runs of ``ours`` or ``theirs``."""
        return statistics.median(what(one) for one in getattr(self, side))

    def ratio(self, what: Callable[[Measured], float] = lambda one: one.cpu) -> float:
        """Return the median over the pairs of theirs / ours: how many times ours is better when less is better."""
        return statistics.median(what(b) / what(a) for a, b in zip(self.ours, self.theirs, strict=True))

    def as_json(self) -> dict[str, Any]:
        """Return what a row keeps beside its figures."""
        return {
            "pairs": [[round(a.cpu, 2), round(b.cpu, 2)] for a, b in zip(self.ours, self.theirs, strict=True)],
            **{
                f"{side}_{name}": round(self.median(side, what), 1)
                for side in ("ours", "theirs")
                for name, what in (("wall_s", lambda one: one.wall), ("peak_mib", lambda one: one.peak / 2**20))
            },
        }


def run_pairs(ours: Command, theirs: Command, times: int, say: Callable[[str], None] = lambda _: None) -> Pairs:
    """Run both ``times`` times, by turns, beginning with the other one each time."""
    found: dict[str, list[Measured]] = {"ours": [], "theirs": []}
    sides = [("ours", ours), ("theirs", theirs)]
    for turn in range(times):
        for side, command in sides if turn % 2 == 0 else reversed(sides):
            found[side].append(measured(command))
            one = found[side][-1]
            say(f"pair {turn + 1} of {times}, {side}: {one.cpu:.2f} CPU s, {one.wall:.1f} s, peak {one.peak / 2**20:.0f} MiB")
    return Pairs(tuple(found["ours"]), tuple(found["theirs"]))


def measured(command: Command) -> Measured:
    """Run one child to its end; raise ``Unable`` with the end of its output when it fails."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as folder:
        answer = Path(folder, "answer.json")
        words = [command.python, "-m", "benchmarks.child", command.function, json.dumps(dict(command.arguments)), str(answer)]
        with Path(folder, "output").open("w+b") as output:
            began = perf_counter()
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**surroundings(command), PLACE: folder},
            )
            with _Watch(process.pid) as watch:
                _, status, usage = os.wait4(process.pid, 0)
            wall = perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                output.seek(0)
                end = output.read().decode(errors="replace").splitlines()[-12:]
                raise Unable(f"{command.function} ended with {process.returncode}:\n  " + "\n  ".join(end))
        result = json.loads(answer.read_text(encoding="utf-8"))
    return Measured(usage.ru_utime + usage.ru_stime, wall, watch.peak, watch.largest, result)


def surroundings(command: Command) -> dict[str, str]:
    """Return the environment of a child: one thread, no network for models, this checkout on the path."""
    kept = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    path = os.pathsep.join(str(ROOT / part) for part in (".", "connectors"))
    return {**kept, **ONE_THREAD, **OFFLINE, "PYTHONPATH": path, **command.environment}


class _Watch(threading.Thread):
    """Look at the memory of a process and all its descendants until left."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.largest, self._done = pid, 0, 0, threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        pause, summed = _LOOK_EVERY, 0.0
        while not self._done.wait(pause):
            began = thread_time()
            pids = _tree(self.pid)
            if (now := perf_counter()) - summed >= _SUM_EVERY:
                self.peak, summed = max(self.peak, sum(_kibibytes(pid, "smaps_rollup", "Pss:") for pid in pids)), now
            self.largest = max(self.largest, *(_kibibytes(pid, "status", "VmHWM:") for pid in pids))
            pause = max(_LOOK_EVERY, (thread_time() - began) / _SHARE)


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in _task_children(one):
            waiting += children
    return found


def _task_children(pid: int) -> Sequence[list[int]]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [[int(word) for word in (task / "children").read_text().split()] for task in tasks]
    except (OSError, ValueError):
        return []


def _kibibytes(pid: int, name: str, field: str) -> int:
    """Return a field of a process as bytes; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)
