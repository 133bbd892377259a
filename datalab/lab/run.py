"""Run: acquire, plan, execute, gate, candidate. Asked again for the same, it finds that nothing is to be redone."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalab.engine.drive import Executed, execute, locked
from datalab.engine.engines import Engine, chosen, workers_for
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Plan, make_plan
from datalab.errors import GateFailed, NotFound, SourceError
from datalab.governance import render_report
from datalab.lab.acquire import Acquired, acquire
from datalab.lab.candidate import content_digest, gather, intact, write_candidate
from datalab.lab.gate import Gate, judge
from datalab.lab.history import REPORT
from datalab.lab.lab import ENGINE, Lab, open_lab
from datalab.lab.watch import Face, RunWatcher, Silent
from datalab.model.manifest import Manifest
from datalab.model.pipeline import Pipeline
from datalab.model.receipt import Rows
from datalab.model.settings import Settings
from datalab.model.summary import RunSummary
from datalab.quality import Suite, load_suite

_DONE = "done.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is acquired and planned. ``after`` is the ledger's sequence before it began, ``started`` a `perf_counter` time."""

    acquired: Acquired
    plan: Plan
    folder: RunFolder
    after: int
    started: float


def run_pipeline(
    pipeline: Pipeline, *, lab: Lab | None = None, face: Face | None = None, engine: Engine | None = None
) -> RunSummary:
    """Run ``pipeline`` to a candidate, on ``engine`` or the one of the settings. Raises ``PolicyRefusal``, ``SourceError``, ``RunFailed``, or ``GateFailed`` when a gate withholds."""
    face = face or Silent()
    with ExitStack() as stack:
        lab = lab or stack.enter_context(open_lab())
        begun = begin(lab, pipeline, face)
        with alone(begun, face):
            return known(lab, begun) or conclude(lab, begun, work(lab, begun, face, engine), face)


def begin(lab: Lab, pipeline: Pipeline, face: Face) -> Begun:
    """Acquire and plan ``pipeline``: the first act of a run. The others are `alone`, `known`, `work` and `conclude`."""
    started = time.perf_counter()
    head = lab.ledger.head()
    acquired, plan = prepare(lab, pipeline, face)
    return Begun(acquired, plan, RunFolder(lab.home / "runs" / plan.id), head.sequence if head else 0, started)


def alone(begun: Begun, face: Face) -> AbstractContextManager[None]:
    """Hold the plan's lock; wait for another face that has it."""
    return locked(begun.folder, lambda: face.say("another face runs the same plan: waiting for it"))


def prepare(lab: Lab, pipeline: Pipeline, face: Face) -> tuple[Acquired, Plan]:
    """Acquire what ``pipeline`` needs and plan it: what ``datalab plan`` shows, and the first half of a run."""
    face.say(f"{pipeline.name}: acquiring {pipeline.source.dataset}")
    acquired = acquire(lab, pipeline, face.progress)
    suite = find_suite(pipeline, lab.settings)
    plan = make_plan(pipeline, acquired.inputs, acquired.references, lab.settings, suite)
    return acquired, plan


def find_suite(pipeline: Pipeline, settings: Settings) -> Suite | None:
    """Load the expectation suite that ``pipeline`` names, None when it names none."""
    if not pipeline.expectations:
        return None
    folder = settings.path(settings.expectations)
    path = folder / f"{pipeline.expectations}.json"
    if not path.is_file():
        known = [item.stem for item in folder.glob("*.json")]
        raise NotFound.among("expectation suite", pipeline.expectations, known, where=str(folder))
    return load_suite(path)


def work(lab: Lab, begun: Begun, face: Face, engine: Engine | None = None) -> Executed:
    """Work off what has no receipt yet, inside `alone`; after an interruption, the same call resumes."""
    start(lab, begun)
    return carry_on(lab, begun, face, engine)


def start(lab: Lab, begun: Begun) -> None:
    """Tell the ledger that the run starts, inside `alone`: from now on it holds its objects. Keep the plan for the workers."""
    plan = begun.plan
    lab.record("plan.made", plan.id, _plan_facts(plan))
    agreements = [item.id for item in begun.acquired.agreements]
    objects = sorted({item.sha256 for item in begun.acquired.objects})
    lab.record("run.started", plan.id, {"pipeline": plan.pipeline.name, "agreements": agreements, "objects": objects})
    still_landed(begun.acquired)
    begun.folder.save_plan(plan)


def carry_on(lab: Lab, begun: Begun, face: Face, engine: Engine | None = None) -> Executed:
    """Work off what has no receipt yet, inside `alone`, of a run that was started."""
    settings, plan, folder = lab.settings, begun.plan, begun.folder
    face.say(f"{plan.pipeline.name}: running {len(plan.stages)} stages")
    with workers_for(plan, folder, settings, engine or chosen(settings)) as workers:
        return execute(plan, folder, workers, RunWatcher(plan, lab.ledger, face))


