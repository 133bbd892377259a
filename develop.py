#!/usr/bin/env python3
"""Set up, run and check the repository with nothing but Python: python3 develop.py help.

Runs on any Python from 3.8, so that too old a Python gets one plain sentence instead of a traceback; the work itself is
done by Python 3.11 to 3.13, searched on PATH when this one is not suitable.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys

from environments import PEERS, REQUIREMENTS, ROOT, VENV, Stop, install, locked, run

OLDEST, NEWEST = (3, 11), (3, 13)
MACHINES = ("x86_64", "aarch64")
CACHES = (".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache", ".tck", "build", "dist")


def main(arguments: list[str]) -> int:
    """Do the verb named first; return the exit code."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if verb in ("help", "-h", "--help"):
        print_help()
        return 0
    if verb not in VERBS:
        raise Stop(f"there is no verb {verb!r}: use one of {', '.join(VERBS)}, help")
    if verb != "clean":
        require_platform()
        use_suitable_python()
    action = VERBS[verb][0]
    return action(rest)


def print_help() -> None:
    """List the verbs."""
    print("usage: python3 develop.py VERB [ARGUMENT …]   (or: make VERB)\n")
    for verb, (_, text) in VERBS.items():
        print(f"  {verb:<11} {text}")
    print("  help        this text")


# --- the verbs -------------------------------------------------------------------------------------------------------


def setup(rest: list[str]) -> int:
    """Install the lab's own packages, or with ``dev`` those of its developers too."""
    if rest not in ([], ["lab"], ["dev"]):
        raise Stop("setup takes nothing, 'lab' or 'dev'")
    install(rest[0] if rest else "lab")
    return 0


def demo(rest: list[str]) -> int:
    """Run the demo pipelines."""
    install("lab")
    return run([VENV / "bin" / "datalab", "demo", *rest])


def dev(rest: list[str]) -> int:
    """Open Dagster's web page."""
    install("lab")
    return run([VENV / "bin" / "datalab", "dev", *rest])


def test(rest: list[str]) -> int:
    """Run the tests, but for the slow ones."""
    install("dev")
    return run([VENV / "bin" / "python", "-m", "pytest", "-m", "not slow", *rest])


def test_slow(rest: list[str]) -> int:
    """Run the slow tests: whole processes killed and resumed, servers (S3 among them, built where Go is), memory."""
    install("dev")
    if run([VENV / "bin" / "python", ROOT / "tests" / "s3server" / "prepare.py"]) != 0:
        return 1
    return run([VENV / "bin" / "python", "-m", "pytest", "-m", "slow and not cluster", *rest])


def test_clusters(rest: list[str]) -> int:
    """Run the tests on clusters; without Java or Maven those on Flink are skipped, and say so."""
    install("dev")
    python, jars = VENV / "bin" / "python", ROOT / ".cache" / "flink"
    if shutil.which("java") and shutil.which("mvn"):
        if run([python, "-m", "datalab.engine.beam.flink", "fetch", jars]) != 0:
            print("test-clusters: Flink could not be fetched, its tests are skipped", flush=True)
    else:
        print("test-clusters: Flink needs Java and, once, Maven; its tests are skipped", flush=True)
    return run([python, "-m", "pytest", "-m", "cluster", *rest])


def tck(rest: list[str]) -> int:
    """Run the official conformance kit of the Dataspace Protocol against both roles; skipped without Java or Maven."""
    install("dev")
    return run([VENV / "bin" / "python", ROOT / "tests" / "tck" / "run.py", *rest])


def bench(rest: list[str]) -> int:
    """Measure the rows that need nothing but the lab; arguments go to ``python -m benchmarks``."""
    install("lab")
    return run([VENV / "bin" / "python", "-m", "benchmarks", *rest])


def bench_peers(rest: list[str]) -> int:
    """Measure the rows against other toolkits, in an environment of their own."""
    install("lab")
    install("peers", PEERS)
    return run([VENV / "bin" / "python", "-m", "benchmarks", "--peers", *rest])


def check(rest: list[str]) -> int:
    """Run all static checks, also when an earlier one fails."""
    if rest:
        raise Stop("check takes no argument")
    install("dev")
    tools = VENV / "bin"
    checks = (
        ("style", [tools / "ruff", "check", "."]),
        ("format", [tools / "ruff", "format", "--check", "."]),
        ("types", [tools / "mypy"]),
        ("imports", [tools / "lint-imports"]),
    )
    failed = [name for name, command in checks if announced(name, command) != 0]
    print(f"check: {', '.join(failed)} failed" if failed else "check: all passed")
    return 1 if failed else 0


