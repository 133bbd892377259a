"""The text chain, Parquet to Parquet: normalise, language, quality, e-mail and IP addresses, near-duplicates.

Ours is a pipeline run in a new lab, everything on: attestation, landing with hashes, receipts, origin of every row, drop
records, ledger, report. Theirs are datatrove's own steps in its local executor: FTFYFormatter (to NFC), LanguageFilter, GopherQualityFilter,
PIIFormatter, ParquetWriter, then the four steps of MinHash with its default 14 bands of 8.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peers.against import against
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("text-chain-vs-datatrove", "The text chain against datatrove, all records on", "higher", floor=20, goal=50),)
NEEDS = "peers"
_NOTE = (
    "datatrove repairs text with ftfy, ours normalises to NFC and white space; its language model is lid.176.ftz over the whole text with "
    "176 languages (its own download, lid.176.bin, cannot be had from a package), ours tells 24 languages by the first 1,000 characters; it "
    "tokenises with spaCy where ours counts runs between spaces, so its limits are set to drop about as many documents (alphabetic "
    "share 0.6 because punctuation counts as words, mean word length 12, no English stop words); it keeps no record of what was dropped"
)


def measure(scale: Scale) -> Iterator[Row]:
    """Run both chains by turns over the same files."""
    yield against("datatrove_chain", GOALS[0], scale, peers=("datatrove", "spacy", "ftfy", "fasttext-numpy2-wheel"), note=_NOTE)
