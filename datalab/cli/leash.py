"""Run a command that does not outlive who started it, not even one that is killed without a word (Linux).

``python -m datalab.cli.leash PARENT COMMAND…``: the kernel sends SIGTERM to the command when the process PARENT ends (prctl(2),
PR_SET_PDEATHSIG; it stays set across exec). It is set here and not between fork and exec of the parent, where Python must not run code.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def leashed(command: list[str]) -> list[str]:
    """Return ``command`` as one that ends with this process."""
    return [sys.executable, "-m", "datalab.cli.leash", str(os.getpid()), *command]


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the command."""
    parent, *command = arguments
    with contextlib.suppress(AttributeError):  # another system than Linux: nothing is promised there
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent has ended")  # before the leash was on
    os.execv(command[0], command)  # noqa: S606 - the command comes from our own parent


if __name__ == "__main__":
    main(sys.argv[1:])
