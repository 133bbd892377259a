"""Recall and precision of ``clean.NearDuplicates`` against the exact Jaccard similarity of the sets of five-word runs.

Planted are pairs whose exact similarity lies between 0.80 and 0.82, just above the threshold of the step: texts of 60 to 600
words drawn from the corpus, in which words were replaced until the similarity came as close to 0.80 as it can. Beside them stand pairs of
0.60 to 0.78, which must stay, and texts that are near to nothing. Recall is the share of planted copies that fall; precision is the share of fallen
texts whose exact similarity to their original reaches 0.80.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.compare import figure
from benchmarks.measure import Command, measured
from benchmarks.pairwise import fallen
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (
    Goal("near-dup-recall", "Near-duplicates found, planted at a similarity of 0.8", "higher", floor=0.95, goal=0.99),
    Goal("near-dup-precision", "Fallen texts that really are near-duplicates", "higher", floor=0.98, goal=0.995),
)
THRESHOLD, WIDTH = 0.8, 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A text, its changed copy and their exact similarity."""

    text: str
    copy: str
    similarity: float


def measure(scale: Scale) -> Iterator[Row]:
    """Plant, run the step over all texts at once, and count."""
    pairs = 400 if scale.quick else 4_000
    scale.say(f"{pairs:,} pairs of each kind")
    found = measured(Command("benchmarks.engine.near_duplicates:count", {"pairs": pairs})).result
    data = {"rows": found["texts"], "what": f"{pairs:,} pairs at 0.80 to 0.82, as many at 0.60 to 0.78, as many strangers"}
    more = {name: found[name] for name in ("planted", "fallen", "fallen_rightly", "mean_similarity")}
    recall, precision = GOALS
    for goal, value in ((recall, found["recall"]), (precision, found["precision"])):
        yield figure(
            goal, ours=value, theirs=1.0, ratio=value, unit="share", data=data, packages=("polars", "numpy"), more=more
        )


def count(pairs: int) -> dict[str, Any]:
    """Return the counts; runs in a child."""
    import polars as pl

    from datalab import clean
    from datalab.model.step import ROW, SOURCE

    rng = Random(f"near duplicates {pairs}")
    words = _words()
    planted = [plant(rng, words, 0.80, 0.82) for _ in range(pairs)]
    decoys = [plant(rng, words, 0.60, 0.78) for _ in range(pairs)]
    strangers = [" ".join(rng.choices(words, k=rng.randrange(60, 600))) for _ in range(pairs)]
    texts = [*(pair.text for pair in planted), *(pair.text for pair in decoys), *strangers]
    texts += [*(pair.copy for pair in planted), *(pair.copy for pair in decoys)]
    frame = pl.DataFrame({"text": texts}).with_columns(
        pl.lit(0, pl.UInt32).alias(SOURCE), pl.int_range(len(texts), dtype=pl.UInt64).alias(ROW)
    )
    step = clean.NearDuplicates("text", threshold=THRESHOLD)
    gone = fallen(step, [step.keys(frame, None)])[ROW].to_list()  # type: ignore[arg-type]
    first = 3 * pairs
    found = sum(first <= row < first + pairs for row in gone)
    return {
        "texts": len(texts),
        "planted": pairs,
        "fallen": len(gone),
        "fallen_rightly": found,
        "mean_similarity": round(sum(pair.similarity for pair in planted) / pairs, 4),
        "recall": found / pairs,
        "precision": found / len(gone),
    }


def plant(rng: Random, words: list[str], least: float, most: float) -> Pair:
    """Return a pair whose exact similarity lies in [least, most]; replaced words stand apart, so that runs fall one by one."""
    while True:
        text = rng.choices(words, k=rng.randrange(60, 600))
        runs = len(text) - WIDTH + 1
        wanted = rng.uniform(least, most)
        replaced = round(runs * (1 - wanted) / (1 + wanted) / WIDTH)
        places = rng.sample(range(WIDTH, len(text) - WIDTH, WIDTH), min(replaced, (len(text) - 2 * WIDTH) // WIDTH))
        copy = [f"{word}{rng.randrange(10)}x" if place in set(places) else word for place, word in enumerate(text)]
        found = similarity(text, copy)
        if least <= found <= most:
            return Pair(" ".join(text), " ".join(copy), found)


def similarity(left: list[str], right: list[str]) -> float:
    """Return the Jaccard index of the sets of runs of five words."""
    one, other = ({tuple(words[at : at + WIDTH]) for at in range(len(words) - WIDTH + 1)} for words in (left, right))
    return len(one & other) / len(one | other)


def _words() -> list[str]:
    """Return lower-case words of the corpus in their frequency: what a language repeats is repeated here."""
    import polars as pl

    from benchmarks.corpus import corpus

    texts = pl.read_parquet(corpus(1).files[0], columns=["text"])["text"]
    return texts.str.to_lowercase().str.split(" ").explode().str.strip_chars().replace("", None).drop_nulls().to_list()
