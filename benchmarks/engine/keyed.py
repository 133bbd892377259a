"""Candidates for near-duplicates by band key: the engine's exchange against Beam's GroupByKey over rows (FnApiRunner, one process).

Both sides read the same Parquet file: rows with the 11 band keys of a text each, a fifth of them nearly a row before. Theirs gives one
(key, row) pair per band to GroupByKey, pairs the first row of each key with the others, and makes the pairs distinct. Ours are all stages
of the engine in one process (`execute` over tasks worked off in line): keys, exchange, pairs, groups, verdicts, drop records, shards with
origins and digests, receipts. Measured is the CPU of the job alone on both sides, without start and imports.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from benchmarks.compare import compared
from benchmarks.measure import Command, Unable, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (Goal("keyed-vs-gbk", "A keyed operation against Beam's row-wise GroupByKey", "higher", floor=10, goal=40),)
BANDS = 11


def measure(scale: Scale) -> Iterator[Row]:
    """Run both by turns over the same rows; they must find the same pairs."""
    given = {"rows": 10_000 if scale.quick else 120_000}
    sides = Command("benchmarks.bandkeys:run", given), Command("benchmarks.engine.keyed:theirs", given)
    pairs = run_pairs(*sides, scale.pairs, scale.say)
    found = {one.result["pairs"] for one in (*pairs.ours, *pairs.theirs)}
    if len(found) != 1:
        raise Unable(f"the two sides find different numbers of pairs: {sorted(found)}")
    data = {"rows": f"{given['rows'] * BANDS:,}", "what": f"band keys of {given['rows']:,} rows, {found.pop():,} pairs"}
    yield compared(
        GOALS[0],
        pairs,
        packages=("aif-datalab", "apache-beam", "polars"),
        data=data,
        what=lambda one: float(one.result["cpu"]),
        note="ours also joins the pairs to groups, drops rows and writes the release with all its records; theirs writes nothing",
    )


def theirs(rows: int) -> dict[str, Any]:
    """Group the keys of the same file row by row."""
    import logging

    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from benchmarks.bandkeys import write
    from benchmarks.workplace import workplace

    logging.disable(logging.WARNING)
    with workplace() as root:
        path, counted = write(root / "rows.parquet", rows), root / "pairs"
        started = time.process_time()
        with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
            _ = (
                pipeline
                | beam.Create([str(path)])
                | beam.FlatMap(_keys)
                | beam.GroupByKey()
                | beam.FlatMapTuple(_pairs)
                | beam.Distinct()
                | beam.combiners.Count.Globally()
                | beam.Map(str)
                | beam.io.WriteToText(str(counted), shard_name_template="")
            )
        return {"pairs": int(counted.read_text()), "cpu": time.process_time() - started}


def _keys(path: str) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield ((band, key), row), one for each band of each row."""
    import pyarrow.parquet as pq

    start = 0
    for batch in pq.ParquetFile(path).iter_batches():
        for band in range(BANDS):
            keys = batch.column(band).to_pylist()
            yield from zip(zip(repeat(band), keys), range(start, start + len(keys)))  # noqa: B905
        start += batch.num_rows


def _pairs(_key: tuple[int, int], rows: Any) -> Iterator[tuple[int, int]]:
    found = sorted(rows)
    for other in found[1:]:
        yield found[0], other
