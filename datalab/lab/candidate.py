"""From a run that passed its gate to a candidate on disk: shards, cards, report, manifest last."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

from datalab.engine.drive import Executed
from datalab.engine.folder import RunFolder, writing
from datalab.engine.plan import Plan
from datalab.engine.shards import shard_name
from datalab.errors import VerificationFailed
from datalab.governance import Evidence, carried_facts, write_governance
from datalab.kernels.content import release_digest
from datalab.lab.acquire import Acquired
from datalab.lab.facts import agreed
from datalab.lab.gate import Gate
from datalab.lab.lab import ENGINE, Lab
from datalab.lab.overrides import of_policies
from datalab.model.canonical import describe
from datalab.model.event import Event
from datalab.model.manifest import Manifest, Shard
from datalab.policy import carried, in_words, valid_until
from datalab.staging.layout import MANIFEST
from datalab.staging.manifest import read_manifest
from datalab.staging.publish import publish


def evidence_path(home: Path, plan: str) -> Path:
    """Return where the evidence of a run is kept: outside the run folder, so that it outlives the sidecars' retention."""
    return home / "evidence" / f"{plan}.pickle"


def content_digest(executed: Executed) -> str:
    """Return the content digest of what a run made."""
    schema = executed.shards[0].facts["schema"] if executed.shards else []
    return release_digest(schema, [(item.facts["split"], item.rows.kept, item.facts["content"]) for item in executed.shards])


def write_candidate(
    lab: Lab, plan: Plan, acquired: Acquired, folder: RunFolder, executed: Executed, gate: Gate, after: int
) -> tuple[Path, Manifest]:
    """Write the candidate of a run; ``after`` is the ledger's sequence before the run began."""
    evidence = gather(lab, plan, acquired, executed, gate, after)
    with writing(evidence_path(lab.home, plan.id)) as temporary:
        temporary.write_bytes(pickle.dumps(evidence, protocol=5))
    target = lab.store.candidate(plan.pipeline.name, evidence.digest)
    standing = intact(target)
    if standing is not None:
        return target, standing
    shutil.rmtree(target, ignore_errors=True)
    shards = {shard.path: folder.path(f"out/{shard.path}") for shard in evidence.shards}
    manifest = publish(
        target,
        shards,
        lambda place: write_governance(evidence, place),
        lambda files: manifest_of(evidence, files),
        content=False,  # the worker hashed the file it wrote; what these bytes say is computed anew when they are approved
    )
    body = {
        "digest": manifest.digest,
        "plan": plan.id,
        "shards": len(manifest.shards),
        "rows": sum(shard.rows for shard in manifest.shards),
        "bytes": sum(shard.bytes for shard in manifest.shards),
        "files": len(manifest.files),
    }
    lab.record("candidate.written", plan.pipeline.name, body, actor=ENGINE)
    return target, manifest


def intact(place: Path) -> Manifest | None:
    """Return the manifest of a candidate or release; None where none stands or where it was altered, so that it is made anew."""
    if not (place / MANIFEST).is_file():
        return None
    try:
        return read_manifest(place)
    except VerificationFailed:
        return None


def gather(lab: Lab, plan: Plan, acquired: Acquired, executed: Executed, gate: Gate, after: int) -> Evidence:
    """Gather the evidence of a run from its plan, its receipts and the ledger's events after ``after``."""
    whole = carried(acquired.agreements)
    ends = [end for end in (valid_until(whole), *(agreement.valid_until for agreement in acquired.agreements)) if end]
    ends += [end for one in acquired.agreements if (end := valid_until(one.policy, agreed(one)))]
    return Evidence(
        pipeline=plan.pipeline,
        version="",
        digest=content_digest(executed),
        plan=plan.id,
        schema=tuple(executed.shards[0].facts["schema"]) if executed.shards else (),
        shards=tuple(_shard(receipt) for receipt in executed.shards),
        rows=executed.rows,
        lineage=tuple(origin.as_json() for origin in plan.lineage),
        steps=tuple(
            {
                "label": label,
                "service": str(step.service),
                "name": step.name,
                "why": step.why,
                "parameters": {key: value for key, value in describe(step).items() if key not in {"type", "version", "why"}},
            }
            for label, step in zip(plan.labels, plan.pipeline.steps, strict=True)
        ),
        offers=acquired.offers,
        agreements=acquired.agreements,
        objects=acquired.objects,
        events=tuple(events_of(lab, plan, acquired, after)),
        checks=gate.checks,
        terms=tuple(in_words(whole)),
        valid_until=min(ends, default=""),
        lab=lab.settings.name,
        lab_id=lab.settings.participant,
    )


def events_of(lab: Lab, plan: Plan, acquired: Acquired, after: int) -> list[Event]:
    """Return the ledger's events about this run: its plan, its offers, agreements and objects."""
    subjects = {plan.id, plan.pipeline.name}
    subjects |= {offer.dataset for offer in acquired.offers}
    subjects |= {agreement.id for agreement in acquired.agreements}
    subjects |= {item.sha256 for item in acquired.objects}
    policies = {offer.policy.sha256 for offer in acquired.offers}
    policies |= {agreement.policy.sha256 for agreement in acquired.agreements}
    vouched = of_policies(lab, policies, after)
    return [*vouched, *(event for event in lab.ledger.events(after=after) if event.subject in subjects | policies)]


def manifest_of(evidence: Evidence, files: dict[str, dict[str, Any]]) -> Manifest:
    """Build the manifest of a candidate or release."""
    pipeline = evidence.pipeline
    head = evidence.events[-1] if evidence.events else None
    return Manifest(
        name=pipeline.name,
        version=evidence.version,
        digest=evidence.digest,
        title=pipeline.title,
        licence=pipeline.release.licence,
        schema=evidence.schema,
        shards=evidence.shards,
        files=files,
        rows=evidence.rows.as_json(),
        lineage={
            "plan": evidence.plan,
            "pipeline": pipeline.fingerprint,
            "agreements": [agreement.id for agreement in evidence.agreements],
            "sources": [item.sha256 for item in evidence.objects],
            "ledger": {"sequence": head.sequence if head else 0, "hash": head.hash if head else ""},
        },
        terms={
            "in_words": list(evidence.terms),
            "valid_until": evidence.valid_until,
            "policies": [agreement.policy.sha256 for agreement in evidence.agreements],
            "purpose": pipeline.purpose.code,
            "commercial": pipeline.purpose.commercial,
            **carried_facts(evidence.agreements),
        },
    )


def _shard(receipt: Any) -> Shard:
    ref = receipt.files["shard"]
    split = receipt.facts["split"]
    return Shard(
        path=shard_name(split, receipt.facts["number"]),
        split=split,
        rows=ref.rows,
        bytes=ref.bytes,
        sha256=ref.sha256,
        content=receipt.facts["content"],
    )
