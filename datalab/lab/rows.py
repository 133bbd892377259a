"""Row-level records of a run: where a released row comes from, what was quarantined, and their removal after the retention."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from datalab.engine.drive import locked
from datalab.engine.folder import RunFolder
from datalab.errors import NotFound, UsageError
from datalab.lab.lab import Lab
from datalab.model.manifest import Manifest
from datalab.model.step import ROW, SOURCE

_DURATION = re.compile(r"P(?:(?P<years>[0-9]+)Y)?(?:(?P<months>[0-9]+)M)?(?:(?P<weeks>[0-9]+)W)?(?:(?P<days>[0-9]+)D)?")
SENSITIVE = (
    "rows",
    "quarantine",
    "dropped",
    "provenance",
    "keys",
    "entries",
    "evidence",
    "findings",
    "pairs",
    "verdicts",
    "model",
    "references",
    "out",
    "samples",
    "scratch",
    "receipts",
)
"""Folders of a run that hold rows or records of rows."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one released row comes from. ``record`` counts from 0 in the source object, or in the model's output."""

    source: str
    sha256: str
    record: int
    agreement: str
    synthetic: bool

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form."""
        return {
            "source": self.source,
            "sha256": self.sha256,
            "record": self.record,
            "agreement": self.agreement,
            "synthetic": self.synthetic,
        }


def origin_of(lab: Lab, manifest: Manifest, split: str, row: int) -> Origin:
    """Return the origin of row ``row`` (from 0) of ``split``; raise ``NotFound`` past the end or after the retention."""
    import pyarrow.parquet as pq

    from datalab.lab.release import evidence_of

    if split not in manifest.splits:
        raise NotFound.among("split", split, manifest.splits, where=f"release {manifest.name}")
    left = row
    for shard in (shard for shard in manifest.shards if shard.split == split):
        if left < shard.rows:
            sidecar = (
                run_folder(lab, manifest) / "provenance" / f"{split}-{Path(shard.path).stem.removeprefix('part-')}.parquet"
            )
            if not sidecar.is_file():
                raise NotFound("the provenance of this run was removed after its retention", where=str(sidecar.parent))
            record = pq.read_table(sidecar).slice(left, 1).to_pylist()[0]
            objects = [item for item in evidence_of(lab, manifest).objects if not item.reference]
            if record[SOURCE] >= len(objects):
                return Origin("fitted model", _model_sha256(lab, manifest), record[ROW], "", synthetic=True)
            item = objects[record[SOURCE]]
            return Origin(item.name, item.sha256, record[ROW], item.agreement_id, synthetic=False)
        left -= shard.rows
    raise NotFound(f"split {split!r} has {manifest.splits[split]} rows, there is no row {row}", next="rows count from 0")


def quarantined(lab: Lab, plan: str) -> Iterator[dict[str, Any]]:
    """Yield the quarantine records of a run without their payload: source, record, line, step, code."""
    import pyarrow.parquet as pq

    for path in sorted((lab.home / "runs" / plan / "quarantine").rglob("*.parquet")):
        table = pq.read_table(path, columns=[SOURCE, ROW, "line", "step", "code"])
        for record in table.to_pylist():
            yield {
                "source": record[SOURCE],
                "record": record[ROW],
                "line": record["line"],
                "step": record["step"],
                "code": record["code"],
                "file": str(path),
            }


def newest_plan(lab: Lab, pipeline: str) -> str:
    """Return the id of the last plan that was run for ``pipeline``."""
    found = ""
    names: set[str] = set()
    for event in lab.ledger.events(type="run.started"):
        names.add(str(event.body["pipeline"]))
        if event.body["pipeline"] == pipeline:
            found = event.subject
    if not found:
        raise NotFound.among("run of a pipeline", pipeline, names)
    return found


def purge(lab: Lab, plan: str, *, actor: str, early: bool = False) -> int:
    """Remove the sensitive files of a run whose retention is over (or ``early``); return the bytes removed. It is an event."""
    folder = lab.home / "runs" / plan
    made = next(lab.ledger.events(subject=plan, type="plan.made"), None) if plan else None
    if made is None or not folder.is_dir():
        raise NotFound("no such run", where=str(folder), next="datalab runs lists them")
    until = datetime.fromisoformat(made.at) + duration(str(made.body["retention"]))
    if datetime.now(UTC) < until and not early:
        raise UsageError(
            f"the retention of this run lasts until {until:%Y-%m-%d}", where=f"run {plan}", next="add --early to remove it now"
        )
    size = 0
    with locked(RunFolder(folder), lambda: None):  # never under a run that is at work
        for name in SENSITIVE:
            for path in (folder / name).rglob("*"):
                size += path.stat().st_size if path.is_file() else 0
            shutil.rmtree(folder / name, ignore_errors=True)
    lab.record("data.purged", plan, {"bytes": size, "early": early, "retention_until": f"{until:%Y-%m-%d}"}, actor=actor)
    return size


def duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of years, months, weeks and days (a year is 365 days, a month 30)."""
    match = _DURATION.fullmatch(text)
    if not match or text == "P":
        raise UsageError(
            f"{text!r} is not an ISO 8601 duration in days, weeks, months or years", next="write for example P180D"
        )
    numbers = {unit: int(value or 0) for unit, value in match.groupdict().items()}
    return timedelta(days=numbers["years"] * 365 + numbers["months"] * 30 + numbers["weeks"] * 7 + numbers["days"])


def run_folder(lab: Lab, manifest: Manifest) -> Path:
    """Return the folder of the run that made a release."""
    return lab.home / "runs" / str(manifest.lineage["plan"])


def _model_sha256(lab: Lab, manifest: Manifest) -> str:
    from datalab.ports.durable import file_sha256

    path = run_folder(lab, manifest) / "model" / "fitted.pickle"
    return file_sha256(path) if path.is_file() else ""
