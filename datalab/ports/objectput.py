"""A file into a bucket: in parts, resumed after a kill, and read back: a returned call is not arrival.

Two stores were seen that took an upload, said yes, and held something else, or nothing (framing stored as data; a swallowed
part). So what stands in the bucket is read again, whole, and its SHA-256 compared, before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path

from datalab.errors import NotFound, ReadError, SettingsError, VerificationFailed
from datalab.ports.connector import Progress
from datalab.ports.durable import file_sha256
from datalab.ports.objectstore import ObjectStore, StoredObject, code_of, first_failure, shown_key

_MOST_PARTS = 10_000
_LEAST_PART = 5 << 20


def put_verified(
    store: ObjectStore,
    path: Path,
    bucket: str,
    key: str,
    *,
    sha256: str = "",
    metadata: dict[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> StoredObject:
    """Put a file under ``key`` and return what stands there, read back. Its SHA-256 travels as metadata ``sha256``.

    ``sha256`` (hex) is what the file must have, where that is known; else it is computed. Put again after a kill, the parts
    that the store holds already are not sent twice; put again when it stands there, it is only read. Raise
    ``VerificationFailed`` where the bucket holds something else: that is removed.
    """
    place = f"{bucket}/{shown_key(key)}"
    found = _digest(path)
    if sha256 and found != sha256.lower():
        raise VerificationFailed("the file is not the one that was to be put", where=str(path), next="make it again")
    size = path.stat().st_size
    standing = _standing(store, bucket, key)
    if standing is None or (standing.sha256, standing.bytes) != (found, size):
        seconds = store.limits.transfer_seconds
        told = _Told(progress, path.name, size)
        work = _Put(store, path, bucket, key, found, {**(metadata or {}), "sha256": found}, told)
        store.run(work.put(), place, seconds=seconds, watch=told)
        told()
        standing = _standing(store, bucket, key)
        if standing is None:
            raise VerificationFailed("the store took the file and holds nothing", where=place, next="do not use this store")
    read = store.run(_read_back(store, standing), place, seconds=store.limits.transfer_seconds)
    if (standing.bytes, read) != (size, found):
        store.run(store.call("delete_object", Bucket=bucket, Key=key), place)
        raise VerificationFailed(
            f"the bucket holds something else than was sent ({standing.bytes} bytes instead of {size}): removed",
            where=place,
            next="put it again; if it stays so, do not use this store",
        )
    return dataclasses.replace(standing, sha256=found)


class _Told:
    """Hands progress from the loop to the thread that waits."""

    def __init__(self, progress: Progress, name: str, size: int) -> None:
        self.sent = 0
        self._progress, self._name, self._size, self._before = progress, name, size, -1

    def __call__(self, elapsed: float = 0.0) -> None:
        if self.sent != self._before:
            self._before = self.sent
            self._progress(self._name, self.sent, self._size)


class _Put:
    def __init__(
        self, store: ObjectStore, path: Path, bucket: str, key: str, sha256: str, metadata: dict[str, str], told: _Told
    ) -> None:
        self._store, self._path, self._told = store, path, told
        self._to = {"Bucket": bucket, "Key": key}
        self._sha256, self._metadata = sha256, metadata
        self._size = path.stat().st_size
        self._part = max(store.limits.part, -(-self._size // _MOST_PARTS))

    async def put(self) -> None:
        if self._size <= self._part:
            body = await asyncio.to_thread(self._path.read_bytes)
            await self._store.call("put_object", **self._to, Body=body, Metadata=self._metadata)
            self._told.sent = self._size
            return
        if self._part < _LEAST_PART:
            raise SettingsError("a part of an upload has at least 5 MiB", next="raise part of the store's limits")
        upload, there = await self._begun()
        tags: dict[int, str] = {}
        missing = iter(range(1, -(-self._size // self._part) + 1))

        async def sender() -> None:
            for number in missing:
                tags[number] = await self._send(upload, number, there.get(number))

        async with first_failure(), asyncio.TaskGroup() as group:
            for _ in range(self._store.limits.together):
                group.create_task(sender())
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in sorted(tags.items())]
        await self._store.call("complete_multipart_upload", **self._to, UploadId=upload, MultipartUpload={"Parts": parts})

    async def _begun(self) -> tuple[str, dict[int, tuple[str, int]]]:
        """Return an upload to go on with and the parts that it holds (ETag, size), or a new one.

        An upload of a killed process is found by its key; a part counts only where it has our bytes (`_send`).
        """
        with contextlib.suppress(Exception):  # a store that cannot list uploads, or will not, begins anew
            answer = await self._store.call("list_multipart_uploads", Bucket=self._to["Bucket"], Prefix=self._to["Key"])
            begun = [item for item in answer.get("Uploads") or [] if item["Key"] == self._to["Key"]]
            for upload in sorted(begun, key=lambda item: str(item.get("Initiated", "")), reverse=True)[:1]:
                return upload["UploadId"], await self._held(upload["UploadId"])
        answer = await self._store.call("create_multipart_upload", **self._to, Metadata=self._metadata)
        return answer["UploadId"], {}

    async def _held(self, upload: str) -> dict[int, tuple[str, int]]:
        held: dict[int, tuple[str, int]] = {}
        marker = 0
        while True:
            answer = await self._store.call("list_parts", **self._to, UploadId=upload, PartNumberMarker=marker)
            for part in answer.get("Parts") or []:
                held[int(part["PartNumber"])] = str(part["ETag"]).strip('"'), int(part["Size"])
            following = int(answer.get("NextPartNumberMarker") or 0)
            if not answer.get("IsTruncated") or following <= marker:
                return held
            marker = following

    async def _send(self, upload: str, number: int, there: tuple[str, int] | None) -> str:
        body = await asyncio.to_thread(self._read, (number - 1) * self._part)
        if there is None or there != (await asyncio.to_thread(_md5, body), len(body)):
            answer = await self._store.call("upload_part", **self._to, UploadId=upload, PartNumber=number, Body=body)
            tag = str(answer["ETag"])
        else:
            tag = f'"{there[0]}"'
        self._told.sent += len(body)
        return tag

    def _read(self, start: int) -> bytes:
        with self._path.open("rb") as stream:
            stream.seek(start)
            return stream.read(min(self._part, self._size - start))


async def _read_back(store: ObjectStore, standing: StoredObject) -> str:
    """Return the SHA-256 of what stands in the bucket: ranges are asked for ahead, and hashed in order."""
    digest, part = hashlib.sha256(), store.limits.part
    ahead: list[asyncio.Task[bytes]] = []
    starts = iter(range(0, standing.bytes, part))

    async def one(start: int) -> bytes:
        last = min(start + part, standing.bytes) - 1
        for attempt in range(store.limits.attempts):
            try:
                answer = await store.call("get_object", Bucket=standing.bucket, Key=standing.key, Range=f"bytes={start}-{last}")
                async with answer["Body"] as body:
                    return bytes(await body.read())
            except Exception as error:
                if code_of(error) or attempt == store.limits.attempts - 1:
                    raise
                await asyncio.sleep(store.limits.backoff * 2**attempt)
        raise AssertionError("unreachable")

    try:
        while True:
            while len(ahead) < store.limits.together and (start := next(starts, None)) is not None:
                ahead.append(asyncio.create_task(one(start)))
            if not ahead:
                return digest.hexdigest()
            block = await ahead.pop(0)
            await asyncio.to_thread(digest.update, block)
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


def _standing(store: ObjectStore, bucket: str, key: str) -> StoredObject | None:
    try:
        return store.head(bucket, key)
    except NotFound:
        return None


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _digest(path: Path) -> str:
    try:
        if not path.is_file() or not os.access(path, os.R_OK):
            raise ReadError("there is no file that can be read", where=str(path))
        return file_sha256(path)
    except OSError as error:
        raise ReadError(f"the file cannot be read: {error.strerror}", where=str(path)) from None
