"""An approval may be interrupted anywhere: what the ledger says stays true, and approving again completes it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from datalab.errors import NotFound, UsageError
from datalab.lab import release as acts
from datalab.lab.approvals import next_version
from datalab.lab.lab import Lab
from datalab.lab.locks import deciding
from datalab.lab.release import approve, find_candidate, reject
from datalab.lab.run import run_pipeline
from datalab.staging.verify import verify_release
from tests.unit.lab.workshop import APPROVER, STEPS, pipeline

OTHER = "Bea Second, compliance officer"


class Interrupted(BaseException):
    """What a kill looks like from inside."""


def after(monkeypatch, place, name, *, type=""):
    """Let ``place.name`` do its work once more, and then never come back."""
    real = getattr(place, name)

    def cut(*arguments, **more):
        done = real(*arguments, **more)
        if not type or type in arguments:
            raise Interrupted
        return done

    monkeypatch.setattr(place, name, cut)


def killed(*_arguments):
    raise Interrupted


POINTS = {
    "decided": lambda patch: after(patch, Lab, "record", type="decision.made"),
    "approved": lambda patch: after(patch, Lab, "record", type="release.approved"),
    "writing": lambda patch: patch.setattr(acts, "write_governance", killed),
    "renamed": lambda patch: after(patch, acts, "publish"),
    "published": lambda patch: after(patch, Lab, "record", type="release.published"),
    "removing": lambda patch: patch.setattr(acts, "shutil", SimpleNamespace(rmtree=killed)),
}


@pytest.mark.parametrize("point", POINTS)
def test_an_interrupted_approval_is_completed_by_approving_again(lab, monkeypatch, point):
    digest = run_pipeline(pipeline(), lab=lab).digest
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        POINTS[point](patch)
        approve(lab, "visitors", actor=APPROVER, note="read it")
    stands = bool(lab.store.versions("visitors"))
    assert (
        bool(list(lab.ledger.events(type="release.published")))
        <= stands
        <= bool(list(lab.ledger.events(type="release.approved")))
    )
    if point == "removing":
        assert not lab.store.candidate_folders("visitors"), "its manifest went first"
        return
    folder, manifest = approve(lab, "visitors", actor=OTHER)
    assert (folder, manifest.version, manifest.digest) == (lab.store.release("visitors", 1), "1", digest)
    verify_release(folder)
    [approved] = lab.ledger.events(type="release.approved")
    [published] = lab.ledger.events(type="release.published")
    assert approved.actor == (OTHER if point == "decided" else APPROVER), "who approved it is who approved it"
    assert (published.subject, published.body["approval"]) == ("visitors@1", approved.sequence)
    assert not lab.store.candidate_folders("visitors")
    lab.ledger.verify()


def test_a_number_is_never_given_twice(lab, monkeypatch):
    run_pipeline(pipeline(), lab=lab)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        POINTS["writing"](patch)
        approve(lab, "visitors", actor=APPROVER)
    reject(lab, "visitors", actor=OTHER, note="not this one after all")
    run_pipeline(pipeline(steps=STEPS[:-2] + STEPS[-1:]), lab=lab)
    _, manifest = approve(lab, "visitors", actor=APPROVER)
    assert (manifest.version, next_version(lab, "visitors")) == ("2", 3)


def test_a_rejected_approval_does_not_count_when_the_same_content_is_made_again(lab, monkeypatch):
    run_pipeline(pipeline(), lab=lab)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        POINTS["approved"](patch)
        approve(lab, "visitors", actor=APPROVER)
    reject(lab, "visitors", actor=OTHER, note="hours look wrong")
    run_pipeline(pipeline(), lab=lab)
    folder, _ = approve(lab, "visitors", actor=OTHER)
    *_, approved = lab.ledger.events(type="release.approved")
    assert (approved.actor, approved.subject, folder.name) == (OTHER, "visitors@2", "2")


def test_what_is_released_already_is_not_rejected(lab, monkeypatch):
    run_pipeline(pipeline(), lab=lab)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        POINTS["renamed"](patch)
        approve(lab, "visitors", actor=APPROVER)
    with pytest.raises(UsageError, match="released as visitors@1"):
        reject(lab, "visitors", actor=OTHER, note="too late")
    assert not list(lab.ledger.events(type="release.rejected"))


@pytest.mark.parametrize("decide", [approve, reject])
def test_who_waited_for_another_decision_is_told_of_it(lab, monkeypatch, decide):
    run_pipeline(pipeline(), lab=lab)
    folder = find_candidate(lab, "visitors")
    reject(lab, "visitors", actor=APPROVER, note="hours look wrong")
    monkeypatch.setattr(acts, "find_candidate", lambda *_: folder)  # it was found while it still stood
    with pytest.raises(NotFound, match="was rejected meanwhile, by Ada"):
        decide(lab, "visitors", actor=OTHER, note="fine")


def test_names_are_decided_apart_from_each_other(lab):
    with deciding(lab, "visitors"), deciding(lab, "counts"):
        assert next_version(lab, "visitors") == 1
