"""The release report: one HTML file that a compliance officer reads on screen or on paper, without network and without JavaScript.

Everything that is shown comes from `Evidence`; every figure carries the ledger's event it stands in (`datalab.governance.figures`).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalab.governance.croissant import personal_data_in_words
from datalab.governance.drawing import bar, fall_bar, graph
from datalab.governance.evidence import Evidence
from datalab.governance.figures import Figure, Markup, figure, said, share
from datalab.governance.moments import made_at, published_at
from datalab.governance.obligations import Status, as_of, duties, open_statements
from datalab.governance.waterfall import Fall, counts, split_order, waterfall
from datalab.model.agreement import SourceObject
from datalab.model.event import Event
from datalab.services.discovery.profile import SMALL_CELL

if TYPE_CHECKING:
    from jinja2 import Environment

_MOST_CATEGORIES = 6
_MOST_EVENTS = 200
_LONGEST = 160
_LONGEST_OBSERVED = 40
"""Longer observations, and lists of values, stand in checks.json only."""


def render_report(evidence: Evidence) -> str:
    """Return the report as HTML text."""
    return _templates().get_template("report.html.j2").render(**_story(evidence))


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined

    # Compiled templates stand beside the templates, as Python's own bytecode does: compiling them costs more than a report.
    compiled = Path(__file__).parent / "templates" / "__pycache__"
    if not sys.dont_write_bytecode and os.access(compiled.parent, os.W_OK):
        compiled.mkdir(exist_ok=True)
    environment = Environment(
        bytecode_cache=FileSystemBytecodeCache(str(compiled)) if os.access(compiled, os.W_OK) else None,
        loader=PackageLoader("datalab.governance", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["day"] = lambda moment: moment[:10]
    environment.filters["minute"] = lambda moment: moment[:16].replace("T", " ") + " UTC" if moment else ""
    environment.filters["definition"] = definition
    environment.filters["breakable"] = breakable
    environment.filters["duration"] = duration
    environment.globals["Markup"] = Markup
    return environment


def duration(iso: str) -> Markup:
    """Write an ISO 8601 duration of days, weeks, months or years in words; any other as it is."""
    words = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}
    match = re.fullmatch(r"P([0-9]+)([DWMY])", iso)
    text = f"{match[1]} {words[match[2]]}" if match else iso
    return Markup(f'<time datetime="{escape(iso)}">{escape(text)}</time>')


def breakable(name: str) -> Markup:
    """Let a long name break after its underscores and nowhere else."""
    return Markup(escape(name).replace("_", "_<wbr>"))


def definition(value: Any) -> str:
    """Write a parameter for people: text as it is, the rest as short JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _story(evidence: Evidence) -> dict[str, Any]:
    falls = waterfall(evidence)
    head = evidence.events[-1] if evidence.events else None
    return {
        "evidence": evidence,
        "pipeline": evidence.pipeline,
        "release": evidence.pipeline.release,
        "style": Markup(_template_text("report.css").replace("HEAD_HASH", head.hash[:32] if head else "")),
        "verdict": _verdict(evidence),
        "made_at": made_at(evidence),
        "done": _run_figures(evidence),
        "personal_data": personal_data_in_words(evidence),
        "sources": _sources(evidence),
        "splits": _splits(evidence),
        "columns": _columns(evidence),
        "graph": graph(evidence),
        "falls": [(fall, fall_bar(fall, max(item.largest for item in falls))) for fall in falls],
        "steps": _steps(evidence, falls),
        "checks": _checks(evidence),
        "findings": _findings(evidence),
        "model": _model(evidence),
        "residue": _residue(evidence),
        "decisions": [_decision(event) for event in evidence.of_type("decision.made")],
        "duties": duties(evidence),
        "statuses": list(Status),
        "as_of": as_of(),
        "open_statements": open_statements(evidence),
        "head": head,
        "timeline": _timeline(evidence),
        "reference": f"{evidence.pipeline.name}@{evidence.version}" if evidence.version else evidence.pipeline.name,
    }


def _verdict(evidence: Evidence) -> dict[str, Any]:
    gate, approved = evidence.last("gate.decided"), evidence.last("release.approved")
    if evidence.version and approved is not None:
        note = said(approved, "note") if approved.body.get("note") else None
        return {
            "word": "Approved", "tone": "good", "by": approved.actor, "at": published_at(evidence), "reasons": [note] if note else []
        }  # fmt: skip
    if gate is None:
        return {"word": "Not judged yet", "tone": "fair", "by": "", "at": "", "reasons": []}
    if gate.body["passed"]:
        return {"word": "Releasable, waiting for approval", "tone": "fair", "by": "", "at": gate.at, "reasons": []}
    reasons = [said(gate, "reasons", place) for place in range(len(gate.body["reasons"]))]
    return {"word": "Withheld", "tone": "bad", "by": "", "at": gate.at, "reasons": reasons}


