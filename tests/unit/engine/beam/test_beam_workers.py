"""Beam as an engine: what comes out is what the local one gives, whatever dies meanwhile; errors come back as ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from datalab.engine.beam import BeamWorkers
from datalab.engine.beam.hands import Terms, dismiss, hand
from datalab.engine.beam.parts import Errand, descriptor
from datalab.engine.drive import execute, locked
from datalab.engine.plan import StageKind
from datalab.engine.task import Task
from datalab.errors import RunFailed, SchemaError
from datalab.model.step import Bound, MapStep, Outcome
from tests.unit.engine.conftest import Deaf, DropWhere, FirstByKey, Trips, Upper, contents, people, reasons

ROOT = Path(__file__).parents[4]
STEPS = (Upper("name"), DropWhere("city", "Riga"), FirstByKey("name"))


@dataclass(frozen=True, slots=True)
class Refuses(MapStep):
    """Raise an error of datalab's own, as a step does whose settings turn out to be wrong."""

    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        raise SchemaError("the column cannot be mapped", where="city", next="map it by hand")


@dataclass(frozen=True, slots=True)
class Pauses(MapStep):
    """Take a while for each part."""

    seconds: float

    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        time.sleep(self.seconds)
        sys.stdout.write("x" * 200_000)
        return Outcome(frame)


def on_beam(bench, plan, *, runner="fnapi", watcher=None, name="beam", options=None, **settings):
    folder = bench.folder(plan, name)
    settings = replace(plan.settings, **{"workers": 2, "attempts": 2, **settings})
    with locked(folder, lambda: None):
        folder.save_plan(plan)
        with BeamWorkers(plan, folder, settings, runner=runner, options=options) as workers:
            return execute(plan, folder, workers, watcher or Deaf())


def test_the_same_content_as_the_local_engine(bench):
    plan = bench.plan(people(1000), STEPS)
    ours, theirs = bench.run(plan), on_beam(bench, plan)
    assert contents(theirs) == contents(ours)
    assert theirs.rows == ours.rows
    assert not list(bench.folder(plan, "beam").root.rglob(".writing-*"))


def test_a_row_that_kills_its_worker_is_quarantined_and_nothing_else(bench):
    plan = bench.plan(people(300, r42="bad"), (Trips("name", "bad", "abort"), Upper("name")))
    ours, theirs = bench.run(plan), on_beam(bench, plan)
    assert theirs.rows == ours.rows
    assert sum(reasons(theirs.rows.quarantined).values()) == 1
    assert contents(theirs) == contents(ours)


def test_an_error_of_a_part_comes_back_as_it_was_raised(bench):
    plan = bench.plan(people(300), (Refuses(),))
    with pytest.raises(SchemaError) as raised:
        on_beam(bench, plan)
    assert (raised.value.what, raised.value.where, raised.value.next) == (
        "the column cannot be mapped",
        "city",
        "map it by hand",
    )


def test_receipts_are_seen_while_the_job_runs(bench):
    seen = []

    class Notes(Deaf):
        def receipt(self, stage, receipt):
            if stage.kind == StageKind.MAP:
                seen.append(time.monotonic())

    plan = bench.plan(people(500), (Pauses(0.5),))
    on_beam(bench, plan, watcher=Notes(), workers=1)
    assert len(seen) == 5
    assert seen[-1] - seen[0] > 1.0, "they did not come all at once, at the end"


def test_what_an_earlier_run_finished_is_not_worked_again(bench):
    plan = bench.plan(people(500), STEPS)
    on_beam(bench, plan)
    [receipt] = bench.folder(plan, "beam").root.glob("receipts/00/*.json")
    before = {path: path.stat().st_mtime_ns for path in bench.folder(plan, "beam").root.glob("receipts/*/*.json")}
    [lost, *_] = bench.folder(plan, "beam").root.glob("receipts/01/*.json")
    lost.unlink()
    again = on_beam(bench, plan)
    after = {path: path.stat().st_mtime_ns for path in before}
    assert [path for path in before if before[path] != after[path]] == [lost]
    assert again.resumed == len(before) - 1
    assert receipt in before


def test_a_part_that_a_runner_hands_out_twice_is_worked_once(bench):
    plan = bench.plan(people(50), (Upper("name"),))
    folder = bench.folder(plan, "twice")
    folder.create_root()
    folder.save_plan(plan)
    errand = Errand("beam/x", Terms(folder, plan.stages, plan.labels, 0, 1, 0.0, (str(ROOT),)))
    task = Task(**json.loads(descriptor(Task(0, 0))))
    errand.work(task)
    written = folder.receipt_path(0, 0).stat().st_mtime_ns
    errand.work(task)
    assert folder.receipt_path(0, 0).stat().st_mtime_ns == written
    errand.stop()
    folder.receipt_path(0, 0).unlink()
    errand.work(task)
    assert not folder.receipt_path(0, 0).exists(), "an errand that is stopped begins no part"
    dismiss()


def test_worker_processes_are_kept_for_the_next_job_and_end_when_dismissed(bench):
    plan = bench.plan(people(50), (Upper("name"),))
    folder = bench.folder(plan, "kept")
    folder.create_root()
    folder.save_plan(plan)
    terms = Terms(folder, plan.stages, plan.labels, 0, 1, 0.0, (str(ROOT),))
    with hand(terms) as first:
        first.work(Task(0, 0))
        with hand(terms) as second:
            assert second is not first, "each holds one part at a time"
    with hand(terms) as again:
        assert again in (first, second)
    dismiss(folder.root)
    with hand(terms) as other:
        assert other not in (first, second)
    dismiss(folder.root)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_that_loses_beams_worker_process_is_followed_by_another(bench):
    """Beam's own runner waits for ever for a worker process that was killed; we do not."""
    plan = bench.plan(people(400), (Pauses(1.0),))
    killed = []

    def kill_one():
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            time.sleep(0.1)
            if not list(bench.folder(plan, "beam").root.glob("receipts/01/*.json")):
                continue
            for children in Path("/proc/self/task").glob("*/children"):
                for pid in children.read_text().split():
                    if b"sdk_worker_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(int(pid), signal.SIGKILL)
                        killed.append(pid)
                        return

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = on_beam(bench, plan, options={"direct_running_mode": "multi_processing"})
    killer.join()
    assert killed
    assert contents(found) == contents(bench.run(plan))


def test_a_job_server_that_is_not_there_is_told_once_all_attempts_are_used_up(bench):
    plan = bench.plan(people(50), (Upper("name"),))
    options = {"job_endpoint": "localhost:9", "job_server_timeout": "1"}
    with pytest.raises(RunFailed, match="Beam left 1 of 1 parts undone") as failed:
        on_beam(bench, plan, runner="portable", options=options, attempts=1)
    assert "runner portable" in failed.value.where


def test_the_worker_pool_as_a_command_ends_when_it_is_told(tmp_path):
    command = [sys.executable, "-m", "datalab.engine.beam.worker_pool"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as pool:
        assert pool.stdout.readline().startswith("worker pool at 127.0.0.1:")
        pool.terminate()
        assert pool.wait(20) == 0
