"""Publish: offer an approved release to other participants of a data space, under the terms that came with its sources."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datalab.errors import NotFound, PolicyRefusal, UsageError
from datalab.governance import Evidence
from datalab.lab.facts import agreed
from datalab.lab.lab import ENGINE, Lab
from datalab.lab.release import evidence_of, facts_of
from datalab.model.agreement import Intent
from datalab.model.decision import Decision, Door
from datalab.model.manifest import Manifest
from datalab.policy import decide
from datalab.policy.combined import combined_rules
from datalab.ports.durable import file_sha256, sync_file
from datalab.staging.layout import MANIFEST, find_release
from datalab.staging.verify import verify_release

WHOLE = "release"
"""The distribution that holds the whole release, as a tar archive: data, manifest, evidence."""


@dataclass(frozen=True, slots=True)
class Published:
    """One release on offer: what the catalogue says of it, and where its files are."""

    name: str
    version: str
    digest: str
    folder: Path
    body: dict[str, Any]

    @property
    def id(self) -> str:
        """Its id as a dataset: name and version."""
        return f"{self.name}@{self.version}"


def publish_release(lab: Lab, reference: str, *, actor: str) -> Published:
    """Offer a release; raise ``PolicyRefusal`` where its terms do not let it be passed on. Published twice is published once."""
    folder = find_release(reference, lab.store)
    manifest = verify_release(folder).manifest
    if not manifest.version:
        raise UsageError(
            "a candidate cannot be published", where=str(folder), next=f"approve it first: datalab approve {manifest.name}"
        )
    evidence = evidence_of(lab, manifest)
    subject = f"{manifest.name}@{manifest.version}"
    decision = export_decision(lab, evidence, manifest, evidence.agreements[0].intent, actor=actor)
    lab.record("decision.made", subject, {**decision.as_json(), "id": decision.id}, actor=ENGINE)
    if not decision.permitted:
        raise PolicyRefusal(
            "\n  - ".join(["the terms do not permit passing this release on:", *decision.reasons]),
            where=subject,
            next=decision.next or "ask the data holder for other terms",
        )
    entry = lab.home / "published" / f"{manifest.name}-{manifest.version}.json"
    if entry.is_file() and _read(lab, entry).digest == manifest.digest:
        return _read(lab, entry)
    entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = entry.with_suffix(".tar")
    _pack(folder, archive)
    body = {
        "name": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "title": manifest.title or manifest.name,
        "description": evidence.pipeline.release.description,
        "licence": manifest.licence,
        "personal_data": facts_of(lab, evidence).personal_data and not evidence.scrubbed,
        "issued": datetime.now(UTC).date().isoformat(),
        "columns": [[str(column["name"]), str(column["type"])] for column in manifest.schema],
        "policy": combined_rules(
            [agreement.policy.verbatim for agreement in evidence.agreements], list(map(agreed, evidence.agreements))
        ),
        "archive_sha256": file_sha256(archive),
    }
    _write(entry, json.dumps(body, ensure_ascii=False, indent=1))
    lab.record("release.offered", subject, {"digest": manifest.digest, "decision": decision.id}, actor=actor)
    return _read(lab, entry)


def withdraw_release(lab: Lab, reference: str, *, actor: str) -> str:
    """Offer a release no longer. What was agreed before stays agreed; nothing more is handed out."""
    found = [item for item in published(lab) if reference in {item.id, item.name}]
    if not found:
        raise NotFound.among("published release", reference, (item.id for item in published(lab)), where=str(lab.home))
    item = found[-1]
    entry = lab.home / "published" / f"{item.name}-{item.version}.json"
    entry.unlink()
    entry.with_suffix(".tar").unlink(missing_ok=True)
    lab.record("release.withdrawn", item.id, {"digest": item.digest}, actor=actor)
    return item.id


def published(lab: Lab) -> Iterator[Published]:
    """Yield what is on offer, by name and version."""
    for entry in sorted((lab.home / "published").glob("*.json")):
        yield _read(lab, entry)


def export_decision(lab: Lab, evidence: Evidence, manifest: Manifest, intent: Intent, *, actor: str) -> Decision:
    """Ask the policies of all sources whether this release may be passed on for ``intent`` (whose recipient counts)."""
    return decide(
        Door.EXPORT,
        [agreement.policy for agreement in evidence.agreements],
        intent,
        moment=datetime.now(UTC),
        facts=facts_of(lab, evidence),
        subject=manifest.digest,
        target="data space",
        actor=actor,
    )


def _read(lab: Lab, entry: Path) -> Published:
    body = json.loads(entry.read_text(encoding="utf-8"))
    folder = lab.store.release(body["name"], int(body["version"]))
    return Published(body["name"], body["version"], body["digest"], folder, body)


def _pack(folder: Path, archive: Path) -> None:
    """Write a release as one tar file, the same bytes each time, its manifest first."""
    paths = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: (path.name != MANIFEST, str(path)))
    temporary = archive.with_suffix(".packing")
    with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as stream:
                tar.addfile(member, stream)
    sync_file(temporary)
    temporary.replace(archive)


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(f".{hashlib.sha256(text.encode()).hexdigest()[:8]}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
