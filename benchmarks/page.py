"""``docs/benchmarks.md`` and the table in the terminal, both made from the results."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.registry import SUITES, comparisons
from benchmarks.row import Row, read_rows

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_HEAD = """\
# Benchmarks

Made from `benchmarks/results/*.json` by `python -m benchmarks --page`: every figure here was measured by the code beside it.

Ours and theirs run by turns in one go on one machine, as processes of their own, with one thread each. Seconds are CPU seconds (user +
system, children, start of the interpreter and imports included); a ratio is taken within each pair, and the median of the pairs is shown.
Other work on the machine hardly moves CPU seconds, but it does move them: read ratios, not seconds.

To repeat:

```text
make bench                              all rows that need nothing but this repository
make bench-peers                        the rows against other toolkits; they get an environment of their own, .venv-peers
make bench ARGS="engine-vs-loop"        one row; ARGS="engine-vs-loop --quick" tries it on little data and keeps nothing
```

Both end with exit code 1 when a row is below its floor.
"""
_WORDS = {"goal": "goal reached", "floor": "above the floor", "below": "**below the floor**", "reported": "reported only"}


def page() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *(line for suite in SUITES for line in _suite(suite))])


def table(rows: Iterable[Row]) -> str:
    """Return ``rows`` as an aligned table for the terminal."""
    head = ("row", "ours", "theirs", "unit", "ratio", "floor", "goal", "")
    lines = [head, *((*_figures(row), row.verdict) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _suite(suite: str) -> Iterator[str]:
    rows = read_rows(suite)
    yield f"## {suite.title()}\n"
    yield f"{_prose(importlib.import_module(f'benchmarks.{suite}').__doc__)}\n"
    yield "| row | ours | theirs | unit | ratio | floor | goal | |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        name, *figures = _figures(row)
        yield f"| [{name}](#{name}) | {' | '.join(figures)} | {_WORDS[row.verdict]} |"
    yield ""
    explained = {goal.name: one.what for one in comparisons(suite) for goal in one.goals}
    for row in rows:
        yield from _entry(row, explained.get(row.name, ""))


def _entry(row: Row, explained: str) -> Iterator[str]:
    yield f"### {row.name}\n"
    yield f"{row.what}.\n"
    if explained:
        yield f"{_prose(explained)}\n"
    if row.note:
        yield f"What differs: {row.note}\n"
    for name, values in (("data", row.data), ("versions", row.versions), ("machine", row.machine), ("measured", row.more)):
        if values:
            yield f"- {name}: {_listed(values)}"
    yield ""


def _figures(row: Row) -> tuple[str, ...]:
    ratio = f"{row.ratio:.4g}" + (" (lower is better)" if row.better == "lower" else "")
    marks = ["-" if mark is None else f"{mark:g}" for mark in (row.floor, row.goal)]
    return (row.name, f"{row.ours:.4g}", f"{row.theirs:.4g}", row.unit, ratio, *marks)


def _listed(values: Any) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(" / ".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _prose(text: str | None) -> str:
    return (text or "").replace("``", "`").strip()
