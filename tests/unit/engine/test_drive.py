from __future__ import annotations

import json
import signal

import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab.engine.drive import execute, locked
from datalab.engine.pool import Pool
from datalab.engine.suite import evaluate_suite
from datalab.errors import RunFailed
from datalab.model.step import ROW, Bound, MapStep, Outcome
from datalab.quality import parse_suite
from tests.unit.engine.conftest import Deaf, DropWhere, FirstByKey, Trips, Upper, contents, people, reasons

STEPS = [Upper("name"), DropWhere("city", "Riga"), FirstByKey("name")]


def test_every_row_is_accounted_for(bench):
    done = bench.run(bench.plan(people(1000), STEPS))

    assert done.rows.rows_in == 1000
    assert reasons(done.rows.dropped) == {"unwanted": 333, "duplicate": 667 - 97}
    assert done.rows.kept == 97
    assert sum(receipt.rows.kept for receipt in done.shards) == 97


def test_workers_and_parts_do_not_show_in_the_result(bench):
    one = bench.run(bench.plan(people(1000), STEPS), workers=1)
    two = bench.run(bench.plan(people(1000), STEPS), name="other", workers=2)
    cut = bench.run(bench.plan(people(1000), STEPS, part_rows=333))

    assert contents(one) == contents(two) == contents(cut)


def test_the_same_plan_writes_the_same_bytes(bench):
    plan = bench.plan(people(500), STEPS)
    first, second = bench.run(plan), bench.run(plan, name="other", workers=2)

    assert [r.files["shard"].sha256 for r in first.shards] == [r.files["shard"].sha256 for r in second.shards]


def test_shards_hold_a_fixed_number_of_rows(bench):
    done = bench.run(bench.plan(people(1000), [Upper("name")], shards=150))

    rows = {}
    for receipt in done.shards:
        rows.setdefault(receipt.facts["split"], []).append(receipt.rows.kept)
    assert set(rows) == {"train", "test"}
    assert all(count == 150 for counts in rows.values() for count in counts[:-1])


def test_equal_values_stay_in_one_split(bench):
    from datalab.model.pipeline import Splits

    plan = bench.plan(people(1000), [Upper("name")], splits=Splits(shares={"train": 0.5, "test": 0.5}, together=("name",)))
    done = bench.run(plan)
    names = {"train": set(), "test": set()}
    for receipt in done.shards:
        table = pq.read_table(bench.folder(plan).path(receipt.files["shard"].path), partitioning=None)
        names[receipt.facts["split"]] |= set(table["name"].to_pylist())

    assert not names["train"] & names["test"]
    assert len(names["train"] | names["test"]) == 97


def test_provenance_leads_back_to_the_record(bench):
    plan = bench.plan(people(300), [DropWhere("city", "Riga")])
    done = bench.run(plan)
    folder = bench.folder(plan)
    for receipt in done.shards:
        rows = pq.read_table(folder.path(receipt.files["shard"].path), partitioning=None)
        origin = pq.read_table(folder.path(receipt.files["provenance"].path))
        assert rows["id"].to_pylist() == [str(row) for row in origin[ROW].to_pylist()]


def test_a_poison_row_is_quarantined_with_its_payload_and_nothing_else(bench):
    plan = bench.plan(people(300, r123="poison"), [Upper("city"), Trips("name", "poison"), Upper("name")])
    done = bench.run(plan)

    assert reasons(done.rows.quarantined) == {"error-value-error": 1}
    assert done.rows.kept == 299
    [path] = bench.folder(plan).path("quarantine").rglob("*.parquet")
    [record] = pq.read_table(path).to_pylist()
    assert record[ROW] == 123
    assert json.loads(record["payload"])["name"] == "poison"


def test_a_quarantined_row_is_kept_as_it_was_before_the_step(bench):
    from datalab.services.standardisation import Types

    plan = bench.plan(people(50, r7="not a number"), [Types({"name": "integer"})], quarantine_limit=1.0)
    bench.run(plan)
    payloads = [
        json.loads(r["payload"])
        for p in bench.folder(plan).path("quarantine").rglob("*.parquet")
        for r in pq.read_table(p).to_pylist()
    ]

    assert {"id": "7", "name": "not a number", "city": "Gent"} in payloads


def test_a_row_that_kills_workers_is_quarantined_and_nothing_else(bench):
    plan = bench.plan(people(200, r150="deadly"), [Trips("name", "deadly", how="abort")], part_rows=64)
    done = bench.run(plan, attempts=1)

    assert reasons(done.rows.quarantined) == {"worker-crash": 1}
    assert done.rows.kept == 199


