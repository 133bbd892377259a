"""Manifest v1: what a release (or a candidate) consists of. It carries the digest of itself and is written last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datalab.errors import VerificationFailed
from datalab.model.canonical import canonical_json, digest

FORMAT = "datalab-manifest/1"


@dataclass(frozen=True, slots=True)
class Shard:
    """One data file: path in the release, split, rows, bytes, SHA-256 of the file and content digest of its rows (hex)."""

    path: str
    split: str
    rows: int
    bytes: int
    sha256: str
    content: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release in one page. ``digest`` is the content digest and the release's id; ``version`` is "" for a candidate.

    ``schema`` lists columns as {name, type, nullable} in Arrow's own words. ``files`` are all other files of the release
    (cards, governance) by path, with bytes and SHA-256. ``lineage`` names plan, pipeline fingerprint, agreements, source
    objects (SHA-256), ledger range. ``rows`` is the run's account (`Rows.as_json`).
    """

    name: str
    version: str
    digest: str
    title: str
    licence: str
    schema: tuple[Mapping[str, Any], ...]
    shards: tuple[Shard, ...]
    files: Mapping[str, Mapping[str, Any]]
    rows: Mapping[str, Any]
    lineage: Mapping[str, Any]
    terms: Mapping[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> dict[str, int]:
        """Rows by split, in the order of the shards."""
        total: dict[str, int] = {}
        for shard in self.shards:
            total[shard.split] = total.get(shard.split, 0) + shard.rows
        return total

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as plain JSON, with ``manifest_sha256``, the digest of all the rest."""
        body = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "title": self.title,
            "licence": self.licence,
            "schema": [dict(column) for column in self.schema],
            "splits": self.splits,
            "shards": [
                {
                    "path": shard.path,
                    "split": shard.split,
                    "rows": shard.rows,
                    "bytes": shard.bytes,
                    "sha256": shard.sha256,
                    "content": shard.content,
                }
                for shard in self.shards
            ],
            "files": {path: dict(entry) for path, entry in self.files.items()},
            "rows": dict(self.rows),
            "lineage": dict(self.lineage),
            "terms": dict(self.terms),
        }
        return {**body, "manifest_sha256": digest(body)}

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the manifest: exactly what stands in ``manifest.json``."""
        return canonical_json(self.as_json())

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str = "manifest.json") -> Manifest:
        """Read a manifest; raise ``VerificationFailed`` when one byte of it was altered."""
        import json

        try:
            body = json.loads(data)
            stated = body.pop("manifest_sha256")
            manifest = cls(
                name=body["name"],
                version=body["version"],
                digest=body["digest"],
                title=body["title"],
                licence=body["licence"],
                schema=tuple(body["schema"]),
                shards=tuple(Shard(**entry) for entry in body["shards"]),
                files=body["files"],
                rows=body["rows"],
                lineage=body["lineage"],
                terms=body["terms"],
            )
            whole = body["format"] == FORMAT and stated == digest(body) and manifest.to_bytes() == data
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise VerificationFailed("the manifest cannot be read", where=where, next="fetch the release again") from error
        if not whole:
            raise VerificationFailed("the manifest was altered", where=where, next="fetch the release again")
        return manifest
