"""From measured pairs to a row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.measure import Measured, Pairs
from benchmarks.row import Goal, Row, machine, rounded


def compared(
    goal: Goal,
    pairs: Pairs,
    *,
    data: Mapping[str, Any],
    packages: Sequence[str] = (),
    versions: Mapping[str, str] | None = None,
    note: str = "",
    unit: str = "CPU s",
    what: Callable[[Measured], float] = lambda one: one.cpu,
    more: Mapping[str, Any] | None = None,
) -> Row:
    """Return the row of ``pairs``: the ratio is theirs / ours where higher is better, ours / theirs where lower is."""
    ratio = pairs.ratio(what)
    return Row(
        name=goal.name,
        what=goal.what,
        unit=unit,
        ours=rounded(pairs.median("ours", what)),
        theirs=rounded(pairs.median("theirs", what)),
        ratio=rounded(ratio if goal.better == "higher" else 1 / ratio),
        better=goal.better,
        floor=goal.floor,
        goal=goal.goal,
        versions={"python": sys.version.split()[0], **installed(packages), **(versions or {})},
        data=dict(data),
        machine=machine(),
        note=note,
        more={**pairs.as_json(), **(more or {})},
    )


def figure(
    goal: Goal,
    *,
    ours: float,
    theirs: float,
    ratio: float,
    unit: str,
    data: Mapping[str, Any],
    packages: Sequence[str] = (),
    note: str = "",
    more: Mapping[str, Any] | None = None,
) -> Row:
    """Return a row whose ratio is not one of CPU seconds: recall, memory, growth."""
    return Row(
        name=goal.name,
        what=goal.what,
        unit=unit,
        ours=rounded(ours),
        theirs=rounded(theirs),
        ratio=rounded(ratio),
        better=goal.better,
        floor=goal.floor,
        goal=goal.goal,
        versions={"python": sys.version.split()[0], **installed(packages)},
        data=dict(data),
        machine=machine(),
        note=note,
        more=dict(more or {}),
    )


def installed(packages: Sequence[str], python: str = sys.executable) -> dict[str, str]:
    """Return the versions of ``packages`` in this environment, or in that of another ``python``."""
    if python != sys.executable:
        asked = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
        done = subprocess.run([python, "-c", asked, *packages], check=True, capture_output=True, text=True)
        return dict(zip(packages, done.stdout.split(), strict=True))
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
