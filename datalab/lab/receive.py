"""Receive: a release of another lab, found in its catalogue, agreed, fetched whole, and verified against its own manifest."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from datalab.errors import RunFailed, UsageError, VerificationFailed
from datalab.lab.acquire import agree, fetch
from datalab.lab.lab import Lab
from datalab.lab.locks import counted
from datalab.lab.publish import WHOLE
from datalab.lab.watch import Face, Silent
from datalab.model.agreement import Agreement, Intent
from datalab.model.manifest import Manifest
from datalab.model.pipeline import RETENTION
from datalab.ports.durable import move_into_place
from datalab.staging.layout import RELEASE_NAME
from datalab.staging.manifest import stands_at
from datalab.staging.verify import verify_release


def receive_release(
    lab: Lab, reference: str, destination: Path, intent: Intent, *, face: Face | None = None
) -> tuple[Path, Manifest, Agreement]:
    """Bring the release ``CONNECTOR:NAME@VERSION`` to ``destination/NAME/VERSION``; raise ``PolicyRefusal`` where terms say no."""
    face = face or Silent()
    name, _, dataset = reference.partition(":")
    connector = lab.connector(name)
    offer = connector.offer(dataset)
    if WHOLE not in {item.id for item in offer.distributions}:
        raise UsageError(f"{reference} is no release of a lab", next="use it as the source of a pipeline")
    with counted(lab, [offer.policy]):
        agreement, decision = agree(lab, connector, offer, intent)
        [landed] = fetch(lab, connector, offer, agreement, decision, WHOLE, RETENTION, face.progress)
    place, manifest = unpack(landed.path, destination)
    body = {"digest": manifest.digest, "target": str(place), "agreement": agreement.id, "sha256": landed.sha256}
    lab.record("release.received", f"{manifest.name}@{manifest.version}", body)
    return place, manifest, agreement


def unpack(archive: Path, destination: Path) -> tuple[Path, Manifest]:
    """Unpack a release beside its place, verify it, and only then let it appear at ``destination/NAME/VERSION``."""
    arriving = destination / f".arriving-{archive.name[:16]}"
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        arriving.mkdir(parents=True)
        _extract(archive, arriving)
        manifest = verify_release(arriving).manifest
        if not RELEASE_NAME.fullmatch(manifest.name) or not manifest.version.isdigit():
            raise VerificationFailed("the manifest names no release", where=str(archive), next="tell the lab it came from")
        target = destination / manifest.name / manifest.version
        if not stands_at(target, manifest):
            move_into_place(arriving, target)
    except OSError as error:
        raise RunFailed(
            f"the release cannot be unpacked: {error.strerror or error}",
            where=str(destination),
            next="make room and pull again",
        ) from error
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    return target, manifest


def _extract(archive: Path, folder: Path) -> None:
    """Take plain files with plain names out of a tar archive, and nothing else."""
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts
                if not member.isfile() or not parts or member.name.startswith("/") or {"..", "."} & set(parts):
                    raise VerificationFailed(
                        "the archive holds something else than plain files",
                        where=str(archive),
                        next="tell the lab it came from",
                    )
                place = folder.joinpath(*parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                stream = tar.extractfile(member)
                assert stream is not None
                with place.open("xb") as written:
                    shutil.copyfileobj(stream, written, 1 << 20)
    except (tarfile.TarError, FileExistsError) as error:
        raise VerificationFailed(f"the archive cannot be read: {error}", where=str(archive), next="fetch it again") from None
