"""Workers that die, hang or starve: what it costs is their part's time, and the rows that did it."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab.engine import pool as pool_module
from datalab.engine.isolate import MOST_CRASHES
from datalab.engine.pool import Pool, usable_cores
from datalab.errors import RunFailed
from datalab.model.step import ROW, Bound, MapStep, Outcome
from tests.unit.engine.conftest import FirstByKey, Upper, contents, people, reasons


@dataclass(frozen=True, slots=True)
class Deadly(MapStep):
    """End the process in one of several ways where ``column`` holds ``value``."""

    column: str
    value: str
    how: str
    marker: str = ""

    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        if not (frame[self.column] == self.value).any():
            return Outcome(frame)
        _ENDS[self.how](self)
        return Outcome(frame)


def _only_once(step: Deadly) -> None:
    """A stroke of bad luck, which does not come again."""
    if not Path(step.marker).exists():
        Path(step.marker).touch()
        os.abort()


_ENDS = {
    "abort": lambda _step: os.abort(),
    "segfault": lambda _step: ctypes.string_at(0),
    "kill": lambda _step: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda _step: os._exit(3),
    "hang": lambda _step: time.sleep(3600),
    "memory": lambda _step: pl.zeros(400_000_000, pl.UInt64, eager=True),
    "python-memory": lambda _step: bytearray(3_000_000_000),
    "once": _only_once,
}


def quarantined(bench, plan) -> list[int]:
    return sorted(
        row for path in bench.folder(plan).path("quarantine").rglob("*.parquet") for row in pq.read_table(path)[ROW].to_pylist()
    )


def deadly_people(count: int, *rows: int) -> list[str]:
    return people(count, **{f"r{row}": "deadly" for row in rows})


@pytest.mark.parametrize("how", ["abort", "segfault", "kill", "exit"])
def test_rows_that_kill_are_quarantined_over_several_parts_and_nothing_else(bench, how):
    killing = (3, 9, 10)  # two in one part, neighbours; parts without
    steps = [Upper("city"), Deadly("name", "deadly", how)]
    plan = bench.plan(deadly_people(24, *killing), steps, part_rows=6, quarantine_limit=1)
    done = bench.run(plan, workers=2, attempts=1)

    assert reasons(done.rows.quarantined) == {"worker-crash": len(killing)}
    assert (done.rows.rows_in, done.rows.kept) == (24, 24 - len(killing))
    assert quarantined(bench, plan) == list(killing)


def test_a_killing_row_is_found_after_a_keyed_step_too(bench):
    """The verdicts of the step before are of the whole part; a probe sees a piece of it."""
    rows = [*people(20), "20,name1,Bonn", "21,name2,Bonn", "22,deadly,Bonn", "23,name3,Bonn"]
    plan = bench.plan(rows, [FirstByKey("name"), Deadly("name", "deadly", "abort")], part_rows=8, quarantine_limit=1)
    done = bench.run(plan, attempts=1)

    assert reasons(done.rows.quarantined) == {"worker-crash": 1}
    assert reasons(done.rows.dropped) == {"duplicate": 3}
    assert quarantined(bench, plan) == [22]


def test_a_death_that_does_not_come_again_costs_an_attempt_and_no_row(bench, tmp_path):
    step = Deadly("name", "deadly", "once", str(tmp_path / "marker"))
    done = bench.run(bench.plan(deadly_people(30, 7), [step], part_rows=10), attempts=2)

    assert done.rows.kept == 30
    assert not done.rows.quarantined


def test_the_result_does_not_depend_on_who_died_when(bench, tmp_path):
    once = Deadly("name", "deadly", "once", str(tmp_path / "marker"))
    unlucky = bench.run(bench.plan(deadly_people(40, 9), [once], part_rows=10), attempts=3)
    lucky = bench.run(bench.plan(deadly_people(40, 9), [once], part_rows=10), name="other", workers=2)
    assert contents(unlucky) == contents(lucky)


@pytest.mark.parametrize("how", ["memory", "python-memory"])
def test_a_row_that_needs_more_memory_than_a_worker_may_have_costs_only_itself(bench, how):
    plan = bench.plan(deadly_people(24, 13), [Deadly("name", "deadly", how)], part_rows=8, quarantine_limit=1)
    done = bench.run(plan, attempts=1, memory_mb=700)

    assert reasons(done.rows.quarantined) == {"worker-crash": 1}
    assert quarantined(bench, plan) == [13]


def test_a_limit_that_no_part_fits_into_stops_the_run_and_says_what_to_change(bench):
    with pytest.raises(RunFailed, match="worker_memory_mb"):
        bench.run(bench.plan(people(8), [Upper("name")]), attempts=1, memory_mb=30)


@pytest.mark.slow
def test_a_row_on_which_a_step_never_returns_is_quarantined_and_nothing_else(bench):
    plan = bench.plan(deadly_people(12, 5), [Deadly("name", "deadly", "hang")], part_rows=4, quarantine_limit=1)
    started = time.monotonic()
    done = bench.run(plan, workers=2, part_seconds=4)

    assert reasons(done.rows.quarantined) == {"worker-crash": 1}
    assert quarantined(bench, plan) == [5]
    assert time.monotonic() - started < 90


def test_a_step_that_kills_on_every_row_is_broken_and_stops_the_run(bench, monkeypatch):
    monkeypatch.setattr(pool_module, "MOST_CRASHES", 2)
    assert MOST_CRASHES > 2
    plan = bench.plan(["1,deadly,Bonn"] * 6, [Deadly("name", "deadly", "abort")], part_rows=6)
    with pytest.raises(RunFailed, match=r"died again and again \(SIGABRT\)"):
        bench.run(plan, attempts=1)


def test_workers_leave_no_core_file_and_die_with_their_parent(bench):
    """What the kernel was told about them."""
    plan = bench.plan(people(10), [Upper("name")])
    folder = bench.folder(plan)
    folder.create_root()
    folder.save_plan(plan)
    with Pool(plan, folder, workers=1) as pool:
        from datalab.engine.task import Task

        list(pool.run([Task(0, 0)]))
        [worker] = pool._workers
        limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
        pid = worker.process.pid
    assert not Path(f"/proc/{pid}").exists()


def test_no_more_workers_than_cores_that_may_be_used(bench):
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
        assert Pool(bench.plan(people(1), []), bench.folder(bench.plan(people(1), []))).size == 1
    finally:
        os.sched_setaffinity(0, allowed)
