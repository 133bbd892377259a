"""A row of our text chain against a chain of a peer."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.compare import compared, installed
from benchmarks.corpus import corpus
from benchmarks.measure import Command, run_pairs
from benchmarks.peers import peers_python
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row
from benchmarks.textchain import PACKAGES, STAGES


def against(chain: str, goal: Goal, scale: Scale, *, peers: Sequence[str], note: str, stages: Sequence[str] = STAGES) -> Row:
    """Run our ``stages`` and ``benchmarks.peers.<chain>`` by turns over the same files and return the row."""
    python = peers_python()
    data = corpus(scale.files)
    files = [str(path) for path in data.files]
    pairs = run_pairs(
        Command("benchmarks.textchain:run", {"files": files, "stages": list(stages)}),
        Command(f"benchmarks.peers.{chain}:run", {"files": files}, python=python),
        scale.pairs,
        scale.say,
    )
    ours, theirs = (side[0].result["kept"] for side in (pairs.ours, pairs.theirs))
    return compared(
        goal,
        pairs,
        packages=PACKAGES,
        versions=installed(peers, python),
        data=data.as_data(),
        note=note,
        more={"stages": ", ".join(stages), "kept": f"{ours:,} / {theirs:,}"},
    )
