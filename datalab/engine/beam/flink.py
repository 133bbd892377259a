"""A Flink cluster with Beam's job server: its jars are fetched once and checked against a lock, its processes end with the context.

Usage: python -m datalab.engine.beam.flink fetch FOLDER     (needs Maven and the network, once)
       python -m datalab.engine.beam.flink start FOLDER     (a cluster on this machine, until Ctrl-C)

All is one set from Maven Central, as Beam's Flink runner asks for it (``flink-pom.xml``), with a hash for each file (``flink.lock``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Self

from datalab.errors import RunFailed, SourceError, VerificationFailed

JARS = Path("gradle", "wrapper")
"""The jars' place in the folder. Beam's job server sends all jars of its own with every job (150 MB), but for those whose path
says that they are a Gradle wrapper's; Flink's processes have them from here already."""
_OPENED = (
    *("java.lang", "java.lang.reflect", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.text", "java.time"),
    *("java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks"),
)
"""Packages of Java that Flink reaches into by reflection."""
_MASTER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASKMANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_START_SECONDS = 90.0


def missing(folder: Path) -> str:
    """Say what this machine lacks for a cluster from the jars in ``folder``, "" for nothing."""
    if not shutil.which("java"):
        return "no Java on PATH (17 was tried)"
    if not all((folder / JARS / name).is_file() for name in _lock()):
        return f"its jars are not in {folder}: python -m datalab.engine.beam.flink fetch {folder}"
    return ""


def fetch(folder: Path) -> None:
    """Fetch the jars into ``folder`` with Maven, in its own configuration, and check each; instant when they are there."""
    if not check(folder):
        return
    maven = shutil.which("mvn")
    if not maven:
        raise SourceError(
            "Flink's jars are fetched with Maven, which is not on PATH", next="install it (Debian: apt install maven)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    pom = folder / "pom.xml"
    pom.write_text(resources.files(__package__).joinpath("flink-pom.xml").read_text(encoding="utf-8"), encoding="utf-8")
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run([*command, f"-DoutputDirectory={folder / JARS}"], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        said = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no word of it")
        raise SourceError(f"Maven could not fetch Flink: {said[:300]}", next="run the same again; finished downloads are kept")
    if wrong := check(folder):
        raise VerificationFailed(
            f"{len(wrong)} jars are not those of the lock: {', '.join(wrong[:5])}",
            where=str(folder / JARS),
            next="remove the folder",
        )


def check(folder: Path) -> list[str]:
    """Return the names of jars that are missing, differ from the lock, or are not in it."""
    place, lock = folder / JARS, _lock()
    there = {path.name for path in place.glob("*.jar")}
    wrong = [name for name in sorted(lock.keys() & there) if _sha256(place / name) != lock[name]]
    return sorted([*wrong, *(lock.keys() ^ there)])


class Flink:
    """A JobManager, TaskManagers and Beam's job server on this machine, for as long as the context lasts.

    ``folder`` holds the jars (`fetch`); ``state`` takes configuration, logs and what Flink keeps while it runs.
    """

    def __init__(
        self,
        folder: Path,
        state: Path,
        *,
        taskmanagers: int = 1,
        slots: int = 2,
        job_port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._jars = folder / JARS
        self._state = state
        self._wanted = taskmanagers
        self._rest, self._job_port = free_port(), job_port or free_port()
        self._settings = {**_settings(state, free_port(), self._rest, slots), **(settings or {})}
        self._others: list[subprocess.Popen[bytes]] = []
        self.taskmanagers: list[subprocess.Popen[bytes]] = []

    @property
    def job_endpoint(self) -> str:
        """Where Beam's job server listens: the option ``job_endpoint`` of the runner ``flink``."""
        return f"localhost:{self._job_port}"

    @property
    def page(self) -> str:
        """The address of Flink's REST interface."""
        return f"http://127.0.0.1:{self._rest}"

    def __enter__(self) -> Self:
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f"{name}: {value}" for name, value in self._settings.items()]
        (self._state / "config.yaml").write_text("\n".join([*lines, ""]), encoding="utf-8")
        try:
            self._others.append(self._java("jobmanager", 512, _MASTER, "--configDir", self._state))
            for _ in range(self._wanted):
                self.add_taskmanager()
            ports = ["--job-host=localhost", f"--job-port={self._job_port}", "--artifact-port=0", "--expansion-port=0"]
            master = [f"--flink-master=127.0.0.1:{self._rest}", f"--artifacts-dir={self._state / 'artifacts'}"]
            self._others.append(self._java("jobserver", 512, _JOB_SERVER, *master, *ports))
            self._await()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_taskmanager(self) -> None:
        """Start one more TaskManager."""
        number = len(self.taskmanagers)
        named = f"-Dtaskmanager.resource-id=taskmanager-{number}"
        started = self._java(f"taskmanager-{number}", 768, _TASKMANAGER, "--configDir", self._state, named)
        self.taskmanagers.append(started)

    def ask(self, path: str) -> dict[str, object]:
        """Return what Flink's REST interface answers."""
        with urllib.request.urlopen(f"{self.page}/{path}", timeout=10) as answer:  # noqa: S310 - a server of our own
            found: dict[str, object] = json.load(answer)
        return found

    def close(self) -> None:
        """End all processes."""
        running = [*self._others, *self.taskmanagers]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _java(self, name: str, heap_mb: int, *arguments: object) -> subprocess.Popen[bytes]:
        java = shutil.which("java")
        if not java:
            raise RunFailed("Flink needs Java, and there is none on PATH", next="install Java 17")
        opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
        command = [java, f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *opens, "-cp", f"{self._jars}/*"]
        with (self._state / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _await(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not (self._registered() and listens(self._job_port)):
            dead = [process for process in (*self._others, *self.taskmanagers) if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                why = f"a process ended with exit code {dead[0].returncode}" if dead else f"not up after {_START_SECONDS:.0f} s"
                raise RunFailed(f"Flink did not start: {why}", where=str(self._state), next="read the logs there")
            time.sleep(0.2)

    def _registered(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self.ask("overview").get("taskmanagers") == self._wanted
        return False


def _settings(state: Path, rpc: int, rest: int, slots: int) -> dict[str, str]:
    """Return Flink's configuration. A TaskManager that is started without Flink's scripts wants all its memory spelled out."""
    here = "127.0.0.1"
    return {
        "jobmanager.rpc.address": here,
        "jobmanager.rpc.port": str(rpc),
        "jobmanager.bind-host": here,
        "jobmanager.memory.process.size": "1024m",
        "rest.address": here,
        "rest.bind-address": here,
        "rest.port": str(rest),
        "taskmanager.host": here,
        "taskmanager.bind-host": here,
        "taskmanager.cpu.cores": str(float(slots)),
        "taskmanager.numberOfTaskSlots": str(slots),
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.task.heap.size": "512m",
        "taskmanager.memory.task.off-heap.size": "0m",
        "taskmanager.memory.managed.size": "128m",
        "taskmanager.memory.network.min": "64m",
        "taskmanager.memory.network.max": "64m",
        "taskmanager.memory.jvm-metaspace.size": "256m",
        "taskmanager.memory.jvm-overhead.min": "192m",
        "taskmanager.memory.jvm-overhead.max": "192m",
        "io.tmp.dirs": str(state / "tmp"),
        "web.tmpdir": str(state / "tmp"),
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "3",
        "restart-strategy.fixed-delay.delay": "1 s",
    }


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether something listens on a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
        return True
    return False


def _lock() -> dict[str, str]:
    text = resources.files(__package__).joinpath("flink.lock").read_text(encoding="utf-8")
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(arguments: list[str]) -> None:
    """Fetch, or start until Ctrl-C."""
    import argparse
    import tempfile

    parser = argparse.ArgumentParser(prog="python -m datalab.engine.beam.flink", description="Flink with Beam's job server.")
    parser.add_argument("verb", choices=("fetch", "start"))
    parser.add_argument("folder", type=Path, help="where the jars are kept")
    parser.add_argument("--state", type=Path, help="where configuration and logs go")
    parser.add_argument("--taskmanagers", type=int, default=1)
    parser.add_argument("--slots", type=int, default=2, help="parts that a TaskManager works on at once")
    parser.add_argument("--job-port", type=int, default=8099, help="where Beam's job server listens; 0 takes a free port")
    given = parser.parse_args(arguments)
    if given.verb == "fetch":
        fetch(given.folder.resolve())
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    state = given.state or Path(tempfile.mkdtemp(prefix="datalab-flink-"))
    cluster = Flink(given.folder.resolve(), state, taskmanagers=given.taskmanagers, slots=given.slots, job_port=given.job_port)
    with cluster, contextlib.suppress(KeyboardInterrupt):
        print(f"Flink's page: {cluster.page}\nlogs:         {state}")  # noqa: T201 - a command
        print(  # noqa: T201
            f"run on it:    datalab run NAME --runner flink --runner-option job_endpoint={cluster.job_endpoint} "
            f"--runner-option parallelism={given.slots * given.taskmanagers}",
            flush=True,
        )
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
