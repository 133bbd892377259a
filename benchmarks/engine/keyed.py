"""Duplicates by key through the whole engine, against Beam's GroupByKey over rows (FnApiRunner, in one process).

Ours is a run in a new lab: landing with hashes, parts, keys, exchange, verdicts, shards as Parquet with their origins, receipts, ledger and
report. Theirs reads the same Parquet file with pyarrow, gives one (key, row) pair per row to GroupByKey, takes the first row of each key
and counts; it writes nothing. Half of the keys occur before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.compare import compared
from benchmarks.measure import Command, Unable, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("keyed-vs-gbk", "A keyed operation against Beam's row-wise GroupByKey", "higher", floor=10, goal=40),)


def measure(scale: Scale) -> Iterator[Row]:
    """Run both by turns over the same keys; they must keep the same number."""
    given = {"rows": 50_000 if scale.quick else 1_500_000}
    ours, theirs = (Command(f"benchmarks.engine.keyed:{side}", given) for side in ("ours", "theirs"))
    pairs = run_pairs(ours, theirs, scale.pairs, scale.say)
    kept = {one.result["kept"] for one in (*pairs.ours, *pairs.theirs)}
    if len(kept) != 1:
        raise Unable(f"the two sides keep different numbers of keys: {sorted(kept)}")
    data = {"rows": f"{given['rows']:,}", "what": f"keys of 16 letters, {kept.pop():,} different ones"}
    note = "start of the interpreters and of the worker is counted on both sides; theirs keeps and writes no rows"
    yield compared(GOALS[0], pairs, packages=("aif-datalab", "apache-beam", "polars"), data=data, note=note)


def ours(rows: int) -> dict[str, int]:
    """Run a pipeline of the one step in a new lab."""
    from benchmarks.textchain import workplace
    from datalab import Pipeline, Purpose, Release, Source, Splits, clean
    from datalab.lab import open_lab, run_pipeline
    from datalab.model.settings import Settings

    with workplace() as root:
        _write(root / "keys.parquet", rows)
        pipeline = Pipeline(
            name="keys",
            title="Keys",
            owner="steward@datalab.example",
            purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "Measure an exchange"),
            legal_basis="not applicable: invented keys",
            source=Source(dataset="keys.parquet", attestation="invented keys"),
            steps=[clean.DuplicatesByKey("key")],
            splits=Splits(shares={"all": 1.0}),
            part_rows=131_072,
            release=Release(licence="CC0-1.0", description="Measured and thrown away", rows_per_shard=500_000),
        )
        with open_lab(Settings(root=root, actor="Benchmark", workers=1)) as lab:
            return {"kept": run_pipeline(pipeline, lab=lab).rows.kept}


def theirs(rows: int) -> dict[str, int]:
    """Group the rows of the same file by key."""
    import logging

    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from benchmarks.textchain import workplace

    logging.disable(logging.WARNING)
    with workplace() as root:
        _write(root / "keys.parquet", rows)
        counted = str(root / "kept")
        options = PipelineOptions(["--runner=FnApiRunner"])
        with beam.Pipeline(options=options) as pipeline:
            _ = (
                pipeline
                | beam.Create([str(root / "keys.parquet")])
                | beam.FlatMap(_pairs)
                | beam.GroupByKey()
                | beam.MapTuple(_first)
                | beam.combiners.Count.Globally()
                | beam.Map(str)
                | beam.io.WriteToText(counted, shard_name_template="")
            )
        return {"kept": int((root / "kept").read_text())}


def _pairs(path: str) -> Iterator[tuple[str, int]]:
    import pyarrow.parquet as pq

    start = 0
    for batch in pq.ParquetFile(path).iter_batches(columns=["key"]):
        keys = batch.column(0).to_pylist()
        yield from zip(keys, range(start, start + len(keys)), strict=True)
        start += len(keys)


def _first(key: str, places: Any) -> tuple[str, int]:
    return key, min(places)


def _write(path: Any, rows: int) -> None:
    import numpy as np
    import polars as pl

    draw = np.random.default_rng(5)
    numbers = draw.permutation(np.concatenate([np.arange(rows // 2), draw.integers(0, rows // 2, rows - rows // 2)]))
    text = pl.Series("number", numbers).cast(pl.String).str.zfill(16)
    pl.DataFrame({"key": text}).write_parquet(path, row_group_size=131_072)