def _run_figures(evidence: Evidence) -> dict[str, Any] | None:
    """The figures of the summary, from ``run.done`` and ``plan.made``; None while the run is not done."""
    done, plan = evidence.last("run.done"), evidence.last("plan.made")
    if done is None:
        return None
    found: dict[str, Any] = {name: figure(done, "totals", name) for name in done.body["totals"]}
    found |= {
        "shards": figure(done, "shards"),
        "bytes": figure(done, "bytes", form="bytes"),
        "seconds": figure(done, "milliseconds", form="seconds"),
        "memory": figure(done, "peak_bytes", form="bytes"),
        "resumed": figure(done, "resumed_parts"),
        "passed": figure(done, "checks", "passed"),
        "failed": figure(done, "checks", "failed"),
        "columns": figure(plan, "columns_out") if plan else None,
    }
    return found


def _sources(evidence: Evidence) -> list[dict[str, Any]]:
    landed = {event.subject: event for event in evidence.of_type("object.landed")}
    agreed = {event.subject: event for event in evidence.of_type("agreement.concluded")}
    rows: list[dict[str, Any]] = []
    for agreement in evidence.agreements:
        offer = next(
            (o for o in evidence.offers if (o.connector, o.dataset_id) == (agreement.connector, agreement.dataset_id)), None
        )
        objects = [item for item in evidence.objects if item.agreement_id == agreement.id and item.sha256 in landed]
        rows.append(
            {
                "agreement": agreement,
                "offer": offer,
                "event": agreed.get(agreement.id),
                "objects": [
                    _object(digest, objects, landed[digest]) for digest in dict.fromkeys(item.sha256 for item in objects)
                ],
            }
        )
    return rows


def _object(digest: str, objects: list[SourceObject], landed: Event) -> dict[str, Any]:
    """One landed object; the same bytes may give the rows and feed reference tables."""
    uses = [item for item in objects if item.sha256 == digest]
    return {
        "name": uses[0].title,
        "format": uses[0].format,
        "sha256": digest,
        "size": figure(landed, "bytes", form="bytes"),
        "at": landed.at,
        "main": any(not item.reference for item in uses),
        "references": list(dict.fromkeys(item.reference for item in uses if item.reference)),
    }


def _splits(evidence: Evidence) -> list[tuple[str, Figure, Figure, Markup]]:
    done = evidence.last("run.done")
    if done is None:
        return []
    kept = done.body["totals"]["kept"]
    return [
        (name, figure(done, "splits", name), share(done, ("splits", name), ("totals", "kept")), bar(rows, kept))
        for name, rows in split_order(evidence, done)
    ]


def _columns(evidence: Evidence) -> list[dict[str, Any]]:
    """The released columns with origin, missing share and distribution. Masked columns and small cells show no category."""
    profile = evidence.last("profile.made")
    origins = {item["column"]: item for item in evidence.lineage}
    rows: list[dict[str, Any]] = []
    for column in evidence.schema:
        name = column["name"]
        origin = origins.get(name, {"inputs": (), "steps": (), "kind": "", "masked": False, "description": ""})
        row = {"name": name, "type": column["type"], "origin": origin, "missing": None, "categories": [], "more": False}
        if profile is not None and name in profile.body["columns"]:
            row |= _measured(profile, name, hidden=origin["masked"] and not evidence.synthetic)
        rows.append(row)
    return rows


def _measured(profile: Event, name: str, *, hidden: bool) -> dict[str, Any]:
    body, place = profile.body["columns"][name], ("columns", name)
    missing = share(profile, (*place, "nulls"), (*place, "rows"))
    largest = max((rows for _, rows in body["categories"]), default=0)
    return {
        "missing": (missing, bar(body["nulls"], body["rows"], "dropped")),
        "more": body["suppressed"] > 0 or len(body["categories"]) > _MOST_CATEGORIES,
        "categories": [
            (value, figure(profile, *place, "categories", number, 1), bar(rows, largest))
            for number, (value, rows) in enumerate(body["categories"][:_MOST_CATEGORIES])
            if rows >= SMALL_CELL and not hidden
        ],
    }


def _steps(evidence: Evidence, falls: tuple[Fall, ...]) -> list[dict[str, Any]]:
    by_label = {fall.label: fall for fall in falls}
    return [
        {
            **step,
            "given": {name: value for name, value in step["parameters"].items() if value not in (None, "", [], {})},
            "fall": by_label.get(step["label"]),
            "counts": counts(evidence, step["label"]),
            "columns": [item["column"] for item in evidence.lineage if step["label"] in item["steps"]],
        }
        for step in evidence.steps
    ]


