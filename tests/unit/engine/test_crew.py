"""Several processes that share a plan and meet only in its folder; here they are threads, each with its own view."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from datalab.engine.crew import Crew
from datalab.engine.drive import execute
from datalab.engine.folder import RunFolder
from datalab.engine.pool import Pool
from datalab.engine.signs import Lookout, Member, Sign
from datalab.engine.task import Task, perform
from datalab.errors import UsageError
from tests.unit.engine.conftest import Deaf, DropWhere, FirstByKey, Upper, contents, people

STEPS = [Upper("name"), DropWhere("city", "Riga"), FirstByKey("name")]
PATIENCE = 1.5


class Inline:
    """Workers that are no processes: for tests of what is around them."""

    def __init__(self, plan, folder):
        self.plan, self.folder = plan, folder
        self.done: list[tuple[int, int]] = []

    def run(self, tasks):
        for task in tasks:
            self.done.append((task.stage, task.part))
            yield perform(self.plan, self.folder, task)


def ready(bench, **more):
    plan = bench.plan(people(600), STEPS, part_rows=50, **more)
    folder = bench.folder(plan)
    folder.create_root()
    folder.save_plan(plan)
    return plan, folder


def work(plan, folder, member, *, workers=None, patience=PATIENCE, heard=None):
    """Be one member; return what came of the plan, and the crew."""
    view = RunFolder(folder.root)
    with Sign(view, member, patience) as sign:
        say = (heard if heard is not None else []).append
        crew = Crew(workers or Inline(plan, view), view, sign, Lookout(view, patience), say, at_once=2)
        return execute(plan, view, crew, Deaf(), member.owns), crew


@pytest.fixture
def truth(bench):
    return contents(bench.run(bench.plan(people(600), STEPS, part_rows=50), name="truth"))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_members_come_to_the_same_result_and_share_the_work(bench, truth, count):
    plan, folder = ready(bench)
    with ThreadPoolExecutor(count) as together:
        members = [Member(index, count) for index in range(count)]
        done = list(together.map(lambda member: work(plan, folder, member, patience=60.0), members))
    assert all(contents(executed) == truth for executed, _ in done)
    parts = len(list(folder.path("receipts").rglob("*.json")))
    assert sum(crew.worked for _, crew in done) == parts, "each part is worked once"
    assert sum(crew.taken_over for _, crew in done) == 0
    assert all(crew.worked + crew.seen + executed.resumed == parts for executed, crew in done)


def test_one_that_is_alone_waits_for_its_patience_and_then_does_it_all(bench, truth):
    plan, folder = ready(bench)
    heard = []
    started = time.monotonic()
    executed, crew = work(plan, folder, Member(1, 2), heard=heard)
    assert time.monotonic() - started >= PATIENCE
    assert contents(executed) == truth
    assert heard == ["shard 0/2 has given no sign of life for 2 s: taking its parts over"]
    assert crew.taken_over
    late, second = work(plan, folder, Member(0, 2))
    assert contents(late) == truth
    assert second.worked == 0


def test_one_that_ended_early_is_not_waited_for(bench, truth):
    plan, folder = ready(bench)
    with pytest.raises(KeyboardInterrupt), Sign(folder, Member(0, 2), 60.0):
        raise KeyboardInterrupt
    heard = []
    started = time.monotonic()
    executed, _ = work(plan, folder, Member(1, 2), patience=60.0, heard=heard)
    assert time.monotonic() - started < 30
    assert contents(executed) == truth
    assert heard == ["shard 0/2 is stopped: taking its parts over"]


def test_survivors_share_what_a_lost_member_left(bench, truth):
    plan, folder = ready(bench)
    with ThreadPoolExecutor(2) as together:
        done = list(together.map(lambda index: work(plan, folder, Member(index, 3)), (0, 2)))
    assert all(contents(executed) == truth for executed, _ in done)
    parts = len(list(folder.path("receipts").rglob("*.json")))
    assert sum(crew.worked for _, crew in done) == parts, "claims keep them from doing the same"


def test_one_that_comes_back_leaves_alone_what_another_is_at(bench):
    _, folder = ready(bench)
    with Sign(folder, Member(1, 2), 60.0) as other, Sign(folder, Member(0, 2), 60.0) as mine:
        lookout = Lookout(folder, 60.0)
        assert lookout.may_take(other, 1, 4)
        assert lookout.may_take(other, 1, 4), "its own claim holds"
        assert not lookout.may_take(mine, 1, 4)
        assert lookout.taken(mine, 1, 4)
        assert not lookout.taken(mine, 1, 6)
    with Sign(folder, Member(0, 2), 60.0) as mine:
        assert lookout.may_take(mine, 1, 4), "the other is done: its claim ended with it"


def test_a_claim_that_was_never_written_to_its_end_holds_nobody_up(bench):
    _, folder = ready(bench)
    path = folder.path("crew/claims/01-000004")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    lookout = Lookout(folder, PATIENCE)
    with Sign(folder, Member(0, 2), PATIENCE) as mine:
        assert not lookout.may_take(mine, 1, 4)
        time.sleep(PATIENCE * 1.2)
        assert lookout.may_take(mine, 1, 4)


def test_a_member_is_alive_as_long_as_its_sign_changes_whatever_the_clocks_say(bench):
    _, folder = ready(bench)
    lookout = Lookout(folder, PATIENCE)
    with Sign(folder, Member(0, 2), PATIENCE):
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            os.utime(folder.path(Member(0, 2).sign), (0, 0))  # a machine whose clock stands in 1970
            assert lookout.state(Member(0, 2)) == "at work"
            time.sleep(0.05)
    assert lookout.state(Member(0, 2)) == "done"


def test_a_receipt_that_comes_before_its_files_is_seen_is_waited_for_and_never_removed(bench):
    """On a network filesystem the names of another machine may appear late, and in any order."""
    plan, folder = ready(bench)
    receipt = perform(plan, folder, Task(0, 0))
    hidden = folder.path(receipt.files["rows-000003"].path)
    hidden.rename(hidden.with_name("not-yet-visible"))
    assert folder.others_receipt(0, 0) is None
    assert folder.receipt_path(0, 0).exists()
    hidden.with_name("not-yet-visible").rename(hidden)
    assert folder.others_receipt(0, 0) == receipt


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"plan": 1}', b"\xff"])
def test_a_receipt_that_cannot_be_read_is_not_there_yet(bench, content):
    _, folder = ready(bench)
    path = folder.receipt_path(0, 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert folder.others_receipt(0, 0) is None
    assert path.read_bytes() == content


def test_two_that_do_the_same_part_write_the_same_bytes(bench):
    plan, folder = ready(bench)
    elsewhere = bench.folder(plan, "elsewhere")
    elsewhere.create_root()
    first, second = perform(plan, folder, Task(0, 0)), perform(plan, elsewhere, Task(0, 0))
    assert first.as_json()["digest"] == second.as_json()["digest"]
    names = [ref.path for ref in first.files.values()]
    assert [folder.path(name).read_bytes() for name in names] == [elsewhere.path(name).read_bytes() for name in names]
    barrier = threading.Barrier(4)

    def again(_):
        barrier.wait()
        return perform(plan, folder, Task(0, 0)).as_json()["digest"]

    with ThreadPoolExecutor(4) as together:
        assert set(together.map(again, range(4))) == {first.as_json()["digest"]}
    assert [folder.path(name).read_bytes() for name in names] == [elsewhere.path(name).read_bytes() for name in names]
    assert not list(folder.root.rglob(".writing-*"))


def test_real_workers_fit_into_a_crew(bench, truth):
    plan, folder = ready(bench)
    with Pool(plan, folder, workers=2) as pool:
        executed, crew = work(plan, folder, Member(0, 1), workers=pool)
    assert contents(executed) == truth
    assert crew.worked == len(list(folder.path("receipts").rglob("*.json")))


def test_half_written_files_are_swept_when_their_writer_is_gone_and_not_before(bench):
    _, folder = ready(bench)
    from datalab.engine import folder as module

    host = module._HOST
    names = {
        f".writing-{host}-1-aa-x": True,  # process 1 is at work
        f".writing-{host}-{2**22 + 5}-aa-x": False,  # beyond any process id
        f".writing-{host}-{os.getpid()}-aa-x": False,  # of an earlier process with our number
        ".writing-othernode-77-aa-x": True,
        ".writing-x": True,
    }
    for name in names:
        folder.path(name).write_bytes(b"half")
    old = folder.path(".writing-othernode-78-aa-x")
    old.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    folder.sweep()
    assert {name: folder.path(name).exists() for name in names} == names
    assert not old.exists()


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "1/0", "a/b", "0/2/3", "1.0/2", "0/999999"])
def test_what_is_no_share_is_said_to_be_none(text):
    with pytest.raises(UsageError, match="share"):
        Member.parse(text)


def test_a_share_reads_as_it_is_written():
    member = Member.parse("1/4")
    assert (str(member), [part for part in range(9) if member.owns(part)]) == ("1/4", [1, 5])
    assert member.sign == "crew/00001-of-00004.json"
