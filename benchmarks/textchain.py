"""Our side of the text comparisons: a real pipeline in a real lab, and the same steps in a hand-written loop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.pairwise import fallen
from benchmarks.workplace import workplace

if TYPE_CHECKING:
    import polars as pl

    from datalab.engine.engines import Engine
    from datalab.model.step import Step

PACKAGES = ("aif-datalab", "polars", "pyarrow", "numpy", "py3langid")
_SHARD = 50_000
STAGES = ("normalise", "language", "quality", "patterns", "near-duplicates")


def steps(stages: Sequence[str] = STAGES, minimum_words: int = 50) -> list[Step]:
    """Return the steps of the chain, in order. Patterns are e-mail and IP addresses: what every peer finds too."""
    from datalab import clean, enrich, scrub, standardise

    everything: dict[str, Step] = {
        "normalise": standardise.Text("text", lines=True),
        "language": enrich.Language("text", into="found"),
        "quality": clean.TextQuality(
            "text", language="found" if "language" in stages else "", limits=clean.Limits(minimum_words=minimum_words)
        ),
        "patterns": scrub.Text("text", entities=("email", "ip")),
        "near-duplicates": clean.NearDuplicates("text", threshold=0.8),
    }
    return [everything[name] for name in stages]


def run(
    files: Sequence[str],
    stages: Sequence[str] = STAGES,
    *,
    workers: int = 1,
    part_rows: int = 32_768,
    minimum_words: int = 50,
    check: bool = False,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Do what ``datalab run`` does, in a new lab: attestation, landing, parts, receipts, sidecars, ledger, gate, candidate, report."""
    from datalab import Pipeline, Purpose, Release, Source
    from datalab.lab import open_lab, run_pipeline
    from datalab.model.settings import Settings

    with workplace() as root:
        place = root / "documents"
        place.mkdir()
        for path in files:
            os.link(path, place / Path(path).name)
        pipeline = Pipeline(
            name="text-chain",
            title="The text chain of the benchmarks",
            owner="steward@datalab.example",
            purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "Measure how fast texts are prepared"),
            legal_basis="not applicable: public texts and invented data",
            source=Source(dataset="documents", attestation="messages of public software; personal data in them is invented"),
            steps=steps(stages, minimum_words),
            part_rows=part_rows,
            release=Release(licence="CC0-1.0", description="Measured and thrown away"),
        )
        with open_lab(Settings(root=root, actor="Benchmark", workers=workers)) as lab:
            summary = run_pipeline(pipeline, lab=lab, engine=engine)
        rows = summary.rows
        kept = sorted(Path(summary.candidate).glob("data/*/*.parquet"))
        return {
            "rows_in": rows.rows_in,
            "kept": rows.kept,
            "dropped": {reason: count for reasons in rows.dropped.values() for reason, count in reasons.items()},
            "content": content(kept) if check else "",
        }


def loop(files: Sequence[str], stages: Sequence[str] = STAGES, *, check: bool = False) -> dict[str, Any]:
    """Do what somebody writes who needs the rows and nothing else: row groups in, `apply`, splits in Parquet out, all in one process."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from datalab.model.step import IDENTITY, ROW, SOURCE, MapStep, PairStep

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    chain = steps(stages)
    context: Any = None  # none of these steps asks for it
    first = next((place for place, step in enumerate(chain) if isinstance(step, PairStep)), len(chain))
    rows_in = 0
    with workplace() as root:
        frames, keys = [], []
        for source, path in enumerate(files):
            reader, start = pq.ParquetFile(path), 0
            for group in range(reader.num_row_groups):
                frame = pl.DataFrame(pl.from_arrow(reader.read_row_group(group, use_threads=False)))
                frame = frame.with_columns(
                    pl.lit(source, pl.UInt32).alias(SOURCE),
                    pl.int_range(start, start + frame.height, dtype=pl.UInt64).alias(ROW),
                )
                start += frame.height
                for step in chain[:first]:
                    assert isinstance(step, MapStep)
                    frame = _kept(step.apply(frame, context))
                if first < len(chain):
                    pairing = chain[first]
                    assert isinstance(pairing, PairStep)
                    keys.append(pairing.keys(frame, context))
                frames.append(frame)
            rows_in += start
        if keys:
            pairing = chain[first]
            assert isinstance(pairing, PairStep)
            gone = fallen(pairing, keys)
            frames = [frame.join(gone, on=list(IDENTITY), how="anti", maintain_order="left") for frame in frames]
        kept = pl.concat(frames).drop(IDENTITY)
        written = _written(kept, root)
        return {"rows_in": rows_in, "kept": kept.height, "content": content(written) if check else ""}


def _written(kept: pl.DataFrame, root: Path) -> list[Path]:
    """Write train, validation and test in files of 50,000 rows, compressed and indexed as a release is."""
    import polars as pl
    import pyarrow.parquet as pq

    drawn = kept.get_column("id").hash(seed=0) % 10
    written = []
    for split, rows in (("train", drawn < 8), ("validation", drawn == 8), ("test", drawn == 9)):
        here = kept.filter(rows)
        for number, start in enumerate(range(0, here.height, _SHARD)):
            written.append(root / f"{split}-{number}.parquet")
            table = here.slice(start, _SHARD).to_arrow(compat_level=pl.CompatLevel.oldest())
            options = {"compression": "zstd", "compression_level": 3, "row_group_size": 8_192, "write_page_index": True}
            pq.write_table(table, written[-1], **options)
    return written


def _kept(outcome: Any) -> pl.DataFrame:
    frame: pl.DataFrame = outcome.frame
    for reasons in (outcome.dropped, outcome.quarantined):
        if reasons is not None:
            frame = frame.filter(reasons.is_null())
    return frame


def content(paths: Sequence[Path]) -> str:
    """Return a digest of ids and texts that does not depend on their order or files: both sides must come to the same."""
    import hashlib

    import pyarrow.parquet as pq

    rows = []
    for path in paths:
        table = pq.read_table(path, columns=["id", "text"], use_threads=False)
        rows += zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True)
    return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()
