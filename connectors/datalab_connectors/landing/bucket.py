"""The seam to a landing bucket: who can lend one to a provider, and bring what it left there home.

Buckets on S3 stores are here (`s3_bucket`); a package offers another kind under the entry point group ``datalab.buckets`` as a class
that is called with the connector's ``[….bucket]`` table and where that table stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol

from datalab.errors import NotFound, SettingsError
from datalab.ports.connector import Progress
from datalab.ports.landing import Landed, Landing

GROUP = "datalab.buckets"


class LandingBucket(Protocol):
    """A bucket of ours that providers write to, under keys that are good for one object and a short time."""

    def lend(self, name: str) -> Mapping[str, str]:
        """Return where ``name`` shall be written, by the field names of Simpl's S3 templates.

        ``bucketName``, ``objectName``, ``path``, ``region``, ``storage`` or ``endpoint``, ``keyName``, ``accessKey``, ``secretKey``:
        what a template does not ask for is left out.
        """

    def collect(self, name: str, landing: Landing, *, limit: int, sha256: str | None, progress: Progress) -> Landed:
        """Bring the object home, verified, and remove it from the bucket; raise ``SourceError`` where it is not there."""


def open_bucket(table: Mapping[str, Any], where: str) -> LandingBucket:
    """Return the bucket of a ``[….bucket]`` table; its ``kind`` (default ``s3``) chooses who lends it."""
    kind = str(table.get("kind", "s3"))
    if not table:
        raise SettingsError(
            "this offer is delivered into a bucket, and no landing bucket is configured",
            where=where,
            next='configure its bucket table, or set transport = "push" where the provider can push by HTTP',
        )
    if kind == "s3":
        from datalab_connectors.landing.s3_bucket import S3Bucket

        return S3Bucket(table, where)
    found = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in found:
        raise NotFound.among("kind of bucket", kind, {"s3", *found}, where=where)
    bucket: LandingBucket = found[kind].load()(table, where)
    return bucket
