"""Build the S3 server of the tests, Versity's S3 gateway, into a cache that is not committed.

    python tests/s3server/prepare.py

``go.mod`` pins its version and that of all it is made of, ``go.sum`` their hashes: Go builds nothing else. Without Go, or where
the Go module proxy is out of reach, this says so and ends well: the tests that need the server then skip.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "s3server"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
HINT = "make test-slow builds it, with Go from 1.24 on PATH"


def binary() -> Path:
    """Return where the server of exactly these pins stands, or would."""
    pins = b"".join((HERE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return CACHE / f"versitygw-{hashlib.sha256(pins).hexdigest()[:16]}"


def build() -> str:
    """Build the server where it is not there yet; return why it cannot be, "" where it is."""
    if binary().exists():
        return ""
    if shutil.which("go") is None:
        return "Go is not installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    made = CACHE / f".building-{os.getpid()}"
    settings = {**os.environ, "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false", "CGO_ENABLED": "0"}
    try:
        done = subprocess.run(
            ["go", "build", "-o", made, PACKAGE],
            cwd=HERE,
            env=settings,
            check=False,
            capture_output=True,
            text=True,
            timeout=900,
        )
    except subprocess.TimeoutExpired:
        return "the build took longer than 15 minutes"
    if done.returncode != 0:
        made.unlink(missing_ok=True)
        return f"go build failed: {' '.join(done.stderr.split())[-300:]}"
    made.replace(binary())
    return ""


if __name__ == "__main__":
    reason = build()
    print(f"s3server: the tests on a real S3 server are skipped: {reason}" if reason else f"s3server: {binary().name}")
