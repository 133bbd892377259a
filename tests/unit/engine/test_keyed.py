"""Samples, joins by exchange, shuffled releases and shards by bytes: one result for any parts, partitions and workers."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab.engine import exchange, shuffle
from datalab.engine.drive import Executed
from datalab.engine.plan import Input, make_plan
from datalab.errors import SchemaError, UsageError
from datalab.formats import detect
from datalab.model.agreement import SourceObject
from datalab.model.pipeline import Release, Splits
from datalab.model.settings import Settings
from datalab.model.step import ROW, Bound, MapStep, Outcome
from datalab.services import cleaning as clean
from datalab.services import enrichment as enrich
from tests.unit.engine.conftest import Upper, contents, people, reasons

ONE_SPLIT = Splits(shares={"all": 1.0})


def released(bench, plan, done: Executed) -> pl.DataFrame:
    paths = [bench.folder(plan).path(receipt.files["shard"].path) for receipt in done.shards]
    return pl.concat([pl.from_arrow(pq.read_table(path, partitioning=None)) for path in paths])


# samples


def test_a_share_needs_no_exchange_and_keeps_what_it_drew(bench):
    plan = bench.plan(people(2000), [clean.Sample(share=0.25), Upper("name")], splits=ONE_SPLIT)
    done = bench.run(plan)
    more = bench.plan(people(2500), [clean.Sample(share=0.25)], splits=ONE_SPLIT, part_rows=37)
    drawn = set(released(bench, plan, done)["id"])

    assert [stage.kind.value for stage in plan.stages] == ["intake", "map", "map", "shards", "unique"]
    assert 430 < len(drawn) < 570
    assert reasons(done.rows.dropped) == {"not-in-sample": 2000 - len(drawn)}
    assert drawn == {name for name in released(bench, more, bench.run(more))["id"] if int(name) < 2000}


def test_a_number_of_rows_is_exact_for_every_cut(bench, monkeypatch):
    steps = [clean.Sample(rows=300), Upper("name")]
    one = bench.run(bench.plan(people(1000), steps, part_rows=10_000))
    monkeypatch.setattr(exchange, "_PARTITION_BYTES", 1000)
    two = bench.run(bench.plan(people(1000), steps, part_rows=77), workers=2)

    assert one.rows.kept == 300
    assert contents(one) == contents(two)


def test_as_many_of_each_value(bench):
    rows = [f"{n},{'rare' if n % 100 == 0 else 'common'},{('Bonn', '')[n % 2]}" for n in range(1000)]
    plan = bench.plan(rows, [clean.Sample(rows=25, by=["name", "city"])], splits=ONE_SPLIT)
    counts = dict(released(bench, plan, bench.run(plan)).group_by("name").len().rows())

    assert counts == {"rare": 10, "common": 50}


def test_more_rows_than_there_are_and_none_at_all(bench):
    assert bench.run(bench.plan(people(10), [clean.Sample(rows=50)])).rows.kept == 10
    assert bench.run(bench.plan([], [clean.Sample(rows=50), clean.Sample(share=1.0)])).rows.kept == 0
    assert bench.run(bench.plan(people(10), [clean.Sample(share=1.0)])).rows.kept == 10


@pytest.mark.parametrize("wrong", [{}, {"share": 0.5, "rows": 3}, {"share": 1.5}, {"rows": -1}, {"share": 0.5, "by": "name"}])
def test_a_sample_that_says_nothing_or_too_much_is_refused(wrong):
    with pytest.raises(UsageError):
        clean.Sample(**wrong)
    with pytest.raises(SchemaError):
        clean.Sample(rows=1, by="nome").bind(pl.Schema({"name": pl.String}))


# shuffled releases and shards by bytes


def replan(bench, plan, **more):
    pipeline = dataclasses.replace(plan.pipeline, release=dataclasses.replace(plan.pipeline.release, **more))
    return make_plan(pipeline, plan.inputs, plan.references, plan.settings, None)


def test_a_shuffled_release_has_all_rows_in_one_random_order(bench, monkeypatch):
    plan = bench.plan(people(1000), [Upper("city")], splits=ONE_SPLIT)
    shuffled = replan(bench, plan, order="shuffled")
    before, after = bench.run(plan), bench.run(shuffled)
    ids = [int(name) for name in released(bench, shuffled, after)["id"]]

    assert sorted(ids) == list(range(1000))
    assert sum(one < other for one, other in pairwise(ids)) < 600
    assert [receipt.rows.kept for receipt in after.shards] == [receipt.rows.kept for receipt in before.shards]
    for receipt in after.shards:
        rows = pq.read_table(bench.folder(shuffled).path(receipt.files["shard"].path), partitioning=None)
        origin = pq.read_table(bench.folder(shuffled).path(receipt.files["provenance"].path))
        assert [int(name) for name in rows["id"].to_pylist()] == origin[ROW].to_pylist()

    monkeypatch.setattr(shuffle, "_PARTITION_BYTES", 1000)
    cut = replan(bench, bench.plan(people(1000), [Upper("city")], splits=ONE_SPLIT, part_rows=77), order="shuffled")
    assert contents(bench.run(cut, workers=2)) == contents(after)
    other = replan(bench, bench.plan(people(1000), [Upper("city")], splits=ONE_SPLIT, seed=1), order="shuffled")
    assert contents(bench.run(other)) != contents(after)


def test_a_shuffled_release_of_one_row_and_of_none(bench):
    for count in (0, 1):
        assert bench.run(replan(bench, bench.plan(people(count), []), order="shuffled")).rows.kept == count


def test_shards_by_bytes(bench):
    rows = [f"{n},{'x' * (5_000 if n % 50 == 0 else 20)},Bonn" for n in range(3000)]
    plan = replan(bench, bench.plan(rows, [], splits=ONE_SPLIT, part_rows=700), bytes_per_shard=40_000)
    done = bench.run(plan)
    sizes = [
        pq.read_table(bench.folder(plan).path(receipt.files["shard"].path), partitioning=None).nbytes for receipt in done.shards
    ]

    assert done.rows.kept == 3000
    assert released(bench, plan, done)["id"].to_list() == [str(n) for n in range(3000)]
    assert all(28_000 < size < 46_000 for size in sizes[:-1]), sizes


def test_a_row_larger_than_a_shard_is_a_shard(bench):
    plan = replan(bench, bench.plan([f"{n},{'y' * 9_000},Bonn" for n in range(4)], [], splits=ONE_SPLIT), bytes_per_shard=1_000)
    assert [receipt.rows.kept for receipt in bench.run(plan).shards] == [1, 1, 1, 1]


def test_rows_larger_than_a_shard_before_smaller_ones(bench):
    """What a row takes beyond its shard is not taken from the next one."""
    rows = [f"{n},{'y' * (9_000 if n < 64 else 2_000)},Bonn" for n in range(128)]
    plan = replan(bench, bench.plan(rows, [], splits=ONE_SPLIT), bytes_per_shard=1_000)
    done = bench.run(plan)

    assert [receipt.rows.kept for receipt in done.shards] == [1] * 128
    assert released(bench, plan, done)["id"].to_list() == [str(n) for n in range(128)]


def test_what_a_release_cannot_be():
    for wrong in ({"order": "random"}, {"bytes_per_shard": -1}):
        with pytest.raises(UsageError):
            Release(licence="CC0-1.0", description="x", **wrong)


# joins


class Peeks(MapStep):
    """Looks at a whole reference."""

    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        context.reference("towns")
        return Outcome(frame)


def joined(bench, steps, towns: list[str], *, reference_mb: int, rows=None, part_rows=100, suffix=".csv"):
    plan = bench.plan(people(1000) if rows is None else rows, steps, splits=ONE_SPLIT, part_rows=part_rows)
    path = Path(bench.root / f"towns{suffix}")
    data = ("\n".join(["town,mayor,note", *towns]) + "\n").encode()
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    stored = path.read_bytes()
    item = SourceObject(1, path.name, path, "csv", len(stored), hashlib.sha256(stored).hexdigest(), "towns", "a")
    references = {"towns": [Input(item, detect(path, {"format": "csv"}))]}
    return make_plan(plan.pipeline, plan.inputs, references, Settings(root=bench.root, reference_mb=reference_mb), None)


TOWNS = [*(f"town{n},mayor{n},{n}" for n in range(500)), "Bonn,Ada,1", "Gent,Bo,2", ",Nobody,3"]
JOINS = {
    "keep": enrich.Join("towns", on={"city": "town"}, columns={"mayor": "mayor", "code": "note"}, types={"code": pl.Int64}),
    "drop": enrich.Join("towns", on={"city": "town"}, columns=["mayor"], missing="drop"),
    "quarantine": enrich.Join("towns", on={"city": "town"}, columns={"again": "town"}, missing="quarantine"),
}


@pytest.mark.parametrize("how", JOINS)
def test_a_join_by_exchange_is_the_join(bench, monkeypatch, how):
    steps = [Upper("name"), JOINS[how], clean.ExactDuplicates("name"), Upper("name")]
    rows = [*people(500), *(f"{n},nobody{n}," for n in range(500, 520)), *(f"{n},again{n},Bonn" for n in range(520, 800))]
    lent = joined(bench, steps, TOWNS, reference_mb=64, rows=rows)
    sent = joined(bench, steps, TOWNS, reference_mb=0, rows=rows, part_rows=61)
    one = bench.run(lent)
    monkeypatch.setattr(exchange, "_PARTITION_BYTES", 5000)
    two = bench.run(sent, workers=2)

    kinds = [stage.kind.value for stage in sent.stages]
    assert kinds[1:5] == ["map", "reference", "reduce", "map"]
    assert "reference" not in [stage.kind.value for stage in lent.stages]
    assert contents(one) == contents(two)
    assert (one.rows.kept, one.rows.dropped, one.rows.quarantined) == (two.rows.kept, two.rows.dropped, two.rows.quarantined)
    assert not bench.folder(sent).path("references").exists()


@pytest.mark.parametrize("reference_mb", [0, 64])
def test_a_key_held_twice_is_refused_or_the_first_counts(bench, reference_mb):
    towns = ["Bonn,First,1", *(f"Bonn,Later{n},2" for n in range(70)), "Riga,Only,3"]
    step = enrich.Join("towns", on={"city": "town"}, columns=["mayor"])
    with pytest.raises(UsageError, match="70 entries"):
        bench.run(joined(bench, [step], towns, reference_mb=reference_mb))
    plan = joined(bench, [dataclasses.replace(step, repeated="first")], towns, reference_mb=reference_mb)
    found = released(bench, plan, bench.run(plan)).select("city", "mayor").unique().sort("city").rows()
    assert found == [("Bonn", "First"), ("Gent", None), ("Riga", "Only")]


def test_a_small_packed_reference_counts_by_what_it_unpacks_to(bench):
    towns = [f"town{n},{'m' * 200},{n}" for n in range(2000)]
    step = enrich.Join("towns", on={"city": "town"}, columns=["mayor"])
    assert joined(bench, [step], towns, reference_mb=1, suffix=".csv.gz").exchanged == frozenset()
    assert joined(bench, [step], [*TOWNS], reference_mb=0, suffix=".csv.gz").exchanged == {"towns"}


def test_a_reference_that_is_exchanged_is_not_given_whole(bench):
    with pytest.raises(UsageError, match="too large to be given whole"):
        bench.run(joined(bench, [Peeks(), JOINS["keep"]], TOWNS, reference_mb=0))


def test_a_column_that_the_reference_lacks_is_named(bench):
    step = enrich.Join("towns", on={"city": "twon"}, columns=["mayor"])
    for reference_mb in (0, 64):
        with pytest.raises(SchemaError, match="did you mean"):
            bench.run(joined(bench, [step], TOWNS, reference_mb=reference_mb))


# one key, many rows


def test_equal_rows_meet_in_their_part_before_they_travel(bench):
    plan = bench.plan(
        [f"{n},same,Bonn" for n in range(3000)], [clean.DuplicatesByKey("name", keep="last")], part_rows=500, splits=ONE_SPLIT
    )
    done = bench.run(plan)
    [first] = [stage.number for stage in plan.stages if stage.kind == "map" and stage.keyed is not None]
    sent = [bench.folder(plan).receipt(first, part).files["keys"].rows for part in range(6)]

    assert sent == [1] * 6
    assert reasons(done.rows.dropped) == {"duplicate-key": 2999}
    assert released(bench, plan, done)["id"].to_list() == ["2999"]
