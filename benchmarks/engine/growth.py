"""What ten times the rows cost: CPU against ten times the CPU, and memory of the largest process against that at 1x.

The documents of the corpus are cut into pieces of about 250 characters; 1x is every tenth of them, 10x all, in one Parquet file each. The
chain is the whole one, near-duplicates included, in parts of 8,192 rows and with one worker; start and imports count on both
sides. Memory is the high-water mark that the kernel keeps for each process; the largest one is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare import figure
from benchmarks.measure import Command, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (
    Goal("rows-10x", "CPU at ten times the rows, divided by ten times the CPU", "lower", floor=1.05, goal=1.0),
    Goal(
        "peak-10x",
        "Peak memory of the largest process at ten times the rows, against that at 1x",
        "lower",
        floor=1.1,
        goal=1.02,
    ),
)
PIECES = 10


def measure(scale: Scale) -> Iterator[Row]:
    """Run the same chain over both sizes by turns."""
    from benchmarks.textchain import PACKAGES

    rows, small, large = pieces(1 if scale.quick else 6)
    chain = {"part_rows": 8_192, "minimum_words": 5}
    pairs = run_pairs(
        Command("benchmarks.textchain:run", {"files": [str(large)], **chain}),
        Command("benchmarks.textchain:run", {"files": [str(small)], **chain}),
        scale.pairs,
        scale.say,
    )
    data = {"rows": f"{rows:,} and {rows * PIECES:,}", "what": "pieces of 250 characters in 24 languages"}
    ours, theirs = pairs.median("ours"), pairs.median("theirs") * PIECES
    time, memory = GOALS
    yield figure(
        time,
        ours=ours,
        theirs=theirs,
        ratio=1 / (pairs.ratio() * PIECES),
        unit="CPU s",
        data=data,
        packages=PACKAGES,
        more=pairs.as_json(),
    )
    mib = [pairs.median(side, lambda one: one.largest) / 2**20 for side in ("ours", "theirs")]
    ratio = 1 / pairs.ratio(lambda one: one.largest)
    yield figure(memory, ours=mib[0], theirs=mib[1], ratio=ratio, unit="MiB", data=data, packages=PACKAGES)


def pieces(files: int) -> tuple[int, Path, Path]:
    """Return the rows of the small table, and both tables, cut from the corpus when they are not there."""
    import polars as pl

    from benchmarks.corpus import corpus
    from benchmarks.workplace import CACHE

    large, small = (CACHE / f"pieces-{files}-{size}.parquet" for size in ("10x", "1x"))
    if not small.is_file():
        texts = pl.concat([pl.read_parquet(path, columns=["id", "text"]) for path in corpus(files).files])
        length = pl.col("text").str.len_chars() // PIECES + 1
        cut = pl.concat(
            [
                texts.select(
                    (pl.col("id") + f"-{place}").alias("id"), pl.col("text").str.slice(length * place, length).alias("text")
                )
                for place in range(PIECES)
            ]
        ).with_row_index("place")
        cut.drop("place").write_parquet(large, compression="zstd", row_group_size=8_192)
        cut.filter(pl.col("place") % PIECES == 0).drop("place").write_parquet(small, compression="zstd", row_group_size=8_192)
    return pl.scan_parquet(small).select(pl.len()).collect().item(), small, large
