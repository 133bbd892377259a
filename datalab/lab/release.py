"""Approve, reject, list: a named person turns a candidate into a numbered release, or does not."""

from __future__ import annotations

import contextlib
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datalab.engine.folder import RunFolder
from datalab.errors import NotFound, PolicyRefusal, UsageError, VerificationFailed
from datalab.governance import Evidence, write_governance
from datalab.lab.approvals import Approval, approval_of, decided, next_version
from datalab.lab.candidate import evidence_path, intact, manifest_of
from datalab.lab.facts import agreement_facts
from datalab.lab.lab import Lab
from datalab.lab.locks import counted, deciding
from datalab.model.decision import Decision, Door
from datalab.model.manifest import Manifest
from datalab.policy import Facts, decide
from datalab.staging.layout import MANIFEST, RELEASE_NAME, find_release
from datalab.staging.manifest import read_manifest
from datalab.staging.publish import publish
from datalab.staging.verify import verify_release


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of ``datalab releases``. ``status`` is candidate, approved, or altered (its manifest no longer holds)."""

    name: str
    version: str
    path: str
    digest: str
    status: str
    rows: int = 0
    title: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the ``--json`` form."""
        return {
            "name": self.name,
            "version": self.version,
            "path": self.path,
            "digest": self.digest,
            "status": self.status,
            "rows": self.rows,
            "title": self.title,
        }


def approve(lab: Lab, reference: str, *, actor: str, note: str = "") -> tuple[Path, Manifest]:
    """Approve a candidate (``NAME`` or ``NAME@DIGEST``) in the name of ``actor``; return the release's folder and manifest.

    Called again after an interruption, it completes what was approved, under the number that was given then.
    """
    if not actor.strip():
        raise UsageError("an approval needs a name", next="say who approves: --as 'NAME, ROLE'")
    found = find_candidate(lab, reference)
    name = found.parent.name
    with contextlib.ExitStack() as held:
        held.enter_context(deciding(lab, name))
        folder = _still_there(lab, found, name)
        candidate = _verified(folder, name)
        standing = approval_of(lab, candidate)
        target = lab.store.release(name, standing.version) if standing else Path()
        released = intact(target) if standing else None
        if standing is None or released is None or released.digest != candidate.digest:
            if standing is not None and (standing.published or target.exists()):  # what was released is gone or was altered
                standing = None
            evidence = evidence_of(lab, candidate)
            held.enter_context(counted(lab, [agreement.policy for agreement in evidence.agreements]))
            standing = _decided(lab, candidate, evidence, standing, actor=actor, note=note)
            target = lab.store.release(name, standing.version)
            released = _publish(lab, folder, candidate, evidence, standing, target)
        if not standing.published:
            body = {"digest": released.digest, "version": standing.version, "approval": standing.event.sequence}
            lab.record("release.published", standing.event.subject, body, actor=actor)
        _withdraw(folder)
    return target, released


def _still_there(lab: Lab, folder: Path, name: str) -> Path:
    """Return the candidate's folder; say what became of it where somebody decided while this one waited for the lock."""
    if (folder / MANIFEST).is_file():
        return folder
    for event in reversed(list(decided(lab, name))):
        if str(event.body["digest"]).startswith(folder.name):
            raise NotFound(
                f"this candidate was {event.type.removeprefix('release.')} meanwhile, by {event.actor}",
                where=event.subject,
                next="datalab releases lists what stands",
            )
    raise NotFound("this candidate was removed meanwhile", where=str(folder), next="datalab releases lists what stands")


def _verified(folder: Path, name: str) -> Manifest:
    try:
        verify_release(folder)
    except VerificationFailed as error:
        raise VerificationFailed(
            error.what, where=error.where, next=f"reject it and make it again: datalab reject {name}, datalab run {name}"
        ) from None
    return read_manifest(folder)


def _decided(
    lab: Lab, candidate: Manifest, evidence: Evidence, standing: Approval | None, *, actor: str, note: str
) -> Approval:
    """Ask the terms, now, and record the approval unless it stands already; raise ``PolicyRefusal`` where the terms say no."""
    decision = release_decision(lab, evidence, actor=actor)
    lab.record("decision.made", candidate.name, {**decision.as_json(), "id": decision.id}, actor=actor)
    if not decision.permitted:
        raise PolicyRefusal(
            "\n  - ".join(["the terms do not permit this release:", *decision.reasons]),
            where=f"{candidate.name}, content {candidate.digest[:16]}",
            next=decision.next
            or "correct the pipeline (for example: scrub, or synthesise), or ask the data holder for other terms",
        )
    if standing is not None:
        return standing
    version = next_version(lab, candidate.name)
    body = {
        "digest": candidate.digest,
        "version": version,
        "note": note,
        "decision": decision.id,
        "plan": candidate.lineage["plan"],
    }
    return Approval(lab.record("release.approved", f"{candidate.name}@{version}", body, actor=actor), published=False)


