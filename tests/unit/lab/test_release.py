"""A named person decides: approval, rejection, and what an AI developer then gets."""

from __future__ import annotations

import dataclasses

import pytest

from datalab import open_dataset
from datalab.errors import NotFound, PolicyRefusal, UsageError, VerificationFailed
from datalab.lab.history import runs
from datalab.lab.release import approve, evidence_of, find_any, find_candidate, listed, reject, released_as
from datalab.lab.run import run_pipeline
from datalab.lab.stage import pull_release
from datalab.model.policy import Duty
from datalab.staging.manifest import read_manifest
from datalab.staging.verify import verify_release
from tests.unit.lab.workshop import APPROVER, STEPS, pipeline


def test_an_approved_candidate_is_version_1_verified_and_opens(released):
    folder = released.store.release("visitors", 1)
    done = verify_release(folder)
    assert done.manifest.version == "1"
    assert not released.store.candidate_folders("visitors")
    dataset = open_dataset("visitors", home=released.home, quiet=True)
    assert len(dataset) == done.rows
    assert "commercial" in dataset.terms.lower()


def test_the_approval_stands_in_the_ledger_in_the_name_of_who_gave_it(released):
    [approved] = released.ledger.events(type="release.approved")
    assert (approved.actor, approved.subject) == (APPROVER, "visitors@1")
    decisions = {event.body["id"]: event for event in released.ledger.events(type="decision.made")}
    decision = decisions[approved.body["decision"]]
    assert decision.actor == APPROVER
    assert (decision.body["door"], decision.body["subject"]) == ("release", approved.body["digest"])


def test_a_release_carries_its_governance(released):
    folder = released.store.release("visitors", 1)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"manifest.json", "README.md", "TERMS.md", "croissant.json", "governance/report.html"} <= names
    assert names - {"manifest.json"} == set(read_manifest(folder).files) | {s.path for s in read_manifest(folder).shards}


def test_the_second_approval_is_version_2_and_the_first_stays(lab):
    run_pipeline(pipeline(), lab=lab)
    first, one = approve(lab, "visitors", actor=APPROVER)
    run_pipeline(pipeline(steps=STEPS[:-2] + STEPS[-1:]), lab=lab)
    second, two = approve(lab, "visitors", actor=APPROVER, note="names are wanted now")
    assert (one.version, two.version) == ("1", "2")
    verify_release(first)
    verify_release(second)
    assert [(item.version, item.status) for item in listed(lab)] == [("1", "approved"), ("2", "approved")]
    assert released_as(lab, "visitors", one.digest) == "1"
    assert released_as(lab, "visitors", "0" * 64) == ""
    assert [event.body["note"] for event in lab.ledger.events(type="release.approved")] == ["", "names are wanted now"]


def test_a_released_run_asked_again_is_unchanged(released):
    again = run_pipeline(pipeline(), lab=released)
    assert (again.status, again.candidate) == ("unchanged", str(released.store.release("visitors", 1)))


@pytest.mark.parametrize("actor", ["", "  "])
def test_an_approval_needs_a_name(lab, actor):
    with pytest.raises(UsageError, match="needs a name"):
        approve(lab, "visitors", actor=actor)
    assert lab.ledger.head() is None


def test_an_altered_candidate_is_not_approved_and_can_be_made_again(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    folder = find_candidate(lab, "visitors")
    shard = folder / read_manifest(folder).shards[0].path
    whole = shard.read_bytes()
    shard.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])  # it is a hard link: the run's own shard is hit too
    with pytest.raises(VerificationFailed, match="part-00000") as caught:
        approve(lab, "visitors", actor=APPROVER)
    assert "datalab reject visitors" in caught.value.next
    assert not list(lab.ledger.events(type="release.approved"))
    reject(lab, "visitors", actor=APPROVER, note="spoiled on disk")
    again = run_pipeline(pipeline(), lab=lab)
    assert (again.status, again.digest) == ("candidate", summary.digest)
    verify_release(find_candidate(lab, "visitors"))


