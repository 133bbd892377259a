"""Pulling needs a decision about exactly this, survives an interruption, and never shows half a release."""

from __future__ import annotations

import dataclasses

import pytest

from datalab import open_dataset
from datalab.errors import PolicyRefusal, RunFailed, UsageError, VerificationFailed
from datalab.model.decision import Decision, Door
from datalab.staging import pull as module
from datalab.staging.manifest import read_manifest
from datalab.staging.pull import pull
from datalab.staging.verify import verify_release


@pytest.fixture
def site(tmp_path):
    return tmp_path / "site"


@pytest.fixture
def permit(release, site):
    return Decision(Door.STAGE, True, read_manifest(release).digest, str(site), "Ada", "engine", ("The terms permit it.",))


def test_a_pulled_release_is_whole_and_opens(release, site, permit):
    place, manifest = pull(release, site, permit)
    assert place == site / "bicycles" / "1"
    verify_release(place)
    assert open_dataset(place, quiet=True).polars().equals(open_dataset(release, quiet=True).polars())
    assert manifest == read_manifest(release)
    assert not list(site.rglob(".*"))


@pytest.mark.parametrize(
    "change",
    [
        {"permitted": False},
        {"door": Door.RELEASE},
        {"door": Door.EXPORT},
        {"subject": "0" * 64},
        {"target": "/elsewhere"},
    ],
)
def test_a_decision_about_something_else_opens_nothing(release, site, permit, change):
    with pytest.raises(PolicyRefusal):
        pull(release, site, dataclasses.replace(permit, **change))
    assert not site.exists()


def test_a_candidate_cannot_be_pulled(press, site, permit):
    folder = press.publish(press.store.candidate("bicycles", "c" * 64), version="")
    with pytest.raises(UsageError, match="candidate"):
        pull(folder, site, permit)
    assert not site.exists()


def test_an_interrupted_pull_resumes_and_copies_only_the_rest(release, site, permit, monkeypatch):
    whole = module._copy
    copied = []

    def stops_after_three(source, place, sha256):
        if len(copied) == 3:
            raise KeyboardInterrupt
        copied.append(source)
        whole(source, place, sha256)

    monkeypatch.setattr(module, "_copy", stops_after_three)
    with pytest.raises(KeyboardInterrupt):
        pull(release, site, permit)
    assert not (site / "bicycles" / "1").exists()
    times = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.is_file()}
    assert len(times) == 3
    monkeypatch.setattr(module, "_copy", whole)
    place, _ = pull(release, site, permit)
    verify_release(place)
    for path, time in times.items():
        kept = place / path.relative_to(site / "bicycles" / ".arriving-1")
        assert kept.stat().st_mtime_ns == time


def test_a_half_written_file_of_an_interrupted_pull_does_not_stay(release, site, permit):
    """What a kill in the middle of one file leaves behind must neither be taken for the file nor be released."""
    left = site / "bicycles" / ".arriving-1" / "governance"
    left.mkdir(parents=True)
    (left / ".writing-checks.json").write_bytes(b"half")
    (left / "checks.json").write_bytes(b"other bytes")
    place, _ = pull(release, site, permit)
    verify_release(place)


def test_a_stray_file_in_an_interrupted_pull_does_not_block_it(release, site, permit):
    left = site / "bicycles" / ".arriving-1" / "data"
    left.mkdir(parents=True)
    (left / "of-an-older-release.parquet").write_bytes(b"stale")
    place, _ = pull(release, site, permit)
    verify_release(place)


def test_a_copy_altered_on_the_way_is_found(release, site, permit, monkeypatch):
    import shutil

    whole = shutil.copyfileobj

    def flips(reading, writing, length):
        whole(reading, writing, length)
        writing.seek(0)
        writing.write(b"X")

    monkeypatch.setattr(shutil, "copyfileobj", flips)
    with pytest.raises(VerificationFailed, match="did not arrive as the manifest states"):
        pull(release, site, permit)
    assert not (site / "bicycles" / "1").exists()
    assert not [path for path in site.rglob("*") if path.is_file()]


def test_a_release_altered_at_its_place_is_found(release, site, permit):
    (release / "README.md").write_text("# Another\n")
    with pytest.raises(VerificationFailed):
        pull(release, site, permit)
    assert not (site / "bicycles" / "1").exists()


def test_a_second_pull_copies_nothing(release, site, permit, monkeypatch):
    place, _ = pull(release, site, permit)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}

    def forbidden(*_):
        pytest.fail("something was copied again")

    monkeypatch.setattr(module, "_copy", forbidden)
    pull(release, site, permit)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_a_pulled_copy_that_was_spoiled_is_found_by_the_second_pull(release, site, permit):
    place, _ = pull(release, site, permit)
    (place / "README.md").write_text("# Another\n")
    with pytest.raises(VerificationFailed, match=r"README\.md"):
        pull(release, site, permit)


def test_another_release_at_the_place_is_not_overwritten(press, release, site, permit, tmp_path):
    pull(release, site, permit)
    other = dataclasses.replace(press, home=tmp_path / "other-home").publish(start=900)
    decision = dataclasses.replace(permit, subject=read_manifest(other).digest)
    with pytest.raises(UsageError, match="another release stands there"):
        pull(other, site, decision)


def test_a_release_that_names_files_outside_cannot_write_there(release, site, permit):
    """A manifest is input: a path that climbs is refused before anything is written."""
    manifest = read_manifest(release)
    body = {"bytes": 3, "sha256": "0" * 64}
    forged = dataclasses.replace(manifest, files={**manifest.files, "../../../escaped": body})
    (release / "manifest.json").write_bytes(forged.to_bytes())
    with pytest.raises(VerificationFailed):
        pull(release, site, permit)
    assert not (site.parent / "escaped").exists()


@pytest.mark.parametrize(("field", "value"), [("name", "../../escaped"), ("version", "../../escaped"), ("name", "/escaped")])
def test_a_release_whose_name_climbs_is_refused(release, site, permit, field, value):
    forged = dataclasses.replace(read_manifest(release), **{field: value})
    (release / "manifest.json").write_bytes(forged.to_bytes())
    with pytest.raises(VerificationFailed):
        pull(release, site, permit)
    assert not site.exists() or not [path for path in site.rglob("*") if path.is_file()]


def test_a_destination_that_cannot_be_written_is_a_plain_error(release, site, permit):
    site.write_text("a file stands there")
    with pytest.raises(RunFailed, match="cannot be copied"):
        pull(release, site, permit)


def test_a_disk_that_fills_up_keeps_what_has_arrived(release, site, permit, monkeypatch):
    import errno
    import os
    import shutil

    whole, calls = shutil.copyfileobj, []

    def fills(reading, writing, length):
        calls.append(writing)
        if len(calls) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(reading, writing, length)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", fills)
        with pytest.raises(RunFailed, match="No space left"):
            pull(release, site, permit)
    assert not (site / "bicycles" / "1").exists()
    place, _ = pull(release, site, permit)
    verify_release(place)


def test_progress_hears_of_every_file(release, site, permit):
    heard = []
    pull(release, site, permit, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (6, 6)
