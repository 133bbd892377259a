"""``datalab dev``: Dagster's web page and daemon on the pipelines of this lab, on loopback, until Ctrl-C."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from datalab.cli.leash import leashed
from datalab.errors import MissingExtra, SourceError, UsageError

if TYPE_CHECKING:
    from datalab.model.settings import Settings

DEFINITIONS = "datalab.orchestration.definitions"
_INSTANCE = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"
"""Dagster's instance configuration for a lab that brings none of its own."""
_SECONDS_TO_START = 120
_SECONDS_TO_END = 20


@click.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, help="Port of the web page; 0 takes a free one.")
def command(host: str, port: int) -> None:
    """Open Dagster on the pipelines: run them, see their rows, reasons, lineage and checks. Ctrl-C ends it.

    The page has no login: whoever reaches HOST can start runs, so keep it on loopback.
    """
    from datalab.lab.pipelines import find_pipelines
    from datalab.model.settings import find_settings

    if importlib.util.find_spec("dagster_webserver") is None:
        raise MissingExtra.needed("dagster", "the web page")
    settings = find_settings()
    found = find_pipelines(settings)  # a broken pipeline file is told here, in plain words, and not in Dagster's log
    home = dagster_home(settings)
    port = _free_port(host, port)
    click.echo(f"starting Dagster on {len(found)} pipelines; Ctrl-C ends it")
    with _stopped_by_signals(), _dagster(settings, home, host, port) as process:
        url = f"http://{host}:{port}"
        _await(process, url)
        click.echo(f"\n  Dagster answers at {url}\n")
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
            raise SourceError(
                "Dagster ended by itself", where=f"exit code {process.returncode}", next="its last words are above"
            )
    click.echo("Dagster has ended; an interrupted run can be resumed by running it again")


def dagster_home(settings: Settings) -> Path:
    """Return DAGSTER_HOME: the one of the environment, of the repository, or one made in the lab's home."""
    if named := os.environ.get("DAGSTER_HOME"):
        return Path(named)
    own = settings.root / "dagster_home"
    if (own / "dagster.yaml").is_file():
        return own
    made = settings.path(settings.home) / "dagster"
    made.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (made / "dagster.yaml").exists():
        (made / "dagster.yaml").write_text(_INSTANCE, "utf-8")
    return made


@contextlib.contextmanager
def _dagster(settings: Settings, home: Path, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start web server, daemon and code server; end them all on the way out."""
    arguments = [sys.executable, "-m", "dagster", "dev", "-m", DEFINITIONS, "-d", str(settings.root)]
    arguments += ["-h", host, "-p", str(port), "--log-level", "warning"]
    # Dagster would like "dg dev" to be used, which needs a developer's package.
    quiet = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), "ignore:Function `dev_command` is superseded"]))
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": quiet}
    # Its own process group: Ctrl-C reaches us first, and one signal to the group ends whatever is left. Its leash: where
    # we are killed and can say nothing, the kernel asks it to end.
    process = subprocess.Popen(leashed(arguments), cwd=settings.root, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Dagster and its children: asked first, then made to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave children behind
    for number, patience in ((signal.SIGTERM, _SECONDS_TO_END), (signal.SIGKILL, 5)):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what Dagster left behind; a run resumes from its receipts


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Take a polite end (SIGTERM, a closed terminal) as Ctrl-C, so that no child outlives us.

    SIGINT is named too: a shell starts background jobs with it ignored.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _free_port(host: str, port: int) -> int:
    try:
        with socket.create_server((host, port)) as listener:
            found: int = listener.getsockname()[1]
    except OSError as error:
        raise UsageError(
            f"cannot listen: {error.strerror or error}",
            where=f"{host}, port {port}",
            next="choose another: --port N, or --port 0",
        ) from None
    return found


def _await(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SourceError("Dagster did not start", where=f"exit code {process.returncode}", next="its last words are above")
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{url}/server_info", timeout=2):  # noqa: S310 - our own address
            return
        time.sleep(0.3)
    raise SourceError(f"Dagster did not answer within {_SECONDS_TO_START} s", where=url, next="its last words are above")