def still_landed(acquired: Acquired) -> None:
    """Refuse to begin where a purge came between the acquisition and the lock of the run; from now on, the run holds its objects."""
    for item in acquired.objects:
        if not item.path.is_file():
            raise SourceError(
                "an object was removed from the landing folder meanwhile",
                where=f"sha256 {item.sha256[:16]}",
                next="run it again: it is fetched again",
            )


def conclude(lab: Lab, begun: Begun, executed: Executed, face: Face) -> RunSummary:
    """Judge what was made and write the candidate, inside `alone`; raise ``GateFailed`` where the gate withholds it."""
    plan, folder, acquired = begun.plan, begun.folder, begun.acquired
    pipeline = plan.pipeline
    face.say(f"{pipeline.name}: judging")
    gate = judge(lab, plan, acquired, folder, executed, content_digest(executed))
    lab.record("run.done", plan.id, _run_facts(executed, gate, begun.started), actor=ENGINE)
    lab.record("gate.decided", plan.id, {"passed": gate.passed, "reasons": list(gate.reasons)}, actor=ENGINE)
    if not gate.passed:
        folder.write(REPORT, render_report(gather(lab, plan, acquired, executed, gate, begun.after)).encode())
        raise GateFailed(
            "\n  - ".join([f"{pipeline.name}: the release is withheld:", *gate.reasons]),
            where=f"run {plan.id}",
            next=f"read {folder.path(REPORT)}, then correct the pipeline or its expectations",
        )
    face.say(f"{pipeline.name}: writing the candidate")
    candidate, manifest = write_candidate(lab, plan, acquired, folder, executed, gate, begun.after)
    folder.write(_DONE, json.dumps({"digest": manifest.digest, "checks": gate.all_checks}).encode())
    return _summary(plan, manifest, candidate, "candidate", executed.rows, gate.all_checks, begun.started)


def known(lab: Lab, begun: Begun) -> RunSummary | None:
    """Return the summary of an earlier run of this very plan whose candidate or release still stands."""
    plan = begun.plan
    path = begun.folder.path(_DONE)
    if not path.is_file():
        return None
    done = json.loads(path.read_bytes())
    name = plan.pipeline.name
    places = [
        lab.store.candidate(name, done["digest"]),
        *(lab.store.release(name, version) for version in lab.store.versions(name)),
    ]
    for place in places:
        manifest = intact(place)
        if manifest is not None and manifest.digest == done["digest"]:
            rows = Rows.from_json(manifest.rows)
            return _summary(plan, manifest, place, "unchanged", rows, done["checks"], begun.started)
    return None


def _summary(
    plan: Plan, manifest: Manifest, place: Path, status: str, rows: Rows, checks: list[list[Any]], started: float
) -> RunSummary:
    return RunSummary(
        pipeline=plan.pipeline.name,
        status=status,
        rows=rows,
        checks=tuple((str(check), bool(passed)) for check, passed in checks),
        shards=len(manifest.shards),
        digest=manifest.digest,
        candidate=str(place),
        report=str(place / "governance" / "report.html"),
        seconds=time.perf_counter() - started,
        plan=plan.id,
    )


def _plan_facts(plan: Plan) -> dict[str, Any]:
    return {
        "pipeline": plan.pipeline.name,
        "title": plan.pipeline.title,
        "fingerprint": plan.pipeline.fingerprint,
        "sources": len(plan.inputs),
        "columns_in": len(plan.schema_in),
        "columns_out": len(plan.schema_out),
        "steps": len(plan.pipeline.steps),
        "stages": len(plan.stages),
        "expectations": len(plan.suite.expectations) if plan.suite else 0,
        "keys": dict(plan.key_ids),
        "retention": plan.pipeline.retention,
    }


def _run_facts(executed: Executed, gate: Gate, started: float) -> dict[str, Any]:
    splits: dict[str, int] = {}
    for receipt in executed.shards:
        splits[receipt.facts["split"]] = splits.get(receipt.facts["split"], 0) + receipt.rows.kept
    return {
        "rows": executed.rows.as_json(),
        "totals": {
            "rows_in": executed.rows.rows_in,
            "generated": executed.rows.generated,
            "kept": executed.rows.kept,
            "dropped": executed.rows.rows_dropped,
            "quarantined": executed.rows.rows_quarantined,
        },
        "splits": splits,
        "shards": len(executed.shards),
        "bytes": sum(receipt.files["shard"].bytes for receipt in executed.shards),
        "checks": {"passed": gate.checks_passed, "failed": gate.checks_failed},
        "resumed_parts": executed.resumed,
        "peak_bytes": executed.peak_bytes,
        "costs": {step: dict(cost) for step, cost in executed.costs.items()},
        "milliseconds": int((time.perf_counter() - started) * 1000),
    }
