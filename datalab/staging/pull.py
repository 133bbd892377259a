"""Pull: copy an approved release to where it will be used, verified on arrival, visible only when whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from datalab.errors import RunFailed, UsageError, VerificationFailed
from datalab.model.decision import Decision, Door
from datalab.model.manifest import Manifest
from datalab.policy import check_grant
from datalab.ports.durable import file_sha256, move_into_place, sync_file
from datalab.staging.layout import MANIFEST
from datalab.staging.manifest import read_manifest, stands_at
from datalab.staging.verify import verify_release


def pull(
    release: Path, destination: Path, decision: Decision, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, Manifest]:
    """Copy ``release`` to ``destination/NAME/VERSION``; what is there already and whole is not copied again.

    ``decision`` must permit Door.STAGE of exactly this content at exactly this destination for its recipient.
    """
    manifest = read_manifest(release)
    if not manifest.version:
        raise UsageError(
            "a candidate cannot be pulled", where=str(release), next=f"approve it first: datalab approve {manifest.name}"
        )
    check_grant(decision, Door.STAGE, manifest.digest, str(destination), decision.recipient)
    target = destination / manifest.name / manifest.version
    if stands_at(target, manifest):
        verify_release(target, content=False, progress=progress)
        return target, manifest
    try:
        _bring(release, target, manifest, progress)
    except OSError as error:
        raise RunFailed(
            f"the release cannot be copied: {error.strerror or error}",
            where=str(target),
            next="make room (or mend the folder) and pull again: what has arrived is kept",
        ) from error
    return target, manifest


def _bring(release: Path, target: Path, manifest: Manifest, progress: Callable[[int, int], None] | None) -> None:
    """Copy file by file into a hidden folder, verify the whole, and rename it into its place."""
    arriving = target.parent / f".arriving-{manifest.version}"
    arriving.mkdir(parents=True, exist_ok=True)
    expected = {shard.path: shard.sha256 for shard in manifest.shards}
    expected |= {path: str(entry["sha256"]) for path, entry in manifest.files.items()}
    _sweep(arriving, expected)
    for number, (name, sha256) in enumerate(sorted(expected.items()), start=1):
        _copy(release / name, arriving / name, sha256)
        if progress:
            progress(number, len(expected))
    shutil.copyfile(release / MANIFEST, arriving / MANIFEST)
    verify_release(arriving, content=False)
    move_into_place(arriving, target)


def _sweep(arriving: Path, expected: Mapping[str, str]) -> None:
    """Remove what an interrupted pull left and this release does not have."""
    for path in sorted(arriving.rglob("*"), reverse=True):
        name = path.relative_to(arriving).as_posix()
        if path.is_symlink() or (not path.is_dir() and name not in expected):
            path.unlink()


def _copy(source: Path, place: Path, sha256: str) -> None:
    """Copy one file, read it back, and compare; a whole copy from an earlier attempt is kept."""
    if place.is_file() and file_sha256(place) == sha256:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".writing-{place.name}")
    with source.open("rb") as reading, temporary.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
    sync_file(temporary)
    if file_sha256(temporary) != sha256:
        temporary.unlink(missing_ok=True)
        raise VerificationFailed(
            f"{source.name} did not arrive as the manifest states", where=str(source), next="verify the release: datalab verify"
        )
    temporary.replace(place)
