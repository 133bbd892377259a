"""The end of the retention: what goes, what stays and why, and that the ledger knows."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta

import pytest

from datalab.engine.signs import Member, Sign
from datalab.errors import GateFailed, NotFound, SourceError, UsageError
from datalab.lab import retention
from datalab.lab.prepared import prepare_run
from datalab.lab.release import approve, evidence_of, reject
from datalab.lab.retention import due, duration, purge, purge_expired, purge_landing
from datalab.lab.rows import origin_of
from datalab.lab.run import alone, begin, prepare, run_pipeline, work
from datalab.lab.stage import pull_release
from datalab.lab.watch import Silent
from datalab.staging.verify import verify_release
from tests.unit.lab.workshop import APPROVER, STEPS, VALUES, pipeline, write_suite


def test_the_retention_is_kept_and_a_purge_is_an_event(lab):
    regex = "^[A-Z][a-z]+$"  # only the real Great Expectations can do this one: rows are sampled for it
    outside = ("expect_column_values_to_not_match_regex_list", {"column": "city", "regex_list": ["^$", regex + "x"]}, "warning")
    write_suite(lab.settings.root, "outside", outside)
    summary = run_pipeline(pipeline(expectations="outside"), lab=lab)
    assert (lab.home / "runs" / summary.plan / "samples").is_dir()
    approve(lab, "visitors", actor=APPROVER)
    with pytest.raises(UsageError, match="the retention of this run lasts until"):
        purge(lab, summary.plan, actor=APPROVER)
    size = purge(lab, summary.plan, actor=APPROVER, early=True).bytes
    assert size > 10_000
    folder = lab.home / "runs" / summary.plan
    assert {path.name for path in folder.rglob("*") if path.is_file()} <= {"lock", "done.json", "plan.pickle"}
    [event] = lab.ledger.events(type="data.purged")
    assert (event.actor, event.subject, event.body["bytes"], event.body["early"]) == (APPROVER, summary.plan, size, True)
    manifest = verify_release(lab.store.release("visitors", 1)).manifest
    with pytest.raises(NotFound, match="after its retention"):
        origin_of(lab, manifest, "train", 0)


def test_a_purged_run_can_be_run_again_with_the_same_result(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    purge(lab, summary.plan, actor=APPROVER, early=True)
    assert run_pipeline(pipeline(), lab=lab).digest == summary.digest


def test_after_its_retention_a_run_is_purged_without_haste(lab):
    summary = run_pipeline(pipeline(retention="P0D"), lab=lab)
    purge(lab, summary.plan, actor=APPROVER)
    [event] = lab.ledger.events(type="data.purged")
    assert event.body["early"] is False


@pytest.mark.parametrize("plan", ["", "..", "0" * 32, "../../landing"])
def test_only_runs_are_purged(lab, plan):
    run_pipeline(pipeline(), lab=lab)
    before = sorted(lab.home.rglob("*"))
    with pytest.raises(NotFound, match="no such run"):
        purge(lab, plan, actor=APPROVER, early=True)
    assert sorted(lab.home.rglob("*")) == before


@pytest.mark.parametrize(("text", "days"), [("P180D", 180), ("P2W", 14), ("P1Y2M3D", 365 + 60 + 3), ("P0D", 0), ("P10Y", 3650)])
def test_durations(text, days):
    assert duration(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "P", "180", "P-1D", "PT1H", "P1.5D", "p1d", "P٣D"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="ISO 8601"):
        duration(text)


def landed(lab) -> list[str]:
    return [digest for digest, _ in lab.landing.objects()]


def holds_a_value(lab) -> bool:
    value = VALUES[0].encode()
    return any(value in path.read_bytes() for path in lab.home.rglob("*") if path.is_file())


def test_nothing_personal_is_left_of_a_run_that_was_purged(lab):
    run_pipeline(pipeline(), lab=lab)
    approve(lab, "visitors", actor=APPROVER)
    [plan] = [event.subject for event in lab.ledger.events(type="run.started")]
    assert holds_a_value(lab)
    done = purge(lab, plan, actor=APPROVER, early=True)
    assert not holds_a_value(lab)
    assert landed(lab) == []
    assert {item.what for item in done.removed} == {"working files", "landing"}
    [event] = lab.ledger.events(type="data.purged")
    assert {key: event.body[key] for key in done.as_json()} == done.as_json()


def test_what_a_valid_release_needs_stays_and_is_named(lab, tmp_path):
    summary = run_pipeline(pipeline(), lab=lab)
    done = purge(lab, summary.plan, actor=APPROVER, early=True)
    assert [(item.what, "waits for approval" in item.why) for item in done.kept] == [("evidence", True)]
    folder, manifest = approve(lab, "visitors", actor=APPROVER)
    done = purge(lab, summary.plan, actor=APPROVER, early=True)
    assert [(item.what, "visitors@1 stands" in item.why) for item in done.kept] == [("evidence", True)]
    verify_release(folder)
    pull_release(lab, "visitors@1", tmp_path / "site", recipient="did:web:modeller.example")
    assert evidence_of(lab, manifest).plan == summary.plan


def test_evidence_goes_with_the_candidate_and_with_the_last_valid_release(lab, monkeypatch):
    summary = run_pipeline(pipeline(), lab=lab)
    reject(lab, "visitors", actor=APPROVER, note="hours look wrong")
    done = purge(lab, summary.plan, actor=APPROVER, early=True)
    assert "evidence" in {item.what for item in done.removed}
    again = run_pipeline(pipeline(), lab=lab)
    approve(lab, "visitors", actor=APPROVER)
    monkeypatch.setattr(retention, "interval", lambda _: (datetime.min.replace(tzinfo=UTC),) * 2)  # its terms have ended
    done = purge(lab, again.plan, actor=APPROVER, early=True)
    assert ("evidence", False) in {(item.what, bool(done.kept)) for item in done.removed}


def test_an_object_stays_as_long_as_another_run_holds_it(lab):
    one = run_pipeline(pipeline(), lab=lab).plan
    two = run_pipeline(pipeline(steps=STEPS[:-2] + STEPS[-1:]), lab=lab).plan
    done = purge(lab, one, actor=APPROVER, early=True)
    [kept] = [item for item in done.kept if item.what == "landing"]
    assert f"run {two} (visitors) holds it until" in kept.why
    assert len(landed(lab)) == 1
    done = purge(lab, two, actor=APPROVER, early=True)
    assert [item.what for item in done.kept] == ["evidence"]
    assert landed(lab) == []


def test_a_run_over_its_retention_holds_an_object_only_while_it_is_at_work(lab):
    over = pipeline(retention="P0D", steps=STEPS[:-2] + STEPS[-1:])
    one = run_pipeline(pipeline(), lab=lab).plan
    begun = begin(lab, over, Silent())
    with alone(begun, Silent()):
        work(lab, begun, Silent())
        [kept] = [item for item in purge(lab, one, actor=APPROVER, early=True).kept if item.what == "landing"]
        assert "is at work on it" in kept.why
    purge(lab, one, actor=APPROVER, early=True)
    assert landed(lab) == []


def test_nothing_is_removed_under_shards_that_are_at_work(lab):
    """They hold no lock: it is their sign of life that counts."""
    over = pipeline(retention="P0D", steps=STEPS[:-2] + STEPS[-1:])
    other = run_pipeline(pipeline(), lab=lab).plan
    begun = prepare_run(lab, over, Silent())
    with Sign(begun.folder, Member(0, 2), 120.0):
        with pytest.raises(UsageError, match="shards of this run are at work"):
            purge(lab, begun.plan.id, actor=APPROVER)
        [kept] = [item for item in purge(lab, other, actor=APPROVER, early=True).kept if item.what == "landing"]
        assert "is at work on it" in kept.why
        [run, _landing] = purge_expired(lab, actor=APPROVER)
        assert (run.removed, [item.why for item in run.kept]) == ([], ["shards of this run are at work"])
    assert begun.folder.path("acquired.pickle").is_file()
    purge(lab, begun.plan.id, actor=APPROVER)
    assert landed(lab) == []


def test_a_filesystem_without_locks(lab, monkeypatch):
    """Lustre mounted without flock: what is due is said, and what needs a lock says so."""
    one = run_pipeline(pipeline(retention="P0D"), lab=lab).plan

    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    assert [item.name for item in due(lab) if item.what == "run"] == [one]
    with pytest.raises(UsageError, match="has no locks"):
        approve(lab, "visitors", actor=APPROVER)


def test_a_purge_between_acquisition_and_work_stops_the_run_plainly(lab):
    begun = begin(lab, pipeline(), Silent())
    purge_landing(lab, actor=APPROVER, early=True)
    with alone(begun, Silent()), pytest.raises(SourceError, match="removed from the landing folder"):
        work(lab, begun, Silent())
    assert run_pipeline(pipeline(), lab=lab).status == "candidate"


def test_a_purged_run_fetches_again(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    before = landed(lab)
    reject(lab, "visitors", actor=APPROVER, note="hours look wrong")
    purge(lab, summary.plan, actor=APPROVER, early=True)
    assert landed(lab) == []
    assert run_pipeline(pipeline(), lab=lab).digest == summary.digest
    assert landed(lab) == before


def test_the_clock_begins_anew_with_every_run(lab):
    plan = run_pipeline(pipeline(retention="P10D"), lab=lab).plan
    reject(lab, "visitors", actor=APPROVER, note="hours look wrong")
    made = retention._runs(lab)[plan].until
    run_pipeline(pipeline(retention="P10D"), lab=lab)
    assert retention._runs(lab)[plan].until > made


def test_the_report_of_a_withheld_run_goes_with_the_rest(lab):
    write_suite(lab.settings.root, "strict", ("expect_table_row_count_to_equal", {"value": 1}, "critical"))
    with pytest.raises(GateFailed):
        run_pipeline(pipeline(expectations="strict"), lab=lab)
    [plan] = [event.subject for event in lab.ledger.events(type="run.started")]
    assert (lab.home / "runs" / plan / "report.html").is_file()
    done = purge(lab, plan, actor=APPROVER, early=True)
    assert ("report", "report.html") in {(item.what, item.name) for item in done.removed}
    left = {path.name for path in (lab.home / "runs" / plan).rglob("*") if path.is_file()}
    assert left <= {"lock", "plan.pickle", "done.json"}


def test_objects_that_came_for_no_run_have_a_clock_of_their_own(lab):
    prepare(lab, pipeline(), Silent())
    done = purge_landing(lab, actor=APPROVER)
    assert ([item.what for item in done.kept], done.removed) == (["landing"], [])
    assert not list(lab.ledger.events(type="data.purged")), "nothing was done"
    prepare(lab, pipeline(retention="P0D"), Silent())
    assert purge_landing(lab, actor=APPROVER).kept, "the longer promise holds"
    assert [item.what for item in purge_landing(lab, actor=APPROVER, early=True).removed] == ["landing"]
    [event] = lab.ledger.events(type="data.purged")
    assert (event.subject, event.actor) == ("landing", APPROVER)


def test_what_a_run_holds_is_no_orphan_even_early(lab):
    run_pipeline(pipeline(), lab=lab)
    done = purge_landing(lab, actor=APPROVER, early=True)
    assert ([item.what for item in done.kept], done.removed) == (["landing"], [])


def test_all_that_is_over_goes_at_once_and_nothing_else(lab):
    over = run_pipeline(pipeline(retention="P0D"), lab=lab).plan
    kept = run_pipeline(pipeline(steps=STEPS[:-2] + STEPS[-1:]), lab=lab).plan
    assert [item.plan for item in purge_expired(lab, actor=APPROVER)] == [over, ""]
    assert (lab.home / "runs" / kept / "rows").is_dir()
    assert len(landed(lab)) == 1
    assert [item.plan for item in purge_expired(lab, actor=APPROVER)] == [""], "it is done once"
