"""The environments of the repository: made from the locks, stamped when whole; and the processes that run in them.

Stdlib only, any Python from 3.8, as `develop.py`, whose other half this is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PEERS = ROOT / ".venv-peers"
"""The environment of the toolkits that benchmarks compare with: nothing of theirs is ever installed beside the lab."""
REQUIREMENTS = ROOT / "requirements"
MISLEADING = {
    "PYTHONDONTWRITEBYTECODE",  # bytecode is written at first use; without it every start takes two to seven times as long
    "PYTHONHOME",
    "PYTHONPATH",
    "PIP_NO_COMPILE",
    "PIP_PREFIX",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "VIRTUAL_ENV",
}
"""Variables of the caller's shell that would put packages elsewhere or make the result slower."""


class Stop(Exception):
    """A sentence for the user; the script ends with it."""


def install(name: str, venv: Path = VENV) -> None:
    """Make ``venv`` hold the lock ``name``, and ``.venv`` the project itself too. Instant when it does already.

    What was interrupted has no stamp and is built anew, and so is what another lock, Python or place made.
    """
    with one_at_a_time():
        found, enough = read_stamp(venv), [stamp(name, venv), *([stamp("dev", venv)] if venv == VENV else [])]
        if found in enough:
            return
        if {**found, "project": ""} in [{**one, "project": ""} for one in enough]:
            install_project(found["lock"], venv)
            return
        size = len(locked(REQUIREMENTS / f"{name}.txt"))
        began = time.monotonic()
        print(f"setup: {size} packages into {venv.name}, once; this takes one to five minutes", flush=True)
        make_environment(venv)
        install_lock("build", venv)
        install_lock(name, venv)
        install_project(name, venv)
        print(f"setup: done in {time.monotonic() - began:.0f} s", flush=True)


@contextlib.contextmanager
def one_at_a_time():  # noqa: ANN201 - the type's name differs between Python 3.8 and 3.13
    """Hold the repository folder's lock, so that two calls do not build one environment together."""
    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network filesystems have no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def stamp(name: str, venv: Path) -> dict[str, str]:
    """Everything that decides what the environment holds."""
    locks = b"".join((REQUIREMENTS / f"{part}.txt").read_bytes() for part in ("build", name))
    project = (ROOT / "pyproject.toml").read_bytes() if venv == VENV else b""
    return {
        "lock": name,
        "sha256": hashlib.sha256(locks).hexdigest(),
        "python": platform.python_version(),
        "place": str(venv),  # the scripts of an environment name their folder: a moved one is broken
        "project": hashlib.sha256(project).hexdigest(),
    }


def stamp_path(venv: Path) -> Path:
    """Where an environment says what it holds."""
    return venv / "datalab-setup.json"


def read_stamp(venv: Path) -> dict[str, str]:
    """Return the stamp of a finished environment whose Python still starts, or an empty one."""
    try:
        found = json.loads(stamp_path(venv).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    alive = isinstance(found, dict) and os.access(str(venv / "bin" / "python"), os.X_OK)
    return found if alive else {}


def make_environment(venv: Path) -> None:
    """Make an empty environment where there may be the remains of one."""
    if venv.is_symlink():
        venv.unlink()
    shutil.rmtree(venv, ignore_errors=True)
    command = [sys.executable, "-m", "venv", str(venv)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment())
    if done.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        raise Stop(f"python could not make {venv.name}: {(done.stdout + done.stderr).strip()}")


def install_lock(name: str, venv: Path) -> None:
    """Install exactly what a lock names: no resolving, every file's hash checked, no building with unlocked tools."""
    path = REQUIREMENTS / f"{name}.txt"
    options = ["--no-deps", "--require-hashes", "--no-build-isolation", "--requirement", path]
    pip(options, venv, what=f"{path.relative_to(ROOT)}", total=len(locked(path)))


def install_project(name: str, venv: Path) -> None:
    """Install the project in place, so that its commands and connectors are found, and stamp the environment as whole."""
    stamp_path(venv).unlink() if stamp_path(venv).exists() else None
    if venv == VENV:
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", ROOT]
        pip(options, venv, what="datalab itself", total=0)
    stamp_path(venv).write_text(json.dumps(stamp(name, venv)), encoding="utf-8")


def pip(options: list[object], venv: Path, *, what: str, total: int) -> None:
    """Run pip with one live line; on failure show the end of its log and what to do."""
    command = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "--no-input",
        "--disable-pip-version-check",
        "install",
        "--progress-bar=off",
    ]
    command += [
        "--no-compile"
    ]  # Python compiles what it imports at first use: half a minute and 350 MB less than compiling all
    path = venv / "setup.log"
    with path.open("a", encoding="utf-8") as log, progress(venv, what, total):
        code = run([*command, *options], stdout=log, stderr=subprocess.STDOUT)
    if code != 0:
        end = "\n  ".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise Stop(f"pip could not install {what}:\n  {end}\nrun the same again; finished downloads are kept")


@contextlib.contextmanager
def progress(venv: Path, what: str, total: int):  # noqa: ANN201 - as above
    """Show what is going on in one line, rewritten twice a second; nothing where nobody watches."""
    done = threading.Event()
    began = time.monotonic()
    log = venv / "setup.log"

    def show() -> None:
        while not done.wait(0.5):
            downloaded = log.read_text(encoding="utf-8", errors="replace").count("\nCollecting ")
            placed = sum(1 for _ in venv.glob("lib/python3*/site-packages/*.dist-info"))
            state = f"{min(downloaded, total)} of {total} fetched, {placed} in place" if total else "building"
            print(f"\r\033[Ksetup: {what}: {state}, {time.monotonic() - began:.0f} s", end="", flush=True)

    watcher = threading.Thread(target=show, daemon=True)
    if sys.stdout.isatty():
        watcher.start()
    try:
        yield
    finally:
        done.set()
        if watcher.is_alive():
            watcher.join()
            print("\r\033[K", end="", flush=True)


def locked(path: Path) -> list[str]:
    """Return the requirement lines of a lock, without their hashes."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalnum()]


def environment() -> dict[str, str]:
    """Return the caller's environment without what would mislead the tools, with ``.venv`` first on PATH."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return {**kept, "PATH": f"{VENV / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"}


def run(command: list[object], **streams: object) -> int:
    """Run a command in the repository and return its exit code."""
    words = [str(word) for word in command]
    if not (os.path.isfile(words[0]) or shutil.which(words[0])):  # noqa: PTH113 - words are text by now
        raise Stop(f"{words[0]} is missing: run 'python3 develop.py clean' and try again")
    process = subprocess.Popen(words, cwd=str(ROOT), env=environment(), **streams)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child had it too and ends in its own way
            continue
