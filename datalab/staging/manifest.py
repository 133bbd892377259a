"""Manifests on disk: read one with all its checks, describe the files it names, write it last."""

from __future__ import annotations

import os
from pathlib import Path

from datalab.errors import NotFound, UsageError, VerificationFailed
from datalab.model.manifest import Manifest
from datalab.ports.durable import file_sha256, sync_file, sync_folder
from datalab.staging.layout import MANIFEST, RELEASE_NAME


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a release folder; raise ``VerificationFailed`` when it was altered."""
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFound(
            "no manifest: this is not a release folder", where=str(folder), next="name the folder that holds manifest.json"
        )
    manifest = Manifest.from_bytes(path.read_bytes(), where=str(path))
    _check_names(manifest, path)
    return manifest


def _check_names(manifest: Manifest, path: Path) -> None:
    """Refuse names that are no plain relative paths: a manifest comes from outside, and its names become places on disk."""
    if not RELEASE_NAME.fullmatch(manifest.name) or not (manifest.version.isdecimal() or not manifest.version):
        raise VerificationFailed("the manifest names no release", where=str(path), next="fetch the release again")
    for name in (*(shard.path for shard in manifest.shards), *manifest.files):
        if "\0" in name or any(part in {"", ".", ".."} for part in name.split("/")):
            raise VerificationFailed(f"the manifest names {name!r}, which is no file of a release", where=str(path))


def stands_at(target: Path, manifest: Manifest) -> bool:
    """Return whether this release stands at ``target`` already; raise ``UsageError`` where another one does."""
    if not (target / MANIFEST).is_file():
        return False
    if read_manifest(target).as_json() != manifest.as_json():
        raise UsageError("another release stands there", where=str(target), next="choose another destination")
    return True


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write the manifest atomically. Everything it names must be in place already."""
    path = folder / MANIFEST
    temporary = folder / f".{MANIFEST}.writing-{os.getpid()}"
    temporary.write_bytes(manifest.to_bytes())
    sync_file(temporary)
    temporary.replace(path)
    sync_folder(folder)
    return path


def describe_files(folder: Path, skip: frozenset[str] = frozenset()) -> dict[str, dict[str, int | str]]:
    """Return size and SHA-256 of every file under ``folder`` except shards, the manifest and ``skip``, by relative path."""
    found: dict[str, dict[str, int | str]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MANIFEST and not name.startswith("data/") and name not in skip:
            found[name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    return found
