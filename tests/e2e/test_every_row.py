"""Ten million rows, and not one of them unaccounted for: by the receipts, by the records of each row, and by what the shards hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from datalab import Pipeline, Purpose, Release, Source, clean, standardise
from datalab.lab import open_lab, run_pipeline
from datalab.model.settings import Settings

pytestmark = pytest.mark.slow

ROWS, FILES = 10_000_000, 4
IN_FILE = ROWS // FILES
HOLDER = "steward@datalab.example"


def write_source(folder: Path) -> None:
    """Row n has key n, but every tenth has the key of the row before it; one in 100 has no name, one in 500 a value that is no number."""
    folder.mkdir()
    for source in range(FILES):
        n = pl.int_range(source * IN_FILE, (source + 1) * IN_FILE, eager=True).alias("n")
        made = n.to_frame().select(
            key=pl.col("n") - (pl.col("n") % 10 == 9),
            name=pl.when(pl.col("n") % 100 != 4).then(pl.lit(" name ") + (pl.col("n") % 977).cast(pl.String)),
            value=pl.when(pl.col("n") % 500 == 3).then(pl.lit("none")).otherwise((pl.col("n") % 1000).cast(pl.String)),
        )
        made.write_parquet(folder / f"rows-{source}.parquet", row_group_size=131_072)


def numbers(files: list[Path]) -> np.ndarray:
    """The number n of every row that the records in ``files`` name."""
    found = pl.concat([pl.read_parquet(path, columns=["_dl_source", "_dl_row"]) for path in files])
    return found["_dl_source"].to_numpy().astype(np.int64) * IN_FILE + found["_dl_row"].to_numpy().astype(np.int64)


def test_every_row_of_ten_million_is_accounted_for(tmp_path):
    write_source(tmp_path / "rows")
    made = Pipeline(
        name="many",
        title="Ten million rows",
        owner=HOLDER,
        purpose=Purpose("https://w3id.org/dpv#ScientificResearch", "count"),
        legal_basis="not applicable: generated",
        source=Source(dataset="rows", attestation="Generated for this test."),
        steps=[
            standardise.Text("name"),
            standardise.Types({"value": "integer"}),
            clean.Required("name"),
            clean.DuplicatesByKey("key"),
        ],
        part_rows=131_072,
        release=Release(licence="CC0-1.0", description="Ten million rows", rows_per_shard=500_000),
    )
    with open_lab(Settings(root=tmp_path, actor="Sam", workers=2)) as lab:
        summary = run_pipeline(made, lab=lab)
        run = lab.home / "runs" / summary.plan

    # the receipts balance, and say what was made wrong above
    dropped = {reason: count for reasons in summary.rows.dropped.values() for reason, count in reasons.items()}
    quarantined = sum(count for codes in summary.rows.quarantined.values() for count in codes.values())
    assert (sum(dropped.values()), quarantined) == (ROWS // 100 + ROWS // 10, ROWS // 500)
    assert summary.rows.rows_in == ROWS == summary.rows.kept + sum(dropped.values()) + quarantined

    # every row stands in exactly one record
    told = {what: numbers(sorted((run / what).rglob("*.parquet"))) for what in ("dropped", "quarantine")}
    shards = sorted((Path(summary.candidate) / "data").rglob("*.parquet"))
    sidecars = [run / "provenance" / f"{shard.parent.name}-{shard.stem.removeprefix('part-')}.parquet" for shard in shards]
    told["released"] = numbers(sidecars)
    assert {what: len(rows) for what, rows in told.items()} == {
        "dropped": sum(dropped.values()),
        "quarantine": quarantined,
        "released": summary.rows.kept,
    }
    times = np.bincount(np.concatenate(list(told.values())), minlength=ROWS)
    assert (times == 1).all()
    assert (told["quarantine"] % 500 == 3).all()
    assert np.isin(told["dropped"] % 10, (4, 9)).all()

    # and every released row is the one that its record names
    for shard, sidecar in zip(shards, sidecars, strict=True):
        rows, n = pl.read_parquet(shard), numbers([sidecar])
        assert (rows["key"].to_numpy() == n).all()
        assert (rows["value"].to_numpy() == n % 1000).all()
        assert (rows["name"] == pl.select("name " + pl.Series(n % 977).cast(pl.String)).to_series()).all()
