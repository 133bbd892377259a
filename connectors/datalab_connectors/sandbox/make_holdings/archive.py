"""Compressed files with the same bytes for the same rows, and the places where the holdings keep them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HOLDINGS = Path(__file__).parent.parent / "holdings"
TRUTH = HOLDINGS / "truth"
"""What the generators inserted, for tests. Beside the holdings, offered by none of them."""


def write_gzip(path: Path, text: Iterable[str]) -> int:
    """Write ``text`` as UTF-8 into a gzip file without name and time in it; return its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as packed:
        for piece in text:
            packed.write(piece.encode())
    return path.stat().st_size


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Write ``records`` as gzipped JSON Lines, keys in the order given; return the size in bytes."""
    return write_gzip(path, (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in records))


def share(key: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on ``key`` and ``salt`` alone (the first 8 bytes of SHA-256)."""
    return int.from_bytes(hashlib.sha256(f"{salt}\0{key}".encode()).digest()[:8], "big") / 2**64
