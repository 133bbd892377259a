"""The servers that Beam's portable runners need, each started once for the whole session and ended with it."""

from __future__ import annotations

import atexit
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from datalab.engine.beam import flink
from tests.unit.cli.conftest import environment

ROOT = Path(__file__).parents[3]
JARS = Path(os.environ.get("DATALAB_FLINK", ROOT / ".cache" / "flink"))
_STARTED = ExitStack()
atexit.register(_STARTED.close)


def without_beam() -> str:
    """Say what is missing for Beam in Python, "" for nothing."""
    return "" if importlib.util.find_spec("apache_beam") else "apache-beam is not installed"


def without_flink() -> str:
    """Say what is missing for Flink, "" for nothing."""
    return without_beam() or flink.missing(JARS)


@cache
def flink_options() -> tuple[str, ...]:
    """Start Flink with one TaskManager of two slots, and a worker pool; return the runner options for them."""
    cluster = _STARTED.enter_context(flink.Flink(JARS, Path(tempfile.mkdtemp(prefix="datalab-flink-"))))
    return options(job_endpoint=cluster.job_endpoint, parallelism=2, environment_config=worker_pool())


@cache
def portable_options() -> tuple[str, ...]:
    """Start Beam's job server in Python, and a worker pool; return the runner options for them."""
    port = flink.free_port()
    started([sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", "--port", str(port)])
    listening(port)
    return options(job_endpoint=f"localhost:{port}", environment_config=worker_pool())


@cache
def worker_pool() -> str:
    """Start a worker pool; return its address."""
    port = flink.free_port()
    started([sys.executable, "-m", "datalab.engine.beam.worker_pool", "--port", str(port)])
    listening(port)
    return f"localhost:{port}"


def options(**given: object) -> tuple[str, ...]:
    return tuple(word for name, value in given.items() for word in ("--runner-option", f"{name}={value}"))


def started(command: list[str]) -> subprocess.Popen:
    """Start a server, its output in a file; it is ended at the end of the session."""
    log = _STARTED.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the session
    server = subprocess.Popen(
        command, env=environment(), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    _STARTED.callback(ended, server)
    return server


def ended(server: subprocess.Popen) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def listening(port: int, seconds: float = 60) -> None:
    """Wait until a server listens."""
    deadline = time.monotonic() + seconds
    while not flink.listens(port):
        assert time.monotonic() < deadline, "the server did not come up"
        time.sleep(0.1)
