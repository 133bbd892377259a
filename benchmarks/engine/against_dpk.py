"""The text chain, Parquet to Parquet, as far as Data Prep Kit runs without a network: language, quality, near-duplicates.

Ours is a pipeline run in a new lab, everything on. Theirs are Data Prep Kit's transforms in one process (``lang_id``, ``doc_quality``, ``filter``,
``doc_id``) and its four services of fuzzy deduplication, 14 bands of 8, threshold 0.8.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peers.against import against
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("text-chain-vs-dpk", "The text chain against Data Prep Kit, all records on", "higher", floor=8, goal=20),)
NEEDS = "peers"
_NOTE = (
    "left out on both sides: Unicode (Data Prep Kit has no such transform) and personal data (its redactor needs models of flair and spaCy from "
    "the network); its quality transform also counts English bad words and sentences, its language model is lid.176.ftz; it keeps no record "
    "of what was dropped, and a file that fails is left out with a warning"
)


def measure(scale: Scale) -> Iterator[Row]:
    """Run both chains by turns over the same files."""
    peers = ("data-prep-toolkit-transforms", "data-prep-toolkit", "duckdb", "fasttext-numpy2-wheel")
    stages = ("language", "quality", "near-duplicates")
    yield against("dpk_chain", GOALS[0], scale, stages=stages, peers=peers, note=_NOTE)
