"""What Simpl's Asset Orchestrator needs to bind our jobs: a tag to find them by, run configuration as YAML, a business log per run.

The orchestrator keeps a YAML text per asset and puts a consumer's values into its ``${VARIABLES}`` before it starts the job
(Simpl-Open, asset orchestrator v1). It reads ``simpl_run_<run id>.json``: one JSON object a line, of which those of level
``BUSINESS`` are for people who watch the exchange. They hold identifiers, counts and digests, and never a value of the data.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalab.errors import StorageFailed, UsageError
from datalab.model.pipeline import Pipeline

TAG = "RD_DATA"
"""By which the orchestrator lists the jobs that work on data: ``GET /workflows?tag=RD_DATA``."""
RUN_CONFIG = """\
resources:
  lab:
    config:
      requested_by: ${REQUESTED_BY}
      workers: ${WORKERS}
"""
"""The run configuration to store with a workflow definition. Both lines may be left out, or have a value instead of a variable."""
VARIABLES = {
    "REQUESTED_BY": "who asks for the run; it goes to the ledger",
    "WORKERS": "worker processes, a whole number; 0 means one per core",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 @._:/+-]*")
_ID = re.compile(r"[^A-Za-z0-9-]")


def job_tags(pipeline: Pipeline) -> dict[str, str]:
    """Return the tags by which a pipeline's job is found and its runs are named."""
    return {TAG: "true", "business_operation": pipeline.name, "purpose": pipeline.purpose.code}


def resolved(text: str, values: Mapping[str, str]) -> str:
    """Return a run configuration with its variables filled in, as the orchestrator does; raise ``UsageError`` for one without value.

    A value that is more than a plain word is quoted, so that it stays one value and cannot add a line to the configuration.
    """
    missing = sorted({name for name in _VARIABLE.findall(text) if name not in values})
    if missing:
        raise UsageError(
            f"the run configuration has no value for {', '.join(missing)}",
            where="run configuration",
            next="give the variables their values, or leave the lines out",
        )
    return _VARIABLE.sub(lambda found: _quoted(values[found[1]]), text)


def word(value: str, name: str) -> str:
    """Return a configured text; raise ``UsageError`` for a variable that nobody filled in."""
    if _VARIABLE.search(value):
        raise UsageError(
            f"{name} is {value!r}: the variable has no value",
            where="run configuration",
            next="give it one, or leave the line out",
        )
    return value


def number(value: object, name: str, default: int) -> int:
    """Return a configured whole number, which a filled-in variable may bring as text; ``default`` for none."""
    if value is None or value == "":
        return default
    text = word(str(value), name)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 6):
        raise UsageError(f"{name} is {value!r}", where="run configuration", next="give a whole number, 0 for one per core")
    return int(text)


@dataclass(frozen=True, slots=True)
class BusinessLog:
    """The business log of one run, in ``folder``. ``origin`` is the lab, as a participant."""

    folder: Path
    run_id: str
    origin: str

    @property
    def path(self) -> Path:
        """The file: one line per record, appended whole."""
        return self.folder / f"simpl_run_{_ID.sub('_', self.run_id)}.json"

    def record(
        self,
        operation: str,
        kind: str,
        message: str,
        *,
        origin: str = "",
        destination: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Append one record. ``kind`` is REQUEST, RESPONSE or ERROR; ``facts`` are plain values. Raise ``StorageFailed``."""
        body = {
            "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": "BUSINESS",
            "message": message,
            "messageType": kind,
            "origin": origin or self.origin,
            "destination": destination or self.origin,
            "businessOperation": operation,
            "correlationId": self.run_id,
            "customFields": dict(facts or {}),
        }
        line = json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageFailed(f"the business log cannot be written: {error.strerror}", where=str(self.path)) from None


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) and ": " not in value else json.dumps(value, ensure_ascii=False)