def _publish(lab: Lab, folder: Path, candidate: Manifest, evidence: Evidence, approval: Approval, target: Path) -> Manifest:
    """Make the release appear, with the events up to its approval in its evidence."""
    subjects = (candidate.name, approval.event.subject)
    last = evidence.events[-1].sequence if evidence.events else 0
    later = [event for event in lab.ledger.events(after=last) if event.subject in subjects]
    approved = replace(evidence, version=str(approval.version), events=(*evidence.events, *later))
    return publish(
        target,
        {shard.path: folder / shard.path for shard in candidate.shards},
        lambda place: write_governance(approved, place),
        lambda files: manifest_of(approved, files),
    )


def reject(lab: Lab, reference: str, *, actor: str, note: str) -> Manifest:
    """Reject a candidate: it is removed, the reason stays in the ledger."""
    if not actor.strip() or not note.strip():
        raise UsageError("a rejection needs a name and a reason", next="--as 'NAME, ROLE' --note 'REASON'")
    found = find_candidate(lab, reference)
    with deciding(lab, found.parent.name):
        folder = _still_there(lab, found, found.parent.name)
        manifest = read_manifest(folder)
        standing = approval_of(lab, manifest)
        released = intact(lab.store.release(manifest.name, standing.version)) if standing else None
        if standing and released and released.digest == manifest.digest:
            raise UsageError(
                f"this content is released as {standing.event.subject}, approved by {standing.event.actor}",
                where=str(folder),
                next=f"datalab approve {manifest.name} ends that interrupted approval and removes the candidate",
            )
        lab.record("release.rejected", manifest.name, {"digest": manifest.digest, "note": note}, actor=actor)
        _withdraw(folder)
        done = RunFolder(lab.home / "runs" / str(manifest.lineage["plan"])).path("done.json")
        done.unlink(missing_ok=True)
    return manifest


def _withdraw(folder: Path) -> None:
    """Remove a candidate: its manifest first, so that what a kill leaves behind is no candidate."""
    (folder / MANIFEST).unlink()
    shutil.rmtree(folder)


def listed(lab: Lab) -> Iterator[Listed]:
    """Yield every candidate and release, by name, releases first."""
    for name in lab.store.names():
        places = [(lab.store.release(name, version), "approved") for version in lab.store.versions(name)]
        places += [(path, "candidate") for path in lab.store.candidate_folders(name)]
        for path, status in places:
            yield _listed(name, path, status)


def find_candidate(lab: Lab, reference: str) -> Path:
    """Return the folder of the candidate that ``NAME`` (the newest) or ``NAME@DIGEST`` means."""
    name, _, digest = reference.partition("@")
    if not RELEASE_NAME.fullmatch(name):
        raise UsageError(f"{reference!r} names no candidate", next="write NAME, or NAME@DIGEST")
    folders = [path for path in lab.store.candidate_folders(name) if path.name.startswith(digest[:16])]
    if not folders:
        waiting = [known for known in lab.store.names() if lab.store.candidate_folders(known)]
        raise NotFound.among("candidate", reference, waiting, where=str(lab.store.candidates))
    return folders[-1]


def released_as(lab: Lab, name: str, digest: str) -> str:
    """Return the newest version of ``name`` with this content, "" where it was never released."""
    for version in reversed(lab.store.versions(name)):
        if read_manifest(lab.store.release(name, version)).digest == digest:
            return str(version)
    return ""


def find_any(lab: Lab, reference: str) -> Path:
    """Return the folder of a release, or of the candidate where there is no release of that name."""
    try:
        return find_release(reference, lab.store)
    except NotFound:
        if lab.store.candidate_folders(reference.partition("@")[0]):
            return find_candidate(lab, reference)
        raise


def release_decision(lab: Lab, evidence: Evidence, *, actor: str) -> Decision:
    """Ask the policies of all sources whether this content may be released."""
    agreements = evidence.agreements
    return decide(
        Door.RELEASE,
        [agreement.policy for agreement in agreements],
        agreements[0].intent,
        moment=datetime.now(UTC),
        facts=facts_of(lab, evidence),
        subject=evidence.digest,
        target=lab.settings.territory,
        actor=actor,
    )


def facts_of(lab: Lab, evidence: Evidence) -> Facts:
    """Return what is known about a release, as the terms ask for it."""
    return agreement_facts(
        lab,
        evidence.agreements,
        personal_data=evidence.personal_data and not evidence.synthetic,
        synthetic=evidence.synthetic,
        scrubbed=evidence.scrubbed,
        but=(evidence.digest, evidence.plan),
    )


def evidence_of(lab: Lab, candidate: Manifest) -> Evidence:
    """Return the evidence that the run of a candidate or release left."""
    path = evidence_path(lab.home, str(candidate.lineage["plan"]))
    if not path.is_file():
        raise NotFound(
            "the run of this candidate was purged", where=str(path.parent), next=f"run it again: datalab run {candidate.name}"
        )
    evidence: Evidence = pickle.loads(path.read_bytes())  # noqa: S301 - our own file in a 0700 folder
    return evidence


def _listed(name: str, path: Path, status: str) -> Listed:
    try:
        manifest = read_manifest(path)
    except VerificationFailed:
        return Listed(name, path.name, str(path), "", "altered")
    version = manifest.version or f"candidate {path.name}"
    return Listed(name, version, str(path), manifest.digest, status, sum(manifest.splits.values()), manifest.title)
