"""Looking again: pauses that grow, for as long as somebody is patient."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


def waits(patience: float, sleep: Callable[[float], None], longest: float = 5.0) -> Iterator[float]:
    """Yield at once and then after growing pauses (from 50 ms, by half each, to ``longest``) until ``patience`` is over."""
    ends, pause = time.monotonic() + patience, 0.05
    while True:
        yield pause
        left = ends - time.monotonic()
        if left <= 0:
            return
        sleep(min(pause, left))
        pause = min(longest, pause * 1.5)
