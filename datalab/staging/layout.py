"""Where candidates and releases stand, and how they are named: ``NAME``, ``NAME@VERSION``, or a path."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from datalab.errors import NotFound, UsageError

MANIFEST = "manifest.json"
RELEASE_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_REFERENCE = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)(?:@(?P<version>latest|[0-9]+|[0-9a-f]{12,64}))?")


@dataclass(frozen=True, slots=True)
class Store:
    """The candidates and releases under one home. A version is a number from 1; a candidate is named by its digest."""

    home: Path

    @property
    def releases(self) -> Path:
        """Folder of the approved releases."""
        return self.home / "releases"

    @property
    def candidates(self) -> Path:
        """Folder of what waits for approval."""
        return self.home / "candidates"

    def candidate(self, name: str, digest: str) -> Path:
        """Folder of one candidate."""
        return self.candidates / name / digest[:16]

    def release(self, name: str, version: int) -> Path:
        """Folder of one release."""
        return self.releases / name / str(version)

    def versions(self, name: str) -> list[int]:
        """Return the approved versions of ``name``, ascending."""
        folder = self.releases / name
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit() and (path / MANIFEST).is_file())

    def names(self) -> list[str]:
        """Return the names that have a candidate or a release."""
        folders = [self.releases, self.candidates]
        return sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()})

    def candidate_folders(self, name: str) -> list[Path]:
        """Return the candidates of ``name``, oldest first."""
        folder = self.candidates / name
        if not folder.is_dir():
            return []
        found = [path for path in folder.iterdir() if (path / MANIFEST).is_file()]
        return sorted(found, key=lambda path: (path / MANIFEST).stat().st_mtime_ns)


def find_release(reference: str, store: Store) -> Path:
    """Return the folder of a release from ``NAME``, ``NAME@latest``, ``NAME@2``, ``NAME@DIGEST`` or a path that holds a manifest."""
    path = Path(reference)
    with contextlib.suppress(OSError):  # a name that no filesystem takes is no path
        if (path / MANIFEST).is_file():
            return path
        if path.name == MANIFEST and path.is_file():
            return path.parent
    match = _REFERENCE.fullmatch(reference)
    if not match:
        raise UsageError(f"{reference!r} names no release", next="write NAME, NAME@VERSION, or the path of a release folder")
    name, version = match["name"], match["version"] or "latest"
    versions = _versions(store, name)
    if not versions:
        raise NotFound.among(
            "release", name, [known for known in store.names() if store.versions(known)], where=str(store.releases)
        )
    if version == "latest":
        return store.release(name, versions[-1])
    if version.isdigit() and int(version) in versions:
        return store.release(name, int(version))
    for number in reversed(versions):
        if len(version) >= 12 and _digest(store.release(name, number)).startswith(version):
            return store.release(name, number)
    raise NotFound.among("version", version, [str(number) for number in versions], where=f"release {name}")


def _versions(store: Store, name: str) -> list[int]:
    try:
        return store.versions(name)
    except OSError:  # longer than a file name can be
        return []


def _digest(folder: Path) -> str:
    from datalab.staging.manifest import read_manifest

    return read_manifest(folder).digest
