"""The connector to a bucket: a dataset is an object, or all objects below a prefix; its terms are attested or stand beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from datalab.errors import NotFound, ProtocolError, SettingsError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer, Query
from datalab.model.policy import Policy
from datalab.ports.connector import Progress
from datalab.ports.landing import Landing
from datalab.ports.objectfetch import fetch_object
from datalab.ports.objectstore import KeysExpired, ObjectStore, StoredObject
from datalab_connectors.grants import in_force
from datalab_connectors.kinds import kind_of, shown_name
from datalab_connectors.objects import object_of
from datalab_connectors.s3.settings import KEYS, S3Settings
from datalab_connectors.standing import Attestation, agree, missing_policy, stated_policy
from datalab_connectors.table import Table

T = TypeVar("T")


class S3Connector:
    """Objects of ``bucket`` below ``prefix``. Its table in ``datalab.toml``: docs/how-to/connect-s3.md.

    Without a word to the contrary (``personal_data = false``) an object is treated as personal data.
    """

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        self._table = Table.of(name, table, KEYS)
        self._set = S3Settings.of(self._table)
        self._attestation = Attestation.of(self._table)

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the objects of known formats whose key contains all words, each as an offer."""
        words = query.text.casefold().split()
        with self._store() as store:
            found = 0
            for item in store.listing(self._set.bucket, self._set.prefix, limit=self._set.max_objects):
                name = item.key.removeprefix(self._set.prefix)
                if kind_of(name)[0] and all(word in name.casefold() for word in words):
                    if found >= query.limit:
                        return
                    found += 1
                    yield self._offer(store, name, [item])

    def offer(self, dataset_id: str) -> Offer:
        """Return an object, or what is below a prefix, as an offer."""
        return self._renewed(lambda store: self._offer(store, dataset_id, self._objects(store, dataset_id)))

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Turn the attestation, or the policy that stands in the bucket, into the agreement."""
        attested = None if self._set.policy else self._attestation
        return agree(offer, intent, decision, provider=offer.holder, consumer=self._set.participant, attestation=attested)

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Bring the objects of one format into the landing folder, in the order of their keys: those that were offered."""
        in_force(agreement, offer, decision)
        wanted = offer.distribution(distribution)
        fetched: list[SourceObject] = []
        for item in _recorded(offer, self._set.bucket):
            if (kind_of(item.key)[0] or "text") != wanted.format:
                continue
            name = item.key.removeprefix(self._set.prefix)
            landed = self._renewed(
                lambda store, item=item, name=name: fetch_object(  # type: ignore[misc]
                    store,
                    item if item.sha256 else _same(item, store.head(item.bucket, item.key)),
                    landing,
                    name=name,
                    limit=self._set.max_bytes,
                    progress=progress,
                    md5_etags=self._set.md5_etags,
                )
            )
            fetched.append(object_of(agreement, offer, wanted, landed, name=shown_name(name), ordinal=len(fetched)))
        return fetched

    def _objects(self, store: ObjectStore, dataset_id: str) -> list[StoredObject]:
        """Return the objects that a dataset id means: a key, or a prefix with all below it."""
        key = self._set.prefix + dataset_id.strip("/")
        listed = store.listing(self._set.bucket, key, limit=self._set.max_objects + 1)
        found = [item for item in listed if _means(item.key, key) and item.key != f"{key}/{self._set.policy}"]
        if len(found) > self._set.max_objects:
            raise SettingsError(
                f"the dataset has more than {self._set.max_objects} objects", where=dataset_id, next="raise max_objects"
            )
        if not found:
            near = store.listing(self._set.bucket, self._set.prefix, limit=1000)
            names = (shown_name(item.key.removeprefix(self._set.prefix)) for item in near)
            raise NotFound.among("object", shown_name(dataset_id), names, where=f"{self._set.bucket}/{self._set.prefix}")
        exact = [item for item in found if item.key == key]
        return exact or found

    def _offer(self, store: ObjectStore, dataset_id: str, objects: list[StoredObject]) -> Offer:
        formats: dict[str, list[StoredObject]] = {}
        known = [store.head(item.bucket, item.key) for item in objects] if len(objects) == 1 else objects
        for item in known:
            formats.setdefault(kind_of(item.key)[0] or "text", []).append(item)
        policy = self._policy(store, objects, dataset_id)
        record = {
            "bucket": self._set.bucket,
            "prefix": self._set.prefix,
            "objects": [
                {"key": item.key, "bytes": item.bytes, "etag": item.etag, "sha256": item.sha256}
                for items in formats.values()
                for item in items
            ],
        }
        return Offer(
            connector=self.name,
            dataset_id=dataset_id,
            offer_id=policy.id,
            title=shown_name(dataset_id.strip("/").rsplit("/", 1)[-1] or self._set.bucket),
            description=f"Objects of the bucket {self._set.bucket}: {len(known)}",
            holder=self._set.holder or self._attestation.by or self._set.bucket,
            policy=policy,
            distributions=tuple(_distribution(kind, items) for kind, items in sorted(formats.items())),
            personal_data=self._set.personal_data,
            catalogue_record=json.dumps(record, ensure_ascii=False),
        )

    def _policy(self, store: ObjectStore, objects: list[StoredObject], dataset_id: str) -> Policy:
        """Return the terms: the attestation, or the policy object that the steward says to look for."""
        if not self._set.policy:
            return self._attestation.policy()
        key = self._set.prefix + dataset_id.strip("/")
        exact = len(objects) == 1 and objects[0].key == key
        places = [f"{key}.{self._set.policy}", f"{key.rpartition('/')[0]}/{self._set.policy}".lstrip("/")] if exact else []
        for place in places or [f"{key}/{self._set.policy}".lstrip("/")]:
            try:
                return stated_policy(store.read(self._set.bucket, place).decode())
            except NotFound:
                continue
            except UnicodeDecodeError:
                raise ProtocolError("the policy is not UTF-8 text", where=place) from None
        return missing_policy(self._set.policy)

    def _store(self) -> ObjectStore:
        return ObjectStore(self._set.endpoint, where=self._table.where)

    def _renewed(self, work: Callable[[ObjectStore], T]) -> T:
        """Do ``work``, once more with the keys read anew where the session token has run out."""
        with self._store() as store:
            try:
                return work(store)
            except KeysExpired:
                store.close()
            return work(store)


def _means(key: str, wanted: str) -> bool:
    return not key.endswith("/") and (key == wanted or not wanted or key.startswith(wanted.rstrip("/") + "/"))


def _distribution(kind: str, items: list[StoredObject]) -> Distribution:
    return Distribution(
        id=kind,
        format=kind,
        media_type=kind_of(items[0].key)[1] or "application/octet-stream",
        bytes=sum(item.bytes for item in items),
        sha256=(items[0].sha256 or None) if len(items) == 1 else None,
        file=shown_name(items[0].key.rsplit("/", 1)[-1]) if len(items) == 1 else "",
    )


def _recorded(offer: Offer, bucket: str) -> Iterator[StoredObject]:
    """Yield the objects as they were when they were offered."""
    for item in json.loads(offer.catalogue_record)["objects"]:
        yield StoredObject(bucket, item["key"], item["bytes"], item["etag"], item["sha256"])


def _same(offered: StoredObject, found: StoredObject) -> StoredObject:
    """Return what the store says of an object now, held to the ETag and size that were offered."""
    return dataclasses.replace(found, bytes=offered.bytes, etag=offered.etag)
