"""The figures: one `Row` per comparison, kept in ``results/<suite>.json``, merged by name and sorted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

RESULTS = Path(__file__).parent / "results"
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a comparison promises. ``better`` is said of the ratio; without ``floor`` the row is reported, not gated."""

    name: str
    what: str
    better: Better
    floor: float | None = None
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison, measured. ``ours`` and ``theirs`` are in ``unit``; ``note`` says where the two sides differ in meaning.

    ``more`` holds what else was measured: wall seconds, peak memory, single pairs. No path, host or user name belongs in a row.
    """

    name: str
    what: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    better: Better
    floor: float | None
    goal: float | None
    versions: Mapping[str, str]
    data: Mapping[str, Any]
    machine: Mapping[str, Any]
    note: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the ratio is not on the wrong side of the floor."""
        return self.floor is None or self._reaches(self.floor)

    @property
    def verdict(self) -> str:
        """Return ``goal``, ``floor``, ``below`` or, where nothing is promised, ``reported``."""
        if self.floor is None:
            return "reported"
        if not self.holds:
            return "below"
        return "goal" if self.goal is not None and self._reaches(self.goal) else "floor"

    def _reaches(self, mark: float) -> bool:
        return self.ratio >= mark if self.better == "higher" else self.ratio <= mark


def read_rows(suite: str) -> list[Row]:
    """Return the rows of a suite by name; none where nothing was measured yet."""
    path = RESULTS / f"{suite}.json"
    if not path.is_file():
        return []
    return sorted((Row(**one) for one in json.loads(path.read_text(encoding="utf-8"))["rows"]), key=lambda row: row.name)


def merge_rows(suite: str, rows: Iterable[Row]) -> None:
    """Put ``rows`` in the place of those with the same name, leave the others as they are."""
    merged = {row.name: row for row in [*read_rows(suite), *rows]}
    text = json.dumps({"rows": [asdict(merged[name]) for name in sorted(merged)]}, ensure_ascii=False, indent=1)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{suite}.json"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def rounded(value: float) -> float:
    """Return ``value`` with four significant digits: more would claim what a shared machine cannot measure."""
    return float(f"{value:.4g}")


def machine() -> dict[str, Any]:
    """Describe the machine by what decides speed, and by nothing that names it."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(("model name", "CPU part")):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory / 2**30)}
