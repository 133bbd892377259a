"""Our side of ``keyed-vs-gbk``, and the rows of both: band keys of texts that need not exist."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.workplace import workplace
from datalab import Pipeline, Purpose, Release, Source, Splits
from datalab.engine.drive import execute
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Input, Plan, make_plan
from datalab.engine.task import Task, perform
from datalab.formats import detect
from datalab.model.agreement import SourceObject
from datalab.model.receipt import Receipt
from datalab.model.settings import Settings
from datalab.model.step import IDENTITY, ROW, Bound, Context, Keys, PairStep
from datalab.ports.durable import file_sha256
from datalab.services.cleaning import NearDuplicates

BANDS = 11
GROUP = 30_000


@dataclass(frozen=True, slots=True)
class Bands(PairStep):
    """Near-duplicates whose band keys are given; every candidate is one."""

    reason: ClassVar[str] = "near-duplicate"
    row_bytes: ClassVar[int] = 384

    def bind(self, schema: pl.Schema) -> Bound:
        """Take the schema as it is."""
        return Bound(schema, reads=frozenset(schema))

    def keys(self, frame: pl.DataFrame, context: Context) -> Keys:
        """Return the keys as they stand in the rows."""
        rows = frame.select(*IDENTITY, seal=pl.col(ROW))
        keys = frame.select(pl.selectors.starts_with("band")).to_numpy().reshape(-1)
        repeated = rows[np.repeat(np.arange(frame.height), BANDS)].with_columns(pl.Series("key", keys))
        return Keys(repeated, evidence=frame.select(*IDENTITY, weight=pl.lit(1, pl.UInt32)))

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Do as the step for texts does."""
        return NearDuplicates("text").reduce(keys, context)

    def confirm(self, left: pl.DataFrame, right: pl.DataFrame) -> pl.Series:
        """Take every candidate."""
        return pl.repeat(True, left.height, dtype=pl.Boolean, eager=True)


class InLine:
    """An engine of one process: tasks are worked off where they are asked for."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self.plan, self.folder = plan, folder

    def run(self, tasks: Sequence[Task]) -> Iterator[Receipt]:
        """Work the tasks off, one after the other."""
        return (perform(self.plan, self.folder, task) for task in tasks)


class Silent:
    """A watcher that tells nobody."""

    def stage(self, *_: object) -> None: ...

    def receipt(self, *_: object) -> None: ...

    def total(self, *_: object) -> None: ...


def run(rows: int) -> dict[str, Any]:
    """Run the stages of a pipeline of the one step."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with workplace() as root:
        path = write(root / "rows.parquet", rows)
        pipeline = Pipeline(
            name="bands",
            title="Bands",
            owner="steward@datalab.example",
            purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "Measure an exchange"),
            legal_basis="not applicable: invented keys",
            source=Source(dataset="rows.parquet"),
            steps=[Bands()],
            splits=Splits(shares={"all": 1.0}),
            part_rows=GROUP,
            release=Release(licence="CC0-1.0", description="Measured and thrown away"),
        )
        found = SourceObject(0, path.name, path, "parquet", path.stat().st_size, file_sha256(path), "rows", "none")
        plan = make_plan(pipeline, [Input(found, detect(path, {"format": "parquet"}))], {}, Settings(root=root), None)
        folder = RunFolder(root / "run")
        folder.create_root()
        perform_modules()
        started = time.process_time()
        done = execute(plan, folder, InLine(plan, folder), Silent())
        cpu = time.process_time() - started
        counts = [count for _, _, tally in done.stages for count in tally.values()]
        return {"pairs": sum(count.get("pairs-confirmed", 0) for count in counts), "cpu": cpu, "kept": done.rows.kept}


def perform_modules() -> None:
    """Import what the first task of each kind imports: start is not measured, on either side."""
    from datalab.engine import exchange, generate, intake, lookup, mapping, pairs, shards, shuffle  # noqa: F401


def write(path: Path, rows: int) -> Path:
    """Write rows of ``BANDS`` keys: a fifth share 4 to 11 of them with a row before, at most two rows a key."""
    draw = np.random.default_rng(5)
    keys = draw.integers(0, 1 << 63, (rows, BANDS), dtype=np.uint64)
    places = draw.permutation(rows)[: rows // 5 * 2].reshape(2, -1)
    earlier, later = places.min(axis=0), places.max(axis=0)
    shared = np.arange(BANDS) < draw.integers(4, BANDS + 1, len(later))[:, None]
    keys[later] = np.where(shared, keys[earlier], keys[later])
    frame = pl.DataFrame({f"band{band}": np.ascontiguousarray(keys[:, band]) for band in range(BANDS)})
    frame.write_parquet(path, row_group_size=GROUP)
    return path
