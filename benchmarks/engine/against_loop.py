"""The whole run (attestation, landing, parts, receipts, sidecars, ledger, report) against a loop over the same step objects.

The loop is what a careful person writes who wants the same rows and nothing else: read a row group, call ``apply`` of each step, collect
the keys of the near-duplicate step, reduce and settle them once, draw train, validation and test from a hash of the id, write them as Parquet
files of 50,000 rows with the compression, row groups and page index of a release. It keeps all rows in memory and can neither resume nor
say where a row went; it hashes nothing, looks for nothing that was left, and reads nothing back. The corpus is taken eight times, each copy with its words in another order, because a run has a start (a lab, a worker
process, a report) that a loop has not, and nobody prepares 50 MB by night. Before measuring, both sides are run once and must keep the same ids with the same texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare import compared
from benchmarks.measure import Command, Unable, measured, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("engine-vs-loop", "The engine against a hand-written loop over the same steps", "higher", floor=0.9, goal=0.97),)


COPIES = 8


def measure(scale: Scale) -> Iterator[Row]:
    """Run both sides by turns over the same files."""
    from benchmarks.corpus import corpus
    from benchmarks.corpus.copies import enlarged
    from benchmarks.textchain import PACKAGES

    data = enlarged(corpus(scale.files), 1 if scale.quick else COPIES)
    given = {"files": [str(path) for path in data.files]}
    check(given, scale)
    pairs = run_pairs(
        Command("benchmarks.textchain:run", given), Command("benchmarks.textchain:loop", given), scale.pairs, scale.say
    )
    note = (
        "the loop lands, hashes and reads back nothing, takes no second look, writes no receipt, sidecar, ledger, content digest or report; "
        "start of the worker process is counted on our side"
    )
    yield compared(GOALS[0], pairs, packages=PACKAGES, data=data.as_data(), note=note)


def check(given: dict[str, list[str]], scale: Scale) -> None:
    """Raise unless both sides keep the same rows of the first file."""
    scale.say("checking that both sides keep the same rows")
    first = {"files": given["files"][:1], "check": True}
    ours, theirs = (measured(Command(f"benchmarks.textchain:{side}", first)).result for side in ("run", "loop"))
    if ours["content"] != theirs["content"]:
        raise Unable(f"the two sides keep different rows: {ours['kept']} and {theirs['kept']}")
