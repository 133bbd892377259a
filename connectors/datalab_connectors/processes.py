"""Other processes of this machine: whether one still is at work, and being the only one at something."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether another process still is at work; the number may by chance be somebody else's by now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock: of two processes that want the same, the second finds what the first reached."""
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
