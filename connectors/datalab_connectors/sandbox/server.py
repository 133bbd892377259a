"""The sandbox as a process of its own on loopback: start, status, stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datalab.errors import SourceError, UsageError
from datalab.ports.http import HttpClient, Limits, Reach
from datalab_connectors.doorstep import HOST
from datalab_connectors.processes import alive

_RUNNING = "running.json"
_LOG = "sandbox.log"
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that answers."""

    url: str
    pid: int


def start(state: Path, port: int = 0, *, holdings: Sequence[Path] = (), options: Sequence[str] = ()) -> Running:
    """Start a sandbox with its state in ``state``, or return the one that runs there already.

    Port 0 means the port of the last time if it is free, else any. Raise ``SourceError`` where it does not come up.
    """
    running = status(state)
    if running is not None:
        return running
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    asked = port or _last_port(state)
    command = [sys.executable, "-m", "datalab_connectors.sandbox", "--state", str(state), "--port", str(asked)]
    if not port:
        command.append("--any-port")
    command += [part for folder in holdings for part in ("--holdings", str(folder))]
    with (state / _LOG).open("ab") as log:
        process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=state,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        running = status(state)
        if running is not None:
            process.returncode = 0  # it is detached: nobody here waits for it
            return running
        if process.poll() is not None:
            # Another start may have won the race for the lock: then the sandbox that runs is the one meant.
            running = _within(2.0, state) if process.returncode == 3 else None
            if running is not None:
                return running
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise SourceError("the sandbox did not come up", where=_last_line(state), next=f"read {state / _LOG}")


def status(state: Path) -> Running | None:
    """Return the sandbox that runs with its state in ``state``, after a health check; None where none answers."""
    found = _recorded(state)
    if found is None or not _alive(found.pid):
        return None
    quick = Limits(connect=1, idle=2, seconds=2, attempts=1)
    with HttpClient(Reach(loopback=True), quick) as client, contextlib.suppress(SourceError):
        if client.get(f"{found.url}/health").body == {"status": "up", "service": "datalab sandbox", "pid": found.pid}:
            return found
    return None


def stop(state: Path) -> bool:
    """Stop the sandbox of ``state``; return whether there was one."""
    running = status(state)
    if running is None:
        return False
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while _alive(running.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    if _alive(running.pid):
        os.kill(running.pid, signal.SIGKILL)
    return True


def record(state: Path, url: str, pid: int) -> None:
    """Write down where a sandbox runs (whole or not at all)."""
    path = state / _RUNNING
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"url": url, "pid": pid}), encoding="utf-8")
    temporary.replace(path)


def check_host(host: str) -> None:
    """Raise ``UsageError`` for any address but loopback: a sandbox checks nobody's identity."""
    if host not in {"127.0.0.1", "::1", "localhost"}:
        raise UsageError("the sandbox only listens on loopback", where=f"--host {host}", next=f"leave it out, or write {HOST}")


def _recorded(state: Path) -> Running | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        body = json.loads((state / _RUNNING).read_text(encoding="utf-8"))
        return Running(str(body["url"]), int(body["pid"]))
    return None


def _last_port(state: Path) -> int:
    found = _recorded(state)
    tail = found.url.rsplit(":", 1)[-1] if found else ""
    return int(tail) if tail.isdigit() else 0


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:  # a child of ours that ended
            return False
    return alive(pid)


def _within(seconds: float, state: Path) -> Running | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (running := status(state)) is not None:
            return running
        time.sleep(0.05)
    return None


def _last_line(state: Path) -> str:
    with contextlib.suppress(OSError):
        lines = (state / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else ""
    return ""
