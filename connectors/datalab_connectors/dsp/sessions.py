"""Sessions are kept for a moment after their use: an agreement is usually followed by its transfer, and starting one takes longer."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datalab.ports.reach import Reach
from datalab_connectors.doorstep import Doorstep
from datalab_connectors.dsp.session import Session

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Key:
    """What a session is for: only the same can use it again."""

    path: Path
    reach: Reach
    door: Doorstep


_idle: dict[Key, tuple[Session, threading.Timer]] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def lend(key: Key, token: str, port: int = 0) -> Iterator[Session]:
    """Lend a session that listens on ``port`` if it can (0: any) and speaks under ``token``, new or one that is idle."""
    found = _take(key)
    if found is not None and port not in {0, found.port}:
        found.close()
        found = None
    if found is None:
        door = key.door if key.door.port else Doorstep(key.door.host, port, key.door.address)
        found = Session(key.path, key.reach, door, token)
    else:
        found.speak_as(token)
    try:
        yield found
    except BaseException:
        found.close()
        raise
    found.deliver()
    _keep(key, found)


def close_idle() -> None:
    """Close what is kept."""
    with _lock:
        kept = list(_idle.values())
        _idle.clear()
    for found, timer in kept:
        timer.cancel()
        found.close()


def _take(key: Key) -> Session | None:
    with _lock:
        found, timer = _idle.pop(key, (None, None))
    if timer is not None:
        timer.cancel()
    return found


def _keep(key: Key, found: Session) -> None:
    timer = threading.Timer(_SECONDS, _expire, (key, found))
    timer.daemon = True
    with _lock:
        other, stale = _idle.pop(key, (None, None))
        _idle[key] = (found, timer)
    timer.start()
    if other is not None and stale is not None:
        stale.cancel()
        other.close()


def _expire(key: Key, found: Session) -> None:
    with _lock:
        if _idle.get(key, (None, None))[0] is not found:
            return
        del _idle[key]
    found.close()


atexit.register(close_idle)
