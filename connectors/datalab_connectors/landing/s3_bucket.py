"""A landing bucket on an S3 store: lent under keys of its own, for one object at a time; what is there comes home verified and is removed."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
from collections.abc import Mapping
from typing import Any

from datalab.errors import NotFound, SourceError
from datalab.ports.connector import Progress
from datalab.ports.landing import Landed, Landing, safe_name
from datalab.ports.objectfetch import fetch_object
from datalab.ports.objectstore import ObjectStore, StoredObject, shown_key
from datalab_connectors.s3.settings import KEYS, S3Settings
from datalab_connectors.table import Table

log = logging.getLogger(__name__)
_LENT = {"accessKey": "lent_access_key", "secretKey": "lent_secret_key"}
_SECONDS = 60.0


class S3Bucket:
    """The bucket of a ``[….bucket]`` table: that of an S3 connector, and the keys that are lent (`datalab.ports.secrets`).

    Lend keys that may do nothing but write below ``prefix``, and replace them often: they stand in the request to the node. Without them none
    are sent, for nodes that know the bucket's keys by a name (``destination = { keyName = "…" }``).
    """

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._table = Table(table, {**KEYS, **dict.fromkeys(_LENT.values(), str)}, where=where)
        self._set = S3Settings.of(self._table)
        self._objects: dict[str, str] = {}

    def lend(self, name: str) -> Mapping[str, str]:
        """Return where ``name`` shall be written: a key that nobody can guess, below the prefix."""
        self._objects[name] = f"{secrets.token_urlsafe(24)}-{safe_name(name)}"
        named = {field: self._table.secret(key) for field, key in _LENT.items()}
        url = self._set.endpoint.url
        fields = {
            "bucketName": self._set.bucket,
            "objectName": self._objects[name],
            "path": self._set.prefix,
            "region": self._set.endpoint.region,
            "storage": url.partition("://")[2],
            "endpoint": url,
            **named,
        }
        return {key: value for key, value in fields.items() if value}

    def collect(self, name: str, landing: Landing, *, limit: int, sha256: str | None, progress: Progress) -> Landed:
        """Bring the object home and remove it from the bucket; raise ``SourceError`` where it is not there or not whole."""
        with ObjectStore(self._set.endpoint, where=self._table.where) as store:
            found = self._found(store, self._objects.pop(name))
            wanted = dataclasses.replace(found, sha256=sha256 or found.sha256)
            try:
                landed = fetch_object(
                    store, wanted, landing, name=name, limit=limit, progress=progress, md5_etags=self._set.md5_etags
                )
            finally:
                self._remove(store, found)
        return landed

    def _found(self, store: ObjectStore, name: str) -> StoredObject:
        """Return what was written: templates differ in whether they have a path before the object's name."""
        for key in (f"{self._set.prefix}{name}", name):
            with contextlib.suppress(NotFound):
                return store.head(self._set.bucket, key)
        raise SourceError(
            "the transfer is said to be completed, and nothing is in the bucket",
            where=f"{self._set.bucket}/{self._set.prefix}",
            next="check that the template's endpoint and bucket are this one",
        )

    def _remove(self, store: ObjectStore, found: StoredObject) -> None:
        place = f"{found.bucket}/{shown_key(found.key)}"
        try:
            store.run(store.call("delete_object", Bucket=found.bucket, Key=found.key), place, seconds=_SECONDS)
        except SourceError as error:
            log.warning("an object could not be removed from the landing bucket %s: %s", self._set.bucket, error.what)
