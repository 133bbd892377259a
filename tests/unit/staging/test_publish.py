"""Publishing is all or nothing, wherever it stops."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datalab.errors import RunFailed, VerificationFailed
from datalab.staging.manifest import read_manifest
from datalab.staging.verify import verify_release


def visible(home):
    """Everything under the releases that is not hidden."""
    return [path for path in (home / "releases").rglob("*") if not any(part.startswith(".") for part in path.parts)]


def test_a_release_appears_whole_and_verified(press, release):
    done = verify_release(release)
    assert (done.files, done.rows) == (6, 75)
    assert read_manifest(release).splits == {"train": 65, "test": 10}
    assert not list(release.parent.glob(".building-*"))


def test_shards_are_linked_and_not_copied(press, release):
    name = "data/test/part-00000.parquet"
    assert (release / name).stat().st_ino == (press.staged / "0" / name).stat().st_ino


def test_across_filesystems_shards_are_copied(press, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    release = press.publish()
    name = "data/test/part-00000.parquet"
    assert (release / name).stat().st_ino != (press.staged / "0" / name).stat().st_ino
    verify_release(release)


@pytest.mark.parametrize("act", ["link", "fsync", "rename"])
def test_a_disk_that_fills_up_at_any_act_leaves_nothing_half(press, monkeypatch, act):
    """From the n-th call of ``act`` on nothing can be written any more, for every n until publishing succeeds."""
    failures = 0
    for allowed in range(50):
        calls = 0

        def fills(whole, allowed=allowed):
            def call(*arguments, **options):
                nonlocal calls
                calls += 1
                if calls > allowed:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return whole(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            if act == "link":
                patch.setattr(os, "link", fills(os.link))
                patch.setattr(shutil, "copyfile", fills(shutil.copyfile))
            elif act == "fsync":
                patch.setattr(os, "fsync", fills(os.fsync))
            else:
                patch.setattr(Path, "rename", fills(Path.rename))
            try:
                release = press.publish()
            except RunFailed as error:
                failures += "No space left" in error.what
            else:
                break
        if press.store.versions("bicycles"):  # only the last sync failed: what stands there is whole
            verify_release(press.store.release("bicycles", 1))
            return
        assert not [path for path in visible(press.home) if path.is_file()]
    assert failures == allowed
    verify_release(release)


CRASH = """
import os, sys
from pathlib import Path
sys.path[:0] = {path!r}
from tests.unit.staging.conftest import Press
stop = int(sys.argv[2])
seen = 0
def watch(event, arguments):
    global seen
    if event in {{"open", "os.link", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}}:
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if "staged" in str(arguments[0]) or ".pyc" in str(arguments[0]):
            return
        seen += 1
        if seen == stop:
            os._exit(9)
press = Press(Path(sys.argv[1]))
press.shards()
sys.addaudithook(watch)
press.publish()
print(seen)
"""


def test_a_crash_at_every_write_leaves_nothing_or_a_whole_release(tmp_path):
    """End the process, as by ``kill -9``, before its n-th change to the disk, for every n; then publishing again succeeds."""
    import signal

    from tests.unit.staging.conftest import Press

    script = CRASH.format(path=sys.path)
    done = crashed = 0
    for stop in range(1, 60):
        home = tmp_path / str(stop)
        child = os.fork()
        if child == 0:  # a fork is a hundred times cheaper than a new interpreter
            code = 1
            try:
                sys.argv = ["crash", str(home), str(stop)]
                with Path(os.devnull).open("w") as sys.stdout:
                    exec(compile(script, "crash", "exec"), {})
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in {0, 9}, signal.Signals(-code) if code < 0 else code
        if code == 0:
            done = stop
            break
        crashed += 1
        press = Press(home)
        assert press.store.versions("bicycles") in ([], [1])
        if press.store.versions("bicycles"):
            verify_release(press.store.release("bicycles", 1))
        else:
            verify_release(press.publish())
    assert done
    assert crashed > 10


def test_a_publication_that_does_not_verify_never_appears(press):
    def lie(made):
        import dataclasses

        return dataclasses.replace(made, digest="0" * 64)

    with pytest.raises(VerificationFailed, match="another content digest"):
        press.publish(describe=lie)
    assert not visible(press.home) or not [path for path in visible(press.home) if path.is_file()]


def test_an_error_of_who_writes_the_cards_leaves_nothing(press):
    def fails(folder):
        (folder / "README.md").write_text("half")
        raise ValueError("no card")

    with pytest.raises(ValueError, match="no card"):
        press.publish(write=fails)
    assert not [path for path in (press.home / "releases").rglob("*") if path.is_file()]


def test_a_leftover_of_a_crash_is_swept_away(press):
    left = press.store.releases / "bicycles" / ".building-1" / "data"
    left.mkdir(parents=True)
    (left / "stale").write_text("stale")
    verify_release(press.publish())


def test_what_stands_there_already_is_not_replaced(press, release):
    before = (release / "manifest.json").read_bytes()
    with pytest.raises(RunFailed):
        press.publish(start=500)
    assert (release / "manifest.json").read_bytes() == before
    verify_release(release)


def test_the_script_of_the_crash_counts_what_it_watches(tmp_path):
    """The crash test is worth something only if its hook sees the writes."""
    answer = subprocess.run(
        [sys.executable, "-c", CRASH.format(path=sys.path), str(tmp_path), "0"], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) > 10
