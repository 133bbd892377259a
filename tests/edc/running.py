"""Real EDC connectors in processes of their own: fetched from Maven Central, checked against ``jars.sha256``, started on loopback.

python tests/edc/running.py --lock      writes the hashes anew
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".tck" / "edc"
JARS = CACHE / "jars"
LOCK = HERE / "jars.sha256"
KEY = "a-key-for-tests"
EDC = "https://w3id.org/edc/v0.0.1/ns/"
_PORTS = ("http", "management", "protocol", "control", "version")


@dataclass(frozen=True)
class Running:
    """One connector: who it is, and where its interfaces are."""

    name: str
    management: str
    protocol: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its management API."""
        says = json.dumps({"@context": {"@vocab": EDC}, **body}).encode() if body is not None else None
        headers = {"x-api-key": KEY, "content-type": "application/json"}
        request = urllib.request.Request(self.management + path, data=says, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None


def cannot() -> str:
    """Return why this machine cannot run EDC; "" where it can. What is missing is fetched."""
    for tool in ("java", "javac", "mvn"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian, Ubuntu: apt install openjdk-17-jdk-headless maven)"
    if not JARS.exists() and not fetch():
        return "Maven could not fetch EDC"
    return "" if found() == locked() else "EDC's files are not those of tests/edc/jars.sha256"


def fetch() -> bool:
    """Have Maven bring EDC into the cache, whole or not at all."""
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / "fetching"
    shutil.rmtree(fresh, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"]
    done = subprocess.run(command, check=False, cwd=CACHE, capture_output=True)
    if done.returncode == 0:
        fresh.replace(JARS)
    return done.returncode == 0


def found() -> dict[str, str]:
    """Return the digest of every file in the cache."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in JARS.glob("*.jar")}


def locked() -> dict[str, str]:
    """Return the digests of the lock."""
    return dict(reversed(line.split()) for line in LOCK.read_text(encoding="utf-8").splitlines()) if LOCK.exists() else {}


@contextlib.contextmanager
def running(folder: Path, *names: str, callback: str = "") -> Iterator[list[Running]]:
    """Run one connector for each name until the block ends. ``callback`` is where others are to answer, if not at its own address."""
    classes = folder / "classes"
    subprocess.run(
        ["javac", "-proc:none", "-cp", f"{JARS}/*", "-d", str(classes), str(HERE / "Edc.java")], check=True, capture_output=True
    )
    path = os.pathsep.join((f"{JARS}/*", str(classes), str(HERE / "services")))
    with contextlib.ExitStack() as stack:
        started = [_start(folder, name, path, stack, callback) for name in names]
        for one in started:
            _await(folder, one)
        yield started


def _start(folder: Path, name: str, path: str, stack: contextlib.ExitStack, callback: str) -> Running:
    ports = dict(zip((*_PORTS, "pull"), _free_ports(len(_PORTS) + 1), strict=True))
    base = {kind: f"http://127.0.0.1:{port}/{kind}" for kind, port in ports.items()}
    settings = {
        "edc.participant.id": name,
        "edc.hostname": "127.0.0.1",
        "edc.dsp.callback.address": callback or base["protocol"],
        "edc.policy.validation.enabled": "false",  # it would refuse to define what no function of its own measures
        "edc.transfer.proxy.token.signer.privatekey.alias": "private-key",
        "edc.transfer.proxy.token.verifier.publickey.alias": "public-key",
        "web.http.management.auth.type": "tokenbased",
        "web.http.management.auth.key": KEY,
        "datalab.pull.port": str(ports["pull"]),
    }
    for kind in _PORTS:
        prefix = "web.http" if kind == "http" else f"web.http.{kind}"
        settings |= {f"{prefix}.port": str(ports[kind]), f"{prefix}.path": "/api" if kind == "http" else f"/{kind}"}
    file = folder / f"{name}.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    log = stack.enter_context((folder / f"{name}.log").open("w"))
    command = ["java", "-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dedc.fs.config={file}", "-cp", path, "Edc"]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return Running(name, base["management"], base["protocol"])


def _await(folder: Path, one: Running) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            one.call("POST", "/v3/assets/request", {"@type": "QuerySpec"})
            return
        time.sleep(0.2)
    raise RuntimeError((folder / f"{one.name}.log").read_text()[-2000:])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(server.getsockname()[1]) for server in servers]


if __name__ == "__main__":
    if "--lock" in sys.argv and (JARS.exists() or fetch()):
        LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(found().items())), encoding="utf-8")
    sys.exit(cannot() or 0)
