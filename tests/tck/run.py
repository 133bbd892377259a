"""Run the official conformance kit of the Dataspace Protocol against both roles: fetch it, start the connector, read the report.

    python tests/tck/run.py [--lock]

The kit (Eclipse Dataspace TCK) comes from Maven Central into a cache that is not committed; every file is checked against
``jars.sha256`` first (``--lock`` writes that file anew). The last line is ``N passed, N failed``; the exit code says the same.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".tck"
JARS = CACHE / "jars"
LOCK = HERE / "jars.sha256"
EXPECTED = 67
OLDEST_JAVA = 17
sys.path.insert(0, str(HERE))
from scripts import settings  # type: ignore[import-not-found]  # noqa: E402


def main(arguments: list[str]) -> int:
    """Return 0 where every test passed, or where this machine cannot run the kit (and says so)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", action="store_true", help="write the hashes of the kit's files anew")
    options = parser.parse_args(arguments)
    reason = cannot()
    if reason:
        print(f"tck: skipped: {reason}")
        return 0
    if options.lock or not whole():
        fetch()
    if options.lock:
        LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(found().items())), encoding="utf-8")
    if not whole():
        print("tck: the kit's files are not those of tests/tck/jars.sha256", file=sys.stderr)
        return 1
    return judge(*run_kit())


def cannot() -> str:
    """Return why this machine cannot run the kit; "" where it can."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian, Ubuntu: apt install openjdk-17-jdk-headless maven)"
    told = subprocess.run(["java", "-version"], check=False, capture_output=True, text=True).stderr
    version = re.search(r'version "([0-9]+)', told)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"the kit needs Java {OLDEST_JAVA} or newer"
    return ""


def fetch() -> None:
    """Have Maven bring the kit and all it needs into the cache."""
    shutil.rmtree(JARS, ignore_errors=True)
    CACHE.mkdir(exist_ok=True)
    command = ["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    done = subprocess.run(list(map(str, command)), check=False, cwd=CACHE)
    if done.returncode != 0:
        raise SystemExit("tck: Maven could not fetch the kit: its message is above")


def found() -> dict[str, str]:
    """Return the digest of every file in the cache."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in JARS.glob("*.jar")}


def whole() -> bool:
    """Whether the cache holds exactly the files of the lock."""
    locked = dict(reversed(line.split()) for line in LOCK.read_text(encoding="utf-8").splitlines()) if LOCK.exists() else {}
    return bool(locked) and found() == locked


def run_kit() -> tuple[int, str]:
    """Run the kit against a connector of its own; return its exit code and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        port, kit = free_port(), free_port()
        properties = state / "tck.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in configuration(port, kit).items()))
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'connectors'}"}
        with (state / "connector.log").open("w") as log:
            command = [sys.executable, str(HERE / "connector_under_test.py"), "--state", folder, "--port", str(port)]
            connector = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/.well-known/dspace-version", connector)
            return java(properties)
        finally:
            connector.terminate()
            connector.wait()
            shutil.copy(state / "connector.log", CACHE / "connector.log")


def java(properties: Path) -> tuple[int, str]:
    """Start the kit itself; two of its tests are marked as disabled by it and run here all the same."""
    command = ["java", "-cp", f"{JARS}/*", "-Djunit.jupiter.conditions.deactivate=*DisabledCondition"]
    done = subprocess.run(
        [*command, str(HERE / "Tck.java"), str(properties)], check=False, capture_output=True, text=True, timeout=600
    )
    said = done.stdout + done.stderr
    (CACHE / "report.txt").write_text(said, encoding="utf-8")
    return done.returncode, said


def configuration(port: int, kit: int) -> dict[str, str]:
    """Return the kit's settings: where the connector is, and which ids mean which test."""
    base = f"http://127.0.0.1:{port}"
    return {
        "dataspacetck.debug": "false",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": str(kit),
        "dataspacetck.callback.address": f"http://127.0.0.1:{kit}",
        "dataspacetck.dsp.local.connector": "false",
        "dataspacetck.dsp.connector.agent.id": "urn:connector-under-test",
        "dataspacetck.dsp.connector.http.url": f"{base}/2025-1",
        "dataspacetck.dsp.connector.http.base.url": base,
        "dataspacetck.dsp.connector.http.headers.authorization": "none",
        "dataspacetck.dsp.connector.negotiation.initiate.url": f"{base}/trigger/negotiations",
        "dataspacetck.dsp.connector.transfer.initiate.url": f"{base}/trigger/transfers",
        "dataspacetck.dsp.default.wait": "10",
        **settings(),
    }


def judge(code: int, said: str) -> int:
    """Say what the report says; whatever is not a whole, clean run is a failure."""
    result = re.search(r"RESULT found=([0-9]+) passed=([0-9]+) failed=([0-9]+) aborted=([0-9]+) skipped=([0-9]+)", said)
    for line in said.splitlines():
        if line.startswith("FAILURE"):
            print(line)
    if result is None:
        print(said[-3000:], file=sys.stderr)
        print("tck: the kit did not come to its end", file=sys.stderr)
        return 1
    tests, passed, failed, aborted, skipped = map(int, result.groups())
    missing = max(0, EXPECTED - tests) + aborted + skipped
    print(f"{passed} passed, {failed + missing} failed")
    return 0 if code == 0 and (passed, failed, missing) == (EXPECTED, 0, 0) else 1


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the connector answers."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise SystemExit(f"tck: the connector under test did not come up: see {CACHE / 'connector.log'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
