"""What the children of the tests do."""

from __future__ import annotations

import subprocess
import sys
import time

_BURN = "import sys, time\nend = float(sys.argv[1])\nwhile time.process_time() < end: pass"


def idle() -> None:
    return None


def burn(seconds: float, processes: int) -> dict[str, int]:
    children = [subprocess.Popen([sys.executable, "-c", _BURN, str(seconds)]) for _ in range(processes)]
    assert [child.wait() for child in children] == [0] * processes
    return {"processes": processes}


def hold(mebibytes: int, seconds: float) -> int:
    held = b"x" * (mebibytes << 20)
    time.sleep(seconds)
    return len(held)


def fail() -> None:
    raise ValueError("nothing to do here")