def test_a_step_that_is_broken_stops_the_run_without_quoting_the_data(bench):
    plan = bench.plan(["1,same,Bonn"] * 600, [Trips("name", "same")], part_rows=600)

    with pytest.raises(RunFailed, match="ValueError") as caught:
        bench.run(plan)
    assert "cannot bear" not in str(caught.value)


class Cheat(MapStep):
    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        return Outcome(frame.head(1))


def test_a_step_that_loses_rows_itself_is_found_out(bench):
    with pytest.raises(RunFailed, match="changed the number of rows"):
        bench.run(bench.plan(people(10), [Cheat()]))


def test_a_second_run_finds_everything_done(bench):
    plan = bench.plan(people(500), STEPS)
    first = bench.run(plan)
    again = bench.run(plan)

    assert again.resumed > 0
    assert contents(again) == contents(first)
    assert again.resumed == sum(1 for _ in bench.folder(plan).path("receipts").rglob("*.json"))


def test_a_torn_receipt_is_worked_off_again(bench):
    plan = bench.plan(people(500), STEPS)
    first = bench.run(plan)
    receipts = sorted(bench.folder(plan).path("receipts").rglob("*.json"))
    receipts[3].write_bytes(receipts[3].read_bytes()[:40])
    receipts[5].unlink()

    assert contents(bench.run(plan)) == contents(first)


class Stop(Exception):
    pass


class StopsAfter(Deaf):
    def __init__(self, receipts):
        self.left = receipts

    def receipt(self, stage, receipt):
        self.left -= 1
        if not self.left:
            raise Stop


@pytest.mark.parametrize("after", [1, 4, 9, 14])
def test_an_interrupted_run_resumes_to_the_same_result(bench, after):
    plan = bench.plan(people(500), STEPS)
    whole = bench.run(plan, name="whole")

    with pytest.raises(Stop):
        bench.run(plan, watcher=StopsAfter(after))
    assert contents(bench.run(plan)) == contents(whole)


class KillsAWorker(Deaf):
    def __init__(self, pool):
        self.pool, self.killed = pool, 0

    def receipt(self, stage, receipt):
        if self.killed < 3:
            import os

            busy = [worker for worker in self.pool._workers if worker.task is not None]
            for worker in busy[:1]:
                os.kill(worker.process.pid, signal.SIGKILL)
                self.killed += 1


def test_a_killed_worker_costs_only_an_attempt(bench):
    plan = bench.plan(people(1000), STEPS, part_rows=50)
    whole = bench.run(plan, name="whole")
    folder = bench.folder(plan)
    with locked(folder, lambda: None):
        folder.save_plan(plan)
        with Pool(plan, folder, workers=2, attempts=5) as pool:
            watcher = KillsAWorker(pool)
            done = execute(plan, folder, pool, watcher)

    assert watcher.killed
    assert contents(done) == contents(whole)


def test_no_row_at_all_is_a_result_too(bench):
    done = bench.run(bench.plan([], STEPS))

    assert (done.rows.rows_in, done.rows.kept, done.shards) == (0, 0, ())


def test_expectations_are_judged_on_the_released_rows(bench):
    suite = parse_suite(
        {
            "name": "people",
            "expectations": [
                {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
                {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "name"}},
                {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "city"}},
            ],
        }
    )
    plan = bench.plan(people(300), [Upper("name")], suite=suite)
    done = bench.run(plan, workers=2)
    result = evaluate_suite(plan, bench.folder(plan), done)

    assert [check.success for check in result.results] == [True, False, True]
    assert result.results[1].unexpected_count == 300


def test_bad_lines_are_quarantined_with_their_line(bench):
    rows = people(50)
    rows[10] = "10,too,many,fields,here"
    plan = bench.plan(rows, [Upper("name")])
    done = bench.run(plan)

    assert done.rows.rows_in == 50
    assert done.rows.rows_quarantined == 1
    [path] = bench.folder(plan).path("quarantine").rglob("*.parquet")
    assert pl.read_parquet(path)["line"].to_list() == [12]


def test_many_partitions_give_the_same_result_as_one(bench, monkeypatch):
    from datalab.engine import exchange

    plan = bench.plan(people(1000), STEPS)
    one = bench.run(plan)
    monkeypatch.setattr(
        exchange, "_PARTITION_BYTES", 90 * FirstByKey.row_bytes
    )  # the rows before and after each pass need different numbers
    many = bench.run(plan, name="many")

    assert contents(many) == contents(one)
    assert len(list(bench.folder(plan, "many").path("findings").rglob("*.arrow"))) > 5
