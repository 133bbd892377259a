"""Recall and precision of ``clean.NearDuplicates`` against the exact Jaccard similarity of the sets of five-word runs.

Planted are pairs whose exact similarity lies between 0.80 and 0.82, just above the threshold of the step: texts of 60 to 600
words drawn from the corpus, in which words were replaced until the similarity came as close to 0.80 as it can. Beside them stand pairs of
0.60 to 0.78, which must stay, and texts that are near to nothing. A pipeline of the one step runs over them in parts of 1,000. Recall is the share of planted copies that fall; precision is the share of fallen
texts whose exact similarity to their original reaches 0.80.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.compare import figure
from benchmarks.measure import Command, measured
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
    rng = Random(f"near duplicates {pairs}")
    words = _words()
    planted = [plant(rng, words, 0.80, 0.82) for _ in range(pairs)]
    decoys = [plant(rng, words, 0.60, 0.78) for _ in range(pairs)]
    strangers = [" ".join(rng.choices(words, k=rng.randrange(60, 600))) for _ in range(pairs)]
    texts = [*(pair.text for pair in planted), *(pair.text for pair in decoys), *strangers]
    texts += [*(pair.copy for pair in planted), *(pair.copy for pair in decoys)]
    fallen = set(range(len(texts))) - set(kept(texts))
    first = 3 * pairs
    found = sum(first <= row < first + pairs for row in fallen)
    return {
        "texts": len(texts),
        "planted": pairs,
        "fallen": len(fallen),
        "fallen_rightly": found,
        "mean_similarity": round(sum(pair.similarity for pair in planted) / pairs, 4),
        "recall": found / pairs,
        "precision": found / len(fallen),
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


def kept(texts: list[str]) -> list[int]:
    """Run a pipeline in a new lab; return the places of the texts that stay."""
    import polars as pl
    import pyarrow.parquet as pq

    from benchmarks.workplace import workplace
    from datalab import Pipeline, Purpose, Release, Source, clean
    from datalab.lab import open_lab, run_pipeline
    from datalab.model.settings import Settings

    with workplace() as root:
        pl.DataFrame({"place": range(len(texts)), "text": texts}).write_parquet(root / "texts.parquet", row_group_size=1_000)
        pipeline = Pipeline(
            name="planted",
            title="Planted near-duplicates",
            owner="steward@datalab.example",
            purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "Measure what is found"),
            legal_basis="not applicable: invented words",
            source=Source(dataset="texts.parquet", attestation="invented words"),
            steps=[clean.NearDuplicates("text", threshold=THRESHOLD, words=WIDTH)],
            part_rows=1_000,
            release=Release(licence="CC0-1.0", description="Measured and thrown away"),
        )
        with open_lab(Settings(root=root, actor="Benchmark", workers=1)) as lab:
            summary = run_pipeline(pipeline, lab=lab)
        tables = [
            pq.read_table(path, columns=["place"], partitioning=None)
            for path in sorted(Path(summary.candidate).glob("data/*/*.parquet"))
        ]
        return [place for table in tables for place in table["place"].to_pylist()]


def _words() -> list[str]:
    """Return lower-case words of the corpus in their frequency: what a language repeats is repeated here."""
    import polars as pl

    from benchmarks.corpus import corpus

    texts = pl.read_parquet(corpus(1).files[0], columns=["text"])["text"]
    return texts.str.to_lowercase().str.split(" ").explode().str.strip_chars().replace("", None).drop_nulls().to_list()
