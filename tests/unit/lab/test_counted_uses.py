"""Terms that count: each use is decided by one at a time, and a refused one is none."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from datalab.errors import PolicyRefusal
from datalab.lab import stage
from datalab.lab.acquire import acquire
from datalab.lab.locks import counted
from datalab.lab.release import approve
from datalab.lab.run import run_pipeline
from datalab.lab.stage import pull_release
from tests.unit.lab.own_files import OWN, Holder, use, when
from tests.unit.lab.workshop import APPROVER


def test_uses_are_counted_from_what_happened(own, tmp_path):
    lab = own(permission=use(when("count", "lteq", "1")))
    run_pipeline(OWN, lab=lab)
    approve(lab, "visitors", actor=APPROVER)
    pull_release(lab, "visitors@1", tmp_path / "one")
    with pytest.raises(PolicyRefusal, match="number 2 of its kind"):
        pull_release(lab, "visitors@1", tmp_path / "two")
    with pytest.raises(PolicyRefusal, match="number 2 of its kind"):
        run_pipeline(OWN, lab=lab)
    with pytest.raises(PolicyRefusal):
        pull_release(lab, "visitors@1", tmp_path / "three")
    assert len(list(lab.ledger.events(type="release.pulled"))) == 1, "a refused act is no use"


def pause(monkeypatch, place, name):
    """Hold whoever comes first for a moment between the decision and the use, so that the other one overtakes him if he can."""
    first, real = threading.Event(), getattr(place, name)

    def paused(*arguments, **more):
        if not first.is_set():
            first.set()
            time.sleep(0.3)
        return real(*arguments, **more)

    monkeypatch.setattr(place, name, paused)


def at_once(own, terms, *acts):
    """Do all acts at the same time, each in a lab of its own; return what came of each."""

    def one(act):
        with own(keep=False, **terms) as lab:
            try:
                return act(lab)
            except PolicyRefusal as refusal:
                return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_of_two_pulls_at_once_one_takes_the_last_use(own, tmp_path, monkeypatch):
    terms = {"permission": use(when("count", "lteq", "1"))}
    lab = own(**terms)
    run_pipeline(OWN, lab=lab)
    approve(lab, "visitors", actor=APPROVER)
    pause(monkeypatch, stage, "pull")
    came = at_once(own, terms, *(lambda lab, to=to: pull_release(lab, "visitors@1", tmp_path / to) for to in ("one", "two")))
    assert sorted(isinstance(one, PolicyRefusal) for one in came) == [False, True], came
    assert len(list(lab.ledger.events(type="release.pulled"))) == 1
    assert sum((tmp_path / to / "visitors" / "1").exists() for to in ("one", "two")) == 1


def test_of_two_runs_at_once_one_takes_the_last_use(own, monkeypatch):
    terms = {"permission": use(when("count", "lteq", "1"))}
    pause(monkeypatch, Holder, "negotiate")
    came = at_once(own, terms, *([lambda lab: acquire(lab, OWN, lambda *_: None)] * 2))
    assert sorted(isinstance(one, PolicyRefusal) for one in came) == [False, True], came


def test_who_is_refused_or_fails_leaves_the_use_to_the_next(own, tmp_path, monkeypatch):
    terms = {"permission": use(when("count", "lteq", "1"))}
    lab = own(**terms)
    run_pipeline(OWN, lab=lab)
    approve(lab, "visitors", actor=APPROVER)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(stage, "pull", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
        pull_release(lab, "visitors@1", tmp_path / "one")
    pull_release(lab, "visitors@1", tmp_path / "two")


def test_terms_that_count_nothing_make_nobody_wait(own):
    lab = own(permission=use())
    policy = lab.connector("own").offer("visitors.csv").policy
    with counted(lab, [policy]), counted(lab, [policy]):
        assert not (lab.home / "locks").exists()
