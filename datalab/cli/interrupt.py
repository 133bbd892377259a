"""Ctrl-C and SIGTERM: the first ends the command in order, the second at once."""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM (a scheduler's way to say that time is up) into ``KeyboardInterrupt``.

    The second has the system's own effect, which needs no Python to run: the process is gone, and its workers with it
    (`datalab.engine.process`). Outside the main thread, where Python takes no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as under nohup
            signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: it was not Python that installed it
                signal.signal(number, handler)


def how_to_resume(arguments: Sequence[str]) -> str:
    """Return the sentence that an interrupted command ends with."""
    return (
        f"interrupted: what is finished is kept\n  next:  the same command goes on from there: datalab {shlex.join(arguments)}"
    )
