"""Parts cut from row groups: any cut gives the same rows with the same origins; what is damaged is found; what is poisonous is set apart."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from datalab import clean, standardise
from datalab.engine.drive import execute, locked
from datalab.engine.parts import spans
from datalab.engine.plan import Input
from datalab.errors import ReadError
from datalab.formats import detect
from datalab.kernels.content import release_digest
from datalab.model.agreement import SourceObject
from datalab.model.step import ROW, SOURCE
from tests.unit.engine.conftest import Bench, Deaf, DropWhere, FirstByKey, Here, Trips, Upper, contents, reasons

ROWS = pl.DataFrame(
    {
        "name": [f"name{n % 97}" for n in range(700)],
        "city": [("Bonn", "Gent", "Riga")[n % 3] for n in range(700)],
        "number": [None if n % 11 == 0 else n for n in range(700)],
        "left": ["aside"] * 700,
    }
)
STEPS = [Upper("name"), DropWhere("city", "Riga"), FirstByKey("name")]
OURS = [
    standardise.Text("name"),
    clean.InSet("city", ["Bonn", "Gent"]),
    clean.ExactDuplicates(["name"]),
    standardise.Drop("left"),
]

EXPECTED = "c47a6457d2f158bc0b9306025336f08f249668cfc94ea62cd0e930b865653d1c"
"""Content digest of what `OURS` leaves of `ROWS`."""


def digest(done):
    return release_digest(
        done.shards[0].facts["schema"], [(r.facts["split"], r.rows.kept, r.facts["content"]) for r in done.shards]
    )


@given(
    group=st.integers(1, 900),
    part_rows=st.integers(20, 900),
    form=st.sampled_from(["parquet", "parquet dictionary", "arrow", "arrow lz4", "csv"]),
)
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_any_cut_into_row_groups_and_parts_gives_the_same_digest(group, part_rows, form):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        table = ROWS.with_columns(pl.col("number").cast(pl.String)).to_arrow(compat_level=pl.CompatLevel.oldest())
        path = bench.root / f"rows.{form.split()[0]}"
        if form.startswith("parquet"):
            if "dictionary" in form:  # polars would read this column as another type: the file is read from its beginning
                table = table.set_column(0, "name", table.column("name").dictionary_encode())
            pq.write_table(table, path, row_group_size=group, data_page_size=256)
        elif form == "csv":
            ROWS.write_csv(path)
        else:
            options = pa.ipc.IpcWriteOptions(compression="lz4" if "lz4" in form else None)
            with pa.ipc.new_file(str(path), table.schema, options=options) as writer:
                writer.write_table(table, max_chunksize=group)
        done = bench.here(bench.plan_of([path], OURS, part_rows=part_rows))

        assert digest(done) == EXPECTED
        assert (done.rows.rows_in, reasons(done.rows.dropped)) == (700, {"not-in-set": 233, "exact-duplicate": 370})


@given(counts=st.lists(st.integers(0, 50), max_size=12), part_rows=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_parts_cover_every_record_once_and_none_is_too_large(counts, part_rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        schema = pa.schema([pa.field("n", pa.int64())])
        with pq.ParquetWriter(path, schema) as writer:
            for count in counts:
                writer.write_table(pa.table({"n": list(range(count))}, schema=schema))
        source = Input(SourceObject(0, path.name, path, "parquet", 1, "", "a", "b"), detect(path, {"format": "parquet"}))
        found = spans(source, pl.Schema({"n": pl.Int64()}), part_rows)

    assert [record for first, rows in found for record in range(first, first + rows)] == list(range(sum(counts)))
    assert all(0 < rows <= part_rows for _, rows in found)


def test_rows_keep_the_record_numbers_of_their_files(bench):
    plan = bench.table(ROWS, [DropWhere("city", "Riga")], groups=(60, 1000, 33))
    done = bench.here(plan)
    origin = pl.concat(pl.read_parquet(bench.folder(plan).path(shard.files["provenance"].path)) for shard in done.shards).sort(
        SOURCE, ROW
    )
    borders = [0, 233, 466, 700]

    expected = [
        (n, row) for n in range(3) for row in range(borders[n + 1] - borders[n]) if ROWS["city"][borders[n] + row] != "Riga"
    ]
    assert origin.rows() == expected


def test_no_file_is_written_before_the_first_step(bench):
    plan = bench.table(ROWS, STEPS, groups=(100, 5000))
    bench.here(plan)

    assert not bench.folder(plan).path("rows/00").exists()
    assert plan.stages[1].reads == ("name", "city", "number", "left")


def test_a_row_that_kills_workers_is_found_in_a_part_that_is_read_from_its_source(bench):
    rows = ROWS.with_columns(name=pl.when(pl.int_range(pl.len()) == 450).then(pl.lit("deadly")).otherwise("name"))
    done = bench.run(bench.table(rows, [Trips("name", "deadly", how="abort")], groups=(64, 500)), attempts=1)

    assert reasons(done.rows.quarantined) == {"worker-crash": 1}
    assert done.rows.kept == 699


@pytest.mark.parametrize("stage", ["01", "02"])
def test_a_file_between_passes_that_was_damaged_is_made_again(bench, stage):
    plan = bench.table(ROWS, STEPS)
    whole = bench.here(plan)
    victim = min(path for path in bench.folder(plan).path("").rglob("*.arrow") if f"/{stage}/" in str(path))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0xFF
    victim.write_bytes(data)
    again = bench.here(plan)

    assert contents(again) == contents(whole)
    assert victim.read_bytes() != data


def test_a_source_that_is_not_what_its_footer_says_is_refused(bench):
    plan = bench.table(ROWS, [Upper("name")])
    folder = bench.folder(plan)
    with locked(folder, lambda: None):
        source = plan.inputs[0].object.path
        data = bytearray(source.read_bytes())
        data[4:3000] = bytes(2996)
        source.write_bytes(data)
        with pytest.raises(ReadError, match=r"cannot be read|not what the file states"):
            execute(plan, folder, Here(plan, folder), Deaf())


def test_each_step_states_what_it_cost(bench):
    plan = bench.table(ROWS, STEPS)
    bench.here(plan)
    receipt = bench.folder(plan).receipt(1, 0)

    assert set(receipt.costs) == {"read", *plan.labels, "write"}
    assert receipt.costs[plan.labels[1]]["rows"] == receipt.rows.rows_in
    assert all(
        cost["microseconds"] >= 0 and cost.keys() == {"rows", "bytes", "microseconds"} for cost in receipt.costs.values()
    )


def test_costs_are_no_part_of_what_a_receipt_states(bench):
    plan = bench.table(ROWS, STEPS)
    one, two = bench.here(plan), bench.here(plan, name="other")

    assert [shard.as_json()["digest"] for shard in one.shards] == [shard.as_json()["digest"] for shard in two.shards]
