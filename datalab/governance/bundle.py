"""Everything that stands beside the data of a release: for loaders, catalogues, auditors and readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datalab.governance.card import card, terms
from datalab.governance.croissant import croissant, missing
from datalab.governance.dcat import dcat
from datalab.governance.evidence import Evidence
from datalab.governance.openlineage import openlineage
from datalab.governance.policies import policies
from datalab.governance.provenance import provenance


def write_governance(evidence: Evidence, folder: Path) -> None:
    """Write the cards, exports and report of ``evidence`` into the release folder, which has its ``data`` already."""
    from datalab.governance.report import render_report

    described = croissant(evidence)
    lacking = missing(described)
    if lacking:
        from datalab.errors import UsageError

        raise UsageError(
            f"the release cannot be described: {', '.join(lacking)} would be empty",
            where=f"pipeline {evidence.pipeline.name}",
            next="give the pipeline a title, a licence and a description",
        )
    place = folder / "governance"
    place.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "croissant.json", described)
    _write(folder / "README.md", card(evidence))
    _write(folder / "TERMS.md", terms(evidence))
    _write_json(place / "dcat.jsonld", dcat(evidence))
    _write_json(place / "provenance.jsonld", provenance(evidence))
    _write_json(place / "policy.jsonld", policies(evidence))
    _write_json(place / "checks.json", evidence.checks or {"success": None, "results": [], "suite_name": None})
    _write_lines(place / "lineage.openlineage.jsonl", openlineage(evidence))
    _write_lines(place / "ledger.jsonl", [event.as_json() for event in evidence.events])
    _write(place / "report.html", render_report(evidence))


def _write_json(path: Path, body: Any) -> None:
    _write(path, json.dumps(body, ensure_ascii=False, indent=2) + "\n")


def _write_lines(path: Path, items: list[dict[str, Any]]) -> None:
    _write(path, "".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n" for item in items))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