def announced(name: str, command: list[object]) -> int:
    """Run a check under its name."""
    print(f"check: {name}", flush=True)
    return run(command)


def lock(rest: list[str]) -> int:
    """Write the locks anew with uv. Versions already locked stay unless ``--upgrade`` is given."""
    uv = shutil.which("uv")
    if uv is None:
        raise Stop("lock needs uv on PATH (https://docs.astral.sh/uv); nothing else does")
    compile_ = [uv, "pip", "compile", "--universal", "--python-version", f"{OLDEST[0]}.{OLDEST[1]}", "--generate-hashes"]
    compile_ += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet", *rest]
    lab = ["pyproject.toml", "--extra", "all"]
    wanted = (
        ("lab", lab),
        ("dev", [*lab, "--extra", "embeddings", "--group", "dev", "--constraints", REQUIREMENTS / "lab.txt"]),
        ("build", ["--group", "build", "--constraints", REQUIREMENTS / "dev.txt"]),
        ("peers", ["--group", "peers"]),
    )
    for name, what in wanted:
        target = REQUIREMENTS / f"{name}.txt"
        if run([*compile_, *what, "--output-file", target], stdout=subprocess.DEVNULL) != 0:
            raise Stop(f"uv could not resolve {target.relative_to(ROOT)}: its message is above")
        print(f"lock: {target.relative_to(ROOT)}: {len(locked(target))} packages")
    return 0


def clean(rest: list[str]) -> int:
    """Remove what was made here and can be made again. Never the lab's data."""
    if rest:
        raise Stop("clean takes no argument")
    for folder in (VENV, PEERS, *(ROOT / name for name in CACHES)):
        shutil.rmtree(folder, ignore_errors=True)
    for top in ("datalab", "connectors", "pipelines", "tests", "benchmarks"):
        for folder in (ROOT / top).rglob("__pycache__"):
            shutil.rmtree(folder, ignore_errors=True)
    print("clean: removed .venv, .venv-peers and all caches; kept .datalab, the lab's data")
    return 0


VERBS = {
    "setup": (setup, "make .venv and install the locked packages (setup dev: the developers' too)"),
    "demo": (demo, "run the demo: from offers in a sandbox data space to approved releases"),
    "test": (test, "run the tests; arguments go to pytest"),
    "test-slow": (test_slow, "run the slow tests: kills, servers, memory"),
    "test-clusters": (test_clusters, "run the plans on Beam's runners, a real Flink among them"),
    "tck": (tck, "run the official conformance kit of the Dataspace Protocol (needs Java 17 and Maven)"),
    "dev": (dev, "open Dagster's web page on the pipelines"),
    "bench": (bench, "measure what benchmarks claim; arguments are rows, or --quick"),
    "bench-peers": (bench_peers, "the same against other toolkits, in .venv-peers"),
    "check": (check, "style, format, types and import rules"),
    "lock": (lock, "write requirements/*.txt anew (needs uv; --upgrade for newer versions)"),
    "clean": (clean, "remove .venv, .venv-peers and caches; the lab's data stays"),
}


# --- which Python ----------------------------------------------------------------------------------------------------


def require_platform() -> None:
    """Stop where no locked package would fit."""
    if not sys.platform.startswith("linux"):
        raise Stop(f"datalab runs on Linux, this is {platform.system()}: use a Linux machine, a container or WSL 2")
    if platform.machine() not in MACHINES:
        raise Stop(f"datalab is locked for {' and '.join(MACHINES)}, this machine is {platform.machine()}")


def use_suitable_python() -> None:
    """Go on with this Python, or replace the process by a suitable one from PATH, or stop with what to install."""
    suitable = OLDEST <= sys.version_info[:2] <= NEWEST
    if suitable and can_make_environments():
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and answers(other, minor):
            os.execv(other, [other, str(ROOT / "develop.py"), *sys.argv[1:]])  # noqa: S606 - replaces this process
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if suitable:
        raise Stop(
            f"this Python {version} cannot make environments: install its venv (Debian, Ubuntu: apt install python{version}-venv)"
        )
    raise Stop(
        f"datalab needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, this is {version} and PATH has no other: install one of them"
    )


def can_make_environments() -> bool:
    """Whether ``venv`` and ``ensurepip`` are there: Debian ships them apart."""
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))


def answers(python: str, minor: int) -> bool:
    """Whether ``python`` really is Python 3.``minor`` with all parts (a version manager's shim may only pretend)."""
    probe = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.run([python, "-c", probe], check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stop as stop:
        print(f"develop.py: {stop}", file=sys.stderr)
        sys.exit(1)
