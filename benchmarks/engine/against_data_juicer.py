"""The text chain, Parquet to Parquet, against data-juicer's operators on its own dataset class.

Ours is a pipeline run in a new lab, everything on. Theirs are ``fix_unicode`` (to NFC), ``whitespace_normalization``, ``language_id_score``,
``words_num``, ``alphanumeric``, ``special_characters``, ``clean_email``, ``clean_ip`` and ``document_minhash_deduplicator`` (14 bands of 8), one process.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peers.against import against
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("text-chain-vs-data-juicer", "The text chain against data-juicer, all records on", "higher", floor=8, goal=20),)
NEEDS = "peers"
_NOTE = (
    "data-juicer imports Ray and torch at its start and installs them when they are missing: empty modules stand in their place, which is in its "
    "favour; three of its filters stand for the quality rules (it has no Gopher rule as such), its word filter splits at spaces and its language "
    "model is lid.176.ftz over the whole text; monitor, tracer and checkpoints are off"
)


def measure(scale: Scale) -> Iterator[Row]:
    """Run both chains by turns over the same files."""
    yield against(
        "data_juicer_chain", GOALS[0], scale, peers=("py-data-juicer", "datasets", "ftfy", "fasttext-numpy2-wheel"), note=_NOTE
    )
