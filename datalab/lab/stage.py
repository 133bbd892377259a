"""Pull: decide whether an approved release may go where it is asked for, copy it, record it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from datalab.errors import PolicyRefusal, UsageError
from datalab.lab.facts import territory_of
from datalab.lab.lab import ENGINE, Lab
from datalab.lab.locks import counted
from datalab.lab.release import evidence_of, facts_of
from datalab.lab.watch import Face, Silent
from datalab.model.agreement import Intent
from datalab.model.decision import Door
from datalab.model.manifest import Manifest
from datalab.policy import decide
from datalab.staging.layout import find_release
from datalab.staging.manifest import read_manifest
from datalab.staging.pull import pull


def pull_release(
    lab: Lab, reference: str, destination: Path, *, recipient: str = "", face: Face | None = None
) -> tuple[Path, Manifest]:
    """Pull a release to ``destination/NAME/VERSION``; raise ``PolicyRefusal`` where the terms say no."""
    face = face or Silent()
    folder = find_release(reference, lab.store)
    manifest = read_manifest(folder)
    if not manifest.version:
        raise UsageError(
            "a candidate cannot be pulled", where=str(folder), next=f"approve it first: datalab approve {manifest.name}"
        )
    evidence = evidence_of(lab, manifest)
    asked = evidence.agreements[0].intent
    intent = Intent(
        purpose=asked.purpose,
        purpose_text=asked.purpose_text,
        legal_basis=asked.legal_basis,
        territory=territory_of(lab.settings, destination),
        recipient=recipient,
        commercial=asked.commercial,
    )
    target = destination.absolute()
    policies = [agreement.policy for agreement in evidence.agreements]
    with counted(lab, policies):
        decision = decide(
            Door.STAGE,
            policies,
            intent,
            moment=datetime.now(UTC),
            facts=facts_of(lab, evidence),
            subject=manifest.digest,
            target=str(target),
            actor=lab.actor,
        )
        subject = f"{manifest.name}@{manifest.version}"
        lab.record("decision.made", subject, {**decision.as_json(), "id": decision.id}, actor=ENGINE)
        if not decision.permitted:
            raise PolicyRefusal(
                "\n  - ".join(["the terms do not permit this:", *decision.reasons]),
                where=f"{subject} to {target}",
                next=decision.next or "choose another destination or recipient, or ask the data holder",
            )
        place, manifest = pull(
            folder, target, decision, progress=lambda done, total: face.progress(f"pulling {subject}", done, total)
        )
        body = {"digest": manifest.digest, "target": str(place), "recipient": recipient, "decision": decision.id}
        lab.record("release.pulled", subject, body)
        return place, manifest
