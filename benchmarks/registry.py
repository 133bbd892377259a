"""Which comparisons there are: every module of every suite that has ``GOALS`` and ``measure``."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.row import Goal, Row

SUITES = ("connectors", "engine")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much work a comparison may do: ``quick`` is for trying it, its figures are not kept. ``say`` tells how far it is.

    ``files`` is how many of the corpus's six files to work on.
    """

    quick: bool
    pairs: int
    files: int
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One module: the rows it makes and the function that measures them. ``needs`` is empty, or ``peers``: their environment."""

    suite: str
    goals: tuple[Goal, ...]
    needs: str
    what: str
    measure: Callable[[Scale], Iterable[Row]]


def comparisons(suite: str) -> Iterator[Comparison]:
    """Yield the comparisons of a suite by module name."""
    folder = Path(__file__).parent / suite
    for found in sorted(pkgutil.iter_modules([str(folder)]), key=lambda one: one.name):
        module = importlib.import_module(f"benchmarks.{suite}.{found.name}")
        if hasattr(module, "GOALS"):
            yield Comparison(suite, module.GOALS, getattr(module, "NEEDS", ""), module.__doc__ or "", module.measure)


def everything() -> list[Comparison]:
    """Return the comparisons of all suites."""
    return [one for suite in SUITES for one in comparisons(suite)]


def chosen(names: Iterable[str], *, peers: bool) -> list[Comparison]:
    """Return the comparisons that make the rows ``names``; without names, all that need peers or all that do not."""
    found = everything()
    wanted = set(names)
    if not wanted:
        return [one for one in found if (one.needs == "peers") == peers]
    known = {goal.name for one in found for goal in one.goals}
    for name in sorted(wanted - known):
        close = difflib.get_close_matches(name, sorted(known), 1)
        raise SystemExit(f"there is no row {name!r}: " + (f"did you mean {close[0]}?" if close else ", ".join(sorted(known))))
    return [one for one in found if wanted & {goal.name for goal in one.goals}]