def test_a_rejected_candidate_is_gone_its_reason_stays_and_it_can_be_made_again(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    reject(lab, f"visitors@{summary.digest[:12]}", actor=APPROVER, note="hours look wrong")
    assert not list(listed(lab))
    [event] = lab.ledger.events(type="release.rejected")
    assert (event.actor, event.body) == (APPROVER, {"digest": summary.digest, "note": "hours look wrong"})
    again = run_pipeline(pipeline(), lab=lab)
    assert (again.status, again.digest) == ("candidate", summary.digest)


@pytest.mark.parametrize(("actor", "note"), [("", "why"), (APPROVER, ""), (APPROVER, " ")])
def test_a_rejection_needs_a_name_and_a_reason(lab, actor, note):
    with pytest.raises(UsageError, match="a name and a reason"):
        reject(lab, "visitors", actor=actor, note=note)


def test_what_is_not_there_is_said_with_what_is(released):
    with pytest.raises(NotFound, match="no candidate named 'visitors'"):
        approve(released, "visitors", actor=APPROVER)
    with pytest.raises(NotFound, match="did you mean 'visitors'"):
        find_any(released, "visitor")


@pytest.mark.parametrize("reference", ["../visitors", "..", "", "visitors/../visitors", "/etc"])
def test_a_reference_cannot_reach_outside_the_candidates(lab, reference):
    run_pipeline(pipeline(), lab=lab)
    with pytest.raises(UsageError):
        find_candidate(lab, reference)


def policies_demand(evidence, **facts):
    """Return evidence whose terms demand anonymised data and whose run did none of it."""
    policy = dataclasses.replace(evidence.agreements[0].policy, obligations=(Duty("anonymize"),))
    agreements = tuple(dataclasses.replace(item, policy=policy) for item in evidence.agreements)
    steps = tuple(step for step in evidence.steps if step["service"] != "scrubbing")
    return dataclasses.replace(evidence, agreements=agreements, steps=steps, **facts)


def test_an_approval_is_refused_by_terms_that_the_release_does_not_meet(lab, monkeypatch):
    """The gate of the run is one lock, the approval another: here only the second one sees the duty."""
    run_pipeline(pipeline(), lab=lab)
    evidence = policies_demand(evidence_of(lab, read_manifest(find_candidate(lab, "visitors"))))
    monkeypatch.setattr("datalab.lab.release.evidence_of", lambda *_: evidence)
    with pytest.raises(PolicyRefusal, match="anonymize"):
        approve(lab, "visitors", actor=APPROVER)
    *_, decision = lab.ledger.events(type="decision.made")
    assert (decision.actor, decision.body["permitted"]) == (APPROVER, False)
    assert not lab.store.versions("visitors")
    assert lab.store.candidate_folders("visitors")


def test_pulling_is_decided_recorded_and_verified(released, tmp_path):
    place, manifest = pull_release(released, "visitors@1", tmp_path / "site", recipient="did:web:modeller.example")
    verify_release(place)
    *_, event = released.ledger.events(type="release.pulled")
    assert event.subject == "visitors@1"
    assert (event.body["recipient"], event.body["digest"]) == ("did:web:modeller.example", manifest.digest)
    decisions = {item.body["id"]: item.body for item in released.ledger.events(type="decision.made")}
    decision = decisions[event.body["decision"]]
    assert (decision["door"], decision["subject"], decision["target"]) == ("stage", manifest.digest, str(tmp_path / "site"))
    assert len(open_dataset(place, quiet=True)) == len(open_dataset("visitors", home=released.home, quiet=True))


def test_a_candidate_is_not_pulled(lab, tmp_path):
    summary = run_pipeline(pipeline(), lab=lab)
    with pytest.raises(UsageError, match="approve it first"):
        pull_release(lab, summary.candidate, tmp_path / "site")


def test_the_runs_are_told_by_the_ledger(released):
    [run] = [item for item in runs(released) if item.pipeline == "visitors"]
    assert (run.status, run.actor) == ("passed", "Sam Steward")
    assert run.as_json()["rows_out"] == sum(read_manifest(released.store.release("visitors", 1)).splits.values())


def test_a_release_whose_manifest_was_altered_is_listed_as_such(lab):
    run_pipeline(pipeline(), lab=lab)
    folder, _ = approve(lab, "visitors", actor=APPROVER)
    (folder / "manifest.json").write_bytes(b"{}")
    assert [item.status for item in listed(lab)] == ["altered"]