def _checks(evidence: Evidence) -> list[dict[str, Any]]:
    event = evidence.last("checks.evaluated")
    if event is None:
        return []
    configured = [item.get("expectation_config", {}) for item in (evidence.checks or {}).get("results", ())]
    rows: list[dict[str, Any]] = []
    for place, result in enumerate(event.body["results"]):
        asked = configured[place] if place < len(configured) else {}
        at = ("results", place)
        observed = str(result["observed"])
        short = observed and observed[0] not in "[{" and len(observed) <= _LONGEST_OBSERVED
        rows.append(
            {
                "title": result["expectation"],
                "severity": result["severity"],
                "success": result["success"],
                "expected": {key: value for key, value in asked.get("kwargs", {}).items() if value is not None},
                "observed": figure(event, *at, "observed", form="decimal" if "." in observed else "count") if short else None,
                "beside": bool(observed),
                "unexpected": _optional(event, result, at, "unexpected_count"),
                "missing": _optional(event, result, at, "missing_count"),
                "of": _optional(event, result, at, "element_count"),
                "engine": result["engine"],
                "event": event,
            }
        )
    return rows


def _optional(event: Event, result: Mapping[str, Any], at: tuple[str | int, ...], name: str) -> Figure | None:
    return figure(event, *at, name) if result.get(name) is not None else None


def _findings(evidence: Evidence) -> list[dict[str, Any]]:
    """What the scrubbing steps counted: {step, action, entity, rows}. Counts are named ``action:entity``."""
    found: list[dict[str, Any]] = []
    for step in evidence.steps:
        if step["service"] == "scrubbing":
            for name, number in sorted(counts(evidence, step["label"]).items()):
                action, _, entity = name.partition(":")
                found.append(
                    {"step": step["label"], "action": action if entity else "", "entity": entity or action, "number": number}
                )
    largest = max((item["number"].number for item in found), default=0.0)
    return [{**item, "bar": bar(item["number"].number, largest)} for item in found]


def _residue(evidence: Evidence) -> dict[str, Any] | None:
    """What the detectors still find in the released rows: {column, kind, number, sampled, promised, step} each; None without a look."""
    event = evidence.last("residue.scanned")
    if event is None:
        return None
    broken = {(item["column"], item["kind"]): item["step"] for item in event.body["broken"]}
    found = [
        {
            "column": column,
            "kind": kind,
            "number": figure(event, part, column, kind),
            "sampled": part == "others",
            "promised": (column, kind) in broken,
            "step": broken.get((column, kind), ""),
        }
        for part in ("found", "others")
        for column, kinds in event.body[part].items()
        for kind in kinds
    ]
    rows, sampled = figure(event, "rows"), figure(event, "sampled")
    return {"event": event, "rows": rows, "sampled": sampled, "columns": event.body["columns"], "found": found}


def _model(evidence: Evidence) -> dict[str, Any] | None:
    event = evidence.last("model.fitted")
    if event is None:
        return None
    tests = [
        {
            "name": test["name"],
            "value": figure(event, "privacy", place, "value", form="text"),
            "threshold": figure(event, "privacy", place, "threshold", form="text"),
            "passed": test["passed"],
            "meaning": said(event, "privacy", place, "meaning"),
        }
        for place, test in enumerate(event.body["privacy"])
    ]
    quality = [
        (name, figure(event, "quality", name, form="text")) for name, value in event.body["quality"].items() if _scalar(value)
    ]
    return {"tests": tests, "trained_on": figure(event, "trained_on"), "quality": quality, "event": event}


def _scalar(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _decision(event: Event) -> dict[str, Any]:
    return {
        "event": event,
        "door": event.body["door"],
        "permitted": event.body["permitted"],
        "target": event.body["target"],
        "duties": event.body["duties"],
        "subject": event.subject,
        "reasons": [said(event, "reasons", place) for place in range(len(event.body["reasons"]))],
    }


def _timeline(evidence: Evidence) -> list[Event]:
    """The events without the lists of parts; of very many, the first and the last."""
    events = [event for event in evidence.events if event.type != "parts.done"]
    return events if len(events) <= _MOST_EVENTS else [*events[: _MOST_EVENTS // 2], *events[-_MOST_EVENTS // 2 :]]


def _template_text(name: str) -> str:
    from importlib.resources import files

    return files("datalab.governance").joinpath("templates", name).read_text(encoding="utf-8")
