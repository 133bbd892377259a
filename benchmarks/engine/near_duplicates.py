"""Near-duplicates planted around a similarity of 0.8: how many pairs are found, and how many of those found are pairs.

Texts of 60 to 400 words, each with copies of which words are replaced until the Jaccard index of the sets of five-word runs lies between
0.75 and 0.85, as counted from the words themselves. A copy is a near-duplicate if it reaches 0.8: the hardest case, because
nothing lies far from the threshold. Three thousand texts that are like no other are mixed in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks.compare import figure
from benchmarks.measure import Command, measured
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (
    Goal("near-dup-recall", "Planted near-duplicates found, at a similarity of 0.8", "higher", floor=0.95, goal=0.99),
    Goal(
        "near-dup-precision", "Texts dropped that are near-duplicates, at a similarity of 0.8", "higher", floor=0.98, goal=0.995
    ),
)
THRESHOLD, RUN = 0.8, 5


def measure(scale: Scale) -> Iterator[Row]:
    """Run the step over planted texts, batch by batch, and count."""
    documents = 300 if scale.quick else 6_000
    one = measured(Command("benchmarks.engine.near_duplicates:count", {"documents": documents}))
    found = one.result
    scale.say(f"{found}")
    data = {
        "rows": f"{found['texts']:,}",
        "what": f"{found['near']:,} copies at 0.80 to 0.85, {found['far']:,} at 0.75 to 0.80",
    }
    for goal, ours in zip(GOALS, (found["hits"] / found["near"], found["hits"] / found["found"]), strict=True):
        more = {**found, "cpu": round(one.cpu, 2)}
        yield figure(
            goal, ours=ours, theirs=1.0, ratio=ours, unit="share", data=data, packages=("aif-datalab", "numpy"), more=more
        )


def count(documents: int) -> dict[str, int]:
    """Plant, run a pipeline of the one step, and compare what was dropped with the truth."""
    texts, near, far = planted(documents)
    dropped = set(range(len(texts))) - set(kept(texts))
    return {"texts": len(texts), "near": len(near), "far": len(far), "found": len(dropped), "hits": len(dropped & near)}


def planted(documents: int, seed: int = 17) -> tuple[list[str], set[int], set[int]]:
    """Return texts, the places of copies that reach the threshold, and of those that just do not."""
    draw = random.Random(seed)
    vocabulary = [f"word{number}" for number in range(20_000)]
    texts: list[str] = []
    near: set[int] = set()
    far: set[int] = set()
    for number in range(documents):
        words = draw.choices(vocabulary, k=draw.randint(60, 400))
        texts.append(" ".join(words))
        if number % 2:
            continue
        copy, like = list(words), 1.0
        wanted = draw.uniform(0.76, 0.85)
        while like > wanted:
            copy[draw.randrange(len(copy))] = draw.choice(vocabulary)
            like = similarity(words, copy)
        if like >= 0.75:
            (near if like >= THRESHOLD else far).add(len(texts))
            texts.append(" ".join(copy))
    return texts, near, far


def similarity(left: list[str], right: list[str]) -> float:
    """Return the Jaccard index of the sets of five-word runs."""
    one, other = ({tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)} for words in (left, right))
    return len(one & other) / len(one | other)


def kept(texts: list[str]) -> list[int]:
    """Run a pipeline in a new lab; return the places of the texts that stay."""
    import polars as pl
    import pyarrow.parquet as pq

    from benchmarks.textchain import workplace
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
            steps=[clean.NearDuplicates("text", threshold=THRESHOLD, words=RUN)],
            part_rows=1_000,
            release=Release(licence="CC0-1.0", description="Measured and thrown away"),
        )
        with open_lab(Settings(root=root, actor="Benchmark", workers=1)) as lab:
            summary: Any = run_pipeline(pipeline, lab=lab)
        tables = [pq.read_table(path, columns=["place"], partitioning=None) for path in _shards(summary.candidate)]
        return [place for table in tables for place in table["place"].to_pylist()]


def _shards(candidate: str) -> list[Any]:
    from pathlib import Path

    return sorted(Path(candidate).glob("data/*/*.parquet"))
