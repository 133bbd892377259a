"""Verification: every byte of a release against its manifest, every row against the content digest, nothing missing, nothing extra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datalab.errors import VerificationFailed
from datalab.model.manifest import Manifest
from datalab.ports.durable import file_sha256
from datalab.staging.layout import MANIFEST
from datalab.staging.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and held."""

    manifest: Manifest
    files: int
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not what the manifest says: path in the release, and what is wrong with it."""

    path: str
    what: str


def verify_release(folder: Path, *, content: bool = True, progress: Callable[[int, int], None] | None = None) -> Verified:
    """Verify a release folder; raise ``VerificationFailed`` naming every faulty file.

    ``content`` also decodes the shards and recomputes the content digest. ``progress`` hears (files done, files in all).
    """
    manifest = read_manifest(folder)
    expected = {shard.path: (shard.bytes, shard.sha256) for shard in manifest.shards}
    expected |= {path: (int(entry["bytes"]), str(entry["sha256"])) for path, entry in manifest.files.items()}
    faults: list[Fault] = []
    total = 0
    for number, (name, (size, sha256)) in enumerate(sorted(expected.items()), start=1):
        fault = _fault(folder, name, size, sha256)
        if fault:
            faults.append(fault)
        else:
            total += size
        if progress:
            progress(number, len(expected))
    faults += [Fault(name, "is not in the manifest") for name in _present(folder) if name not in expected and name != MANIFEST]
    if not faults and content:
        faults += _content_faults(folder, manifest)
    if faults:
        shown = "; ".join(f"{fault.path} {fault.what}" for fault in faults[:5])
        more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
        raise VerificationFailed(
            f"{len(faults)} file(s) differ from the manifest: {shown}{more}",
            where=str(folder),
            next="fetch the release again, or pull it from another copy",
        )
    return Verified(manifest, len(expected), total, sum(shard.rows for shard in manifest.shards))


def _fault(folder: Path, name: str, size: int, sha256: str) -> Fault | None:
    path = folder / name
    if not path.is_file() or path.is_symlink():
        return Fault(name, "is missing")
    if path.stat().st_size != size:
        return Fault(name, f"has {path.stat().st_size} bytes instead of {size}")
    if file_sha256(path) != sha256:
        return Fault(name, "has other bytes than stated")
    return None


def _present(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def _content_faults(folder: Path, manifest: Manifest) -> list[Fault]:
    """Recompute the content digest from the rows themselves."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from datalab.kernels.content import release_digest, schema_description, table_digest

    faults: list[Fault] = []
    contents: list[tuple[str, int, str]] = []
    for shard in manifest.shards:
        with pq.ParquetFile(folder / shard.path) as file:  # read_table() would import pyarrow.dataset, and with it pandas
            table = file.read()
        content = table_digest(table)
        if schema_description(table.schema) != [dict(column) for column in manifest.schema]:
            faults.append(Fault(shard.path, "has another schema than stated"))
        elif table.num_rows != shard.rows or content != shard.content:
            faults.append(Fault(shard.path, "has other rows than stated"))
        contents.append((shard.split, table.num_rows, content))
        del table  # one shard at a time, and nothing kept of it
        pa.default_memory_pool().release_unused()
    if not faults and release_digest([dict(column) for column in manifest.schema], contents) != manifest.digest:
        faults.append(Fault(MANIFEST, "states another content digest than its shards have"))
    return faults
