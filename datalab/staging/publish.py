"""Verified, then visible: build a release folder beside its place, read it back, and rename it there in one move."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from datalab.errors import RunFailed
from datalab.model.manifest import Manifest
from datalab.ports.durable import move_into_place, sync_tree
from datalab.staging.manifest import describe_files, write_manifest
from datalab.staging.verify import verify_release


def publish(
    target: Path,
    shards: Mapping[str, Path],
    write_files: Callable[[Path], None],
    manifest: Callable[[dict[str, dict[str, Any]]], Manifest],
    *,
    content: bool = True,
) -> Manifest:
    """Make the folder ``target`` appear, whole, or not at all.

    ``shards`` maps paths in the release to files that exist; they are linked (or copied, across filesystems), not moved.
    ``write_files(folder)`` writes everything else; ``manifest(files)`` builds the manifest from the descriptions of those files.
    Every byte is read back and hashed before the folder appears; ``content`` also decodes the shards and computes the content digest anew.
    """
    building = target.parent / f".building-{target.name}"
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True, mode=0o755)
        for name, source in shards.items():
            place = building / name
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(source, place)
        write_files(building)
        sync_tree(building)  # before the manifest speaks for them
        made = manifest(describe_files(building))
        write_manifest(building, made)
        verify_release(building, content=content)
        move_into_place(building, target)
    except OSError as error:
        raise RunFailed(
            f"cannot write the release: {error.strerror or error}",
            where=str(target),
            next="make room and run again; nothing is lost",
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return made


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
