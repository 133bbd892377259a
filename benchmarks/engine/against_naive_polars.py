"""One chain of text kernels as our steps do it and as it is first written in polars: read, normalise, filter, replace, write Parquet.

Naive are the expressions that come to mind: ``str.normalize`` on every row, ``\\s+`` and control characters by Unicode classes, e-mail and IP addresses by
patterns with ``\\b`` and ``\\d``. Ours are ``standardise.Text`` and ``scrub.Text`` called on the same batches, without the engine. Both sides keep texts
of 200 characters or more, in one process with one thread; the rows that they write are compared before measuring.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.compare import compared
from benchmarks.measure import Command, Unable, measured, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

if TYPE_CHECKING:
    import polars as pl

GOALS = (Goal("kernels-vs-naive-polars", "Our text steps against the same chain in plain polars", "higher", floor=2, goal=3),)
SHORTEST = 200
_NOTE = "ours also counts what it changed, and checks addresses instead of matching their form"


def measure(scale: Scale) -> Iterator[Row]:
    """Run both sides by turns over the same files, four times over, so that the start does not hide the work."""
    from benchmarks.corpus import corpus

    data = corpus(scale.files)
    files = [str(path) for path in data.files]
    scale.say("checking that both sides write the same rows")
    sides = [
        measured(Command(f"benchmarks.engine.against_naive_polars:{name}", {"files": files[:1], "check": True})).result
        for name in ("ours", "naive")
    ]
    if sides[0]["ids"] != sides[1]["ids"]:
        raise Unable(f"the two sides keep different rows: {sides[0]['kept']} and {sides[1]['kept']}")
    same = sum(a == b for a, b in zip(sides[0]["texts"], sides[1]["texts"], strict=True))
    commands = [
        Command(f"benchmarks.engine.against_naive_polars:{name}", {"files": files, "times": 4}) for name in ("ours", "naive")
    ]
    pairs = run_pairs(*commands, scale.pairs, scale.say)
    equal = {"equal_texts": f"{same:,} of {len(sides[0]['texts']):,}"}
    yield compared(GOALS[0], pairs, packages=("polars", "pyarrow", "numpy"), data=data.as_data(), note=_NOTE, more=equal)


def ours(files: Sequence[str], times: int = 1, *, check: bool = False) -> dict[str, Any]:
    """Apply the steps batch by batch."""
    import polars as pl

    from datalab import scrub, standardise
    from datalab.model.step import ROW, SOURCE

    text, patterns = standardise.Text("text"), scrub.Text("text", entities=("email", "ip"))
    context: Any = None

    def prepare(frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.with_columns(pl.lit(0, pl.UInt32).alias(SOURCE), pl.int_range(frame.height, dtype=pl.UInt64).alias(ROW))
        frame = text.apply(frame, context).frame
        frame = frame.filter(pl.col("text").str.len_chars() >= SHORTEST)
        return patterns.apply(frame, context).frame.drop(SOURCE, ROW)

    return _work(files, times, prepare, check=check)


def naive(files: Sequence[str], times: int = 1, *, check: bool = False) -> dict[str, Any]:
    """Apply the expressions."""
    import polars as pl

    column = pl.col("text")
    email = r"\b[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}\b"
    ip = r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"

    def prepare(frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.with_columns(column.str.replace_all(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]", ""))
        frame = frame.with_columns(column.str.normalize("NFC"))
        frame = frame.with_columns(column.str.replace_all(r"\s+", " ").str.strip_chars())
        frame = frame.filter(column.str.len_chars() >= SHORTEST)
        for pattern, name in ((email, "<EMAIL>"), (ip, "<IP>")):
            frame = frame.with_columns(column.str.replace_all(pattern, name))
        return frame

    return _work(files, times, prepare, check=check)


def _work(files: Sequence[str], times: int, prepare: Any, *, check: bool) -> dict[str, Any]:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.workplace import workplace

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    kept, frames = 0, []
    with workplace() as root:
        for path in list(files) * times:
            reader = pq.ParquetFile(path)
            with pq.ParquetWriter(
                root / Path(path).name, reader.schema_arrow, compression="zstd", compression_level=3
            ) as writer:
                for group in range(reader.num_row_groups):
                    frame = prepare(pl.DataFrame(pl.from_arrow(reader.read_row_group(group, use_threads=False))))
                    writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(reader.schema_arrow))
                    kept += frame.height
                    frames += [frame] if check else []
    found = pl.concat(frames) if check else pl.DataFrame({"id": [], "text": []})
    return {"kept": kept, "ids": found["id"].to_list(), "texts": found["text"].to_list()}
