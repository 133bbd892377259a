"""Locks of a lab: what is decided and then written down is decided by one at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterable, Iterator

from datalab.engine.drive import NO_LOCKS
from datalab.errors import UsageError
from datalab.lab.facts import counts
from datalab.lab.lab import Lab
from datalab.model.policy import Policy


@contextlib.contextmanager
def deciding(lab: Lab, name: str) -> Iterator[None]:
    """Hold the one lock of a release name: who approves or rejects meanwhile waits, and then finds what was decided."""
    with _held(lab, f"release-{name}", "a release is not decided about"):  # two who approve at once would both publish
        yield


@contextlib.contextmanager
def counted(lab: Lab, policies: Iterable[Policy]) -> Iterator[None]:
    """Hold the terms that count uses, from the decision to the event that is the use: who asks meanwhile waits, and finds one use less.

    Without such terms nobody waits. Where a release is being decided about, its lock is taken before.
    """
    names = sorted({f"terms-{policy.sha256[:32]}" for policy in policies if counts(policy)})
    with contextlib.ExitStack() as held:
        for name in names:  # in one order, so that two never wait for each other
            held.enter_context(_held(lab, name, "a use is not counted"))
        yield


@contextlib.contextmanager
def _held(lab: Lab, name: str, what: str) -> Iterator[None]:
    folder = lab.home / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / name).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise UsageError(
                f"this filesystem has no locks, and {what} without one",
                where=str(folder),
                next="put the lab's home on a filesystem with locks (Lustre: mounted with -o flock)",
            ) from None
        yield
