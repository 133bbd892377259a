"""What a connector keeps of its contracts: one small file for each, whole or not at all, so that a killed process goes on."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datalab_connectors.processes import alone


class Records:
    """Records by subject (a digest) in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, subject: str) -> dict[str, Any]:
        """Return the record of a subject; empty where there is none, or none that can be read."""
        with contextlib.suppress(OSError, ValueError):
            body = json.loads(self._path(subject).read_text("utf-8"))
            if isinstance(body, dict):
                return body
        return {}

    def put(self, subject: str, body: Mapping[str, Any]) -> None:
        """Write the record of a subject."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._folder, prefix=".new-", delete=False) as stream:
            json.dump(body, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        Path(stream.name).replace(self._path(subject))

    def alone(self, subject: str) -> contextlib.AbstractContextManager[None]:
        """Hold a subject: of two processes that want the same contract, the second finds what the first reached."""
        return alone(self._path(subject).with_suffix(".lock"))

    def _path(self, subject: str) -> Path:
        return self._folder / f"{subject}.json"
