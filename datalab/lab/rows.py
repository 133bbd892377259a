"""Row-level records of a run: where a released row comes from, and what was quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalab.errors import NotFound
from datalab.lab.lab import Lab
from datalab.model.manifest import Manifest
from datalab.model.step import ROW, SOURCE


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
            return Origin(item.title, item.sha256, record[ROW], item.agreement_id, synthetic=False)
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


def run_folder(lab: Lab, manifest: Manifest) -> Path:
    """Return the folder of the run that made a release."""
    return lab.home / "runs" / str(manifest.lineage["plan"])


def _model_sha256(lab: Lab, manifest: Manifest) -> str:
    from datalab.ports.durable import file_sha256

    path = run_folder(lab, manifest) / "model" / "fitted.pickle"
    return file_sha256(path) if path.is_file() else ""
