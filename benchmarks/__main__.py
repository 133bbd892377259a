"""``python -m benchmarks [ROW …] [--peers] [--quick] [--pairs N] [--files N] [--page] [--list]``: measure rows, keep them, print the table."""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

from benchmarks.measure import Unable
from benchmarks.page import PAGE, page, table
from benchmarks.registry import Scale, chosen, everything
from benchmarks.row import Row, merge_rows


def main(words: list[str]) -> int:
    """Measure what is asked for; return 1 when a row is below its floor or could not be measured although it was named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure; all that fit when none is named")
    parser.add_argument("--peers", action="store_true", help="without names: the rows against other toolkits")
    parser.add_argument("--quick", action="store_true", help="little data, one pair, nothing is kept")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="pairs to measure (3)")
    parser.add_argument("--files", type=int, default=6, metavar="N", help="files of the corpus to work on (6, 8 MB each)")
    parser.add_argument("--page", action="store_true", help="only write docs/benchmarks.md anew")
    parser.add_argument("--list", action="store_true", help="only list the rows")
    given = parser.parse_args(words)
    if given.page:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    comparisons = chosen(given.rows, peers=given.peers) if given.rows or not given.list else everything()
    if given.list:
        print("\n".join(f"{goal.name:<26} {goal.what}" for one in comparisons for goal in one.goals))
        return 0
    measured: list[Row] = []
    unable = 0
    for one in comparisons:
        names = ", ".join(goal.name for goal in one.goals)
        began = perf_counter()

        def say(text: str, names: str = names, began: float = began) -> None:
            print(f"  {names}: {text} [{perf_counter() - began:.0f} s]", file=sys.stderr, flush=True)

        try:
            rows = list(
                one.measure(Scale(given.quick, 1 if given.quick else given.pairs, 1 if given.quick else given.files, say))
            )
        except Unable as reason:
            unable += 1
            say(f"not measured: {reason}")
            continue
        measured += rows
        if not given.quick:
            merge_rows(one.suite, rows)
            PAGE.write_text(page(), encoding="utf-8")
    print(table(measured))
    below = [row.name for row in measured if not row.holds]
    if below:
        print(f"below the floor: {', '.join(below)}")
    return 1 if below or (unable and given.rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
