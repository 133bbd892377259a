"""The one door to object stores: s3fs, bounded in reach, time and retries, with keys by reference and silent about them.

What moves bytes stands beside it: `objectfetch` (into the landing folder), `objectput` (into a bucket).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from datalab.errors import NotFound, ProtocolError, SettingsError, SourceError
from datalab.ports.objectsession import bounded_session
from datalab.ports.reach import Reach, shown
from datalab.ports.secrets import secret
from datalab.ports.tls import Tls

T = TypeVar("T")
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_HEX64 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_MISSING = frozenset(("NoSuchKey", "NoSuchBucket", "404", "NotFound", "NoSuchUpload", "InvalidBucketName"))
_REFUSED = frozenset(
    ("AccessDenied", "403", "Forbidden", "401", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed", "XAdminUserNotFound")
)  # fmt: skip
_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"))
_BUSY = frozenset(("SlowDown", "ServiceUnavailable", "503", "InternalError", "500", "502", "504", "RequestTimeout", "429"))


class KeysExpired(SourceError):
    """The session token is no longer valid; a store that is closed and used again reads its references anew."""


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds of one store. Times in seconds, sizes in bytes."""

    connect: float = 5.0
    idle: float = 20.0
    """The longest silence within an answer."""
    seconds: float = 60.0
    """The longest time for a listing or a question about one object."""
    attempts: int = 4
    """Tries of a request, and tries of a part that bring no byte."""
    backoff: float = 0.2
    transfer_seconds: float = 6 * 3600.0
    slowest: float = 1024.0
    """Bytes a second that a transfer must reach on average after ``idle`` seconds."""
    part: int = 16 << 20
    """Bytes of one part (S3 wants at least 5 MiB in an upload); ``together`` of them are on their way at a time."""
    together: int = 4


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a store is and who asks. Keys are references (`datalab.ports.secrets`), never values.

    A private address is reached only where ``url`` itself names the host; a link-local one never. Without ``url``, Amazon's.
    """

    url: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    anonymous: bool = False
    path_style: bool = True
    plain_http: bool = False
    """Whether http without TLS may be spoken with another machine."""
    ca_file: str = ""
    """Certificates to trust instead of the public ones (a site's own authority)."""
    client_certificate: str = ""
    client_key: str = ""
    """What to show a store that asks who we are; the key, "" where the certificate's file holds it, is not encrypted."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket. ``etag`` is bare, without quotes; ``sha256`` is what its uploader or the store states, "" for none."""

    bucket: str
    key: str
    bytes: int
    etag: str
    sha256: str = ""
    encrypted: str = field(default="", repr=False)

    @property
    def md5(self) -> str:
        """The MD5 of the content, "" where the ETag is none: several parts, or encrypted with a customer's key."""
        return self.etag if _MD5.fullmatch(self.etag) and self.encrypted in {"", "AES256"} else ""


class ObjectStore:
    """One endpoint with one set of keys. Close it, or use it as a context."""

    def __init__(self, endpoint: Endpoint, limits: StoreLimits | None = None, *, where: str = "") -> None:
        self.endpoint = endpoint
        self.limits = limits or StoreLimits()
        self.where = where
        self.url = endpoint.url or f"https://s3.{endpoint.region or 'us-east-1'}.amazonaws.com"
        self._reach = _checked(endpoint, self.url, where)
        self._secrets: set[str] = set()
        self._files: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        files, self._files = self._files, None
        if files is not None and files._s3 is not None:  # noqa: SLF001 - s3fs has no close that one can wait for
            creator = files._s3creator  # noqa: SLF001
            asyncio.run_coroutine_threadsafe(creator.__aexit__(None, None, None), files.loop).result(5)
            files._s3 = None  # noqa: SLF001

    def redact(self, text: str) -> str:
        """Return ``text`` without any key that this store was opened with."""
        for value in self._secrets:
            text = text.replace(value, "•••")
        return text

    def listing(self, bucket: str, prefix: str = "", *, limit: int = 10_000) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with ``prefix``, in the order of their keys, ``limit`` at the most."""
        token, left = "", limit
        while left > 0:
            asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": min(1000, left)}
            if token:
                asked["ContinuationToken"] = token
            answer = self.run(self.call("list_objects_v2", **asked), f"{bucket}/{prefix}")
            page = answer.get("Contents") or []
            for item in page:
                left -= 1
                yield StoredObject(bucket, item["Key"], int(item["Size"]), str(item.get("ETag", "")).strip('"'))
            following = str(answer.get("NextContinuationToken", ""))
            if not answer.get("IsTruncated") or not following or following == token or not page:
                return
            token = following

    def head(self, bucket: str, key: str) -> StoredObject:
        """Return what the store says about one object; raise ``NotFound``."""
        return self.run(self.heading(bucket, key), f"{bucket}/{key}")

    async def heading(self, bucket: str, key: str) -> StoredObject:
        """Do the work of ``head`` within the loop."""
        answer = await self.call("head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        encrypted = str(answer.get("ServerSideEncryption", "")) or str(answer.get("SSECustomerAlgorithm", "") and "customer")
        return StoredObject(
            bucket, key, int(answer["ContentLength"]), str(answer.get("ETag", "")).strip('"'), _stated(answer), encrypted
        )

    def read(self, bucket: str, key: str, *, limit: int = 1 << 20) -> bytes:
        """Return a small object whole; raise ``SourceError`` where it has more than ``limit`` bytes."""

        async def whole() -> bytes:
            answer = await self.call("get_object", Bucket=bucket, Key=key)
            async with answer["Body"] as body:
                blocks, size = [], 0
                while block := await body.read(1 << 16):
                    blocks.append(block)
                    size += len(block)
                    if size > limit:
                        raise SourceError(f"the object has more than {limit} bytes", where=f"{bucket}/{shown_key(key)}")
            return b"".join(blocks)

        return self.run(whole(), f"{bucket}/{key}")

    async def call(self, method: str, **arguments: Any) -> Any:
        """Send one request from within the loop; a broken or busy store is asked again (by botocore, with back-off)."""
        return await self._opened()._call_s3(method, **arguments)  # noqa: SLF001 - what s3fs makes its own methods of

    def run(
        self, work: Coroutine[Any, Any, T], where: str, *, seconds: float = 0.0, watch: Callable[[float], None] | None = None
    ) -> T:
        """Do ``work`` in s3fs's loop, ``seconds`` at the most; ``watch`` is called now and then, in this thread, with the time passed.

        Every failure is an error of the house; the work has ended, in one way or another, when this returns.
        """
        seconds = seconds or self.limits.seconds
        ended = threading.Event()

        async def bounded() -> T:
            try:
                async with asyncio.timeout(seconds):
                    return await work
            finally:
                ended.set()

        started = time.monotonic()
        try:
            loop = self._opened().loop
        except BaseException:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(bounded(), loop)
        try:
            while True:
                try:
                    return future.result(0.1)
                except TimeoutError:
                    if future.done():
                        raise
                    if watch is not None:
                        watch(time.monotonic() - started)
        except BaseException as error:
            future.cancel()
            ended.wait(self.limits.idle)
            if not isinstance(error, Exception) or isinstance(error, (SourceError, NotFound, SettingsError)):
                raise
            raise self.told(error, where) from None

    def told(self, error: Exception, where: str) -> Exception:
        """Return a failure of the store as an error of the house, without keys in it."""
        code, status, said = code_of(error), _status_of(error), self.redact(" ".join(str(error).split()))[:200]
        place = f"{shown(self.url)}/{shown_key(where)}"
        if code in _MISSING:
            what = "the bucket" if code in {"NoSuchBucket", "InvalidBucketName"} else "the object"
            return NotFound(f"{what} does not exist", where=place, next="check bucket and prefix in the connector's table")
        if code in _EXPIRED:
            return KeysExpired("the session token has expired", where=place, next="put a fresh one where its reference points")
        if code in _REFUSED or status in {401, 403}:
            return SourceError(
                f"the store refuses these keys ({code})", where=place, next="check the keys, the region and what they may do"
            )
        if code in _BUSY or status >= 500:
            return SourceError(f"the store was busy at every attempt ({code})", where=place, next="try again later")
        if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
            return SourceError("the store did not answer in the time allowed", where=place, next="try again later")
        if "ParserError" in type(error).__name__:
            return ProtocolError("the store answered with something that is not S3", where=place, next="check the endpoint")
        kind = code or type(error).__name__
        return SourceError(f"the store failed ({kind}): {said}", where=place, next="check that it is up, then try again")

    def _opened(self) -> Any:
        if self._files is None:
            self._files = self._open()
        return self._files

    def _open(self) -> Any:
        import s3fs
        from aiobotocore.session import AioSession

        end = self.endpoint
        keys: dict[str, str] = {}
        if not end.anonymous:
            keys = {"key": secret(end.access_key, self.where), "secret": secret(end.secret_key, self.where)}
            if end.session_token:
                keys["token"] = secret(end.session_token, self.where)
        self._secrets |= set(keys.values())
        nothing = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
        session = AioSession(session_vars={**nothing, "profile": (None, None, None, None)})  # what counts stands in the table
        files = s3fs.S3FileSystem(
            anon=end.anonymous,
            **keys,
            endpoint_url=self.url,
            session=session,
            client_kwargs={
                "region_name": end.region or "us-east-1",
                "verify": str(Path(end.ca_file).expanduser()) if end.ca_file else True,
            },
            config_kwargs={
                "connect_timeout": self.limits.connect,
                "read_timeout": self.limits.idle,
                "max_pool_connections": max(8, self.limits.together),
                "retries": {"mode": "standard", "max_attempts": self.limits.attempts},
                "s3": {"addressing_style": "path" if end.path_style else "virtual"},
                "http_session_cls": bounded_session(),
                "connector_args": {"resolver": _resolver(self._reach, urlsplit(self.url).hostname or "")},
                "proxies": {},
                **_shown(end, self.url, self.where),
                "ignore_configured_endpoint_urls": True,
                "request_checksum_calculation": "when_required",  # else uploads come framed, which some stores keep as data
                "response_checksum_validation": "when_required",  # what arrives is judged once, by the caller
                "user_agent_extra": "aif-datalab",
            },
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        files.retries = 1  # botocore does it, with back-off; both would multiply
        return files


@contextlib.asynccontextmanager
async def first_failure() -> AsyncIterator[None]:
    """Raise the first failure of a group of tasks instead of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def code_of(error: BaseException | None) -> str:
    """Return the S3 error code behind an exception of s3fs or botocore, "" where the store did not answer."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            code = str(response.get("Error", {}).get("Code", ""))
            return code or str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        error = error.__cause__
    return ""


def _status_of(error: BaseException | None) -> int:
    """Return the HTTP status behind an exception, 0 where the store did not answer: not every store uses Amazon's codes."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        error = error.__cause__
    return 0


def shown_key(key: str) -> str:
    """Return a foreign key as it may be shown."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in key)[:200]


def _stated(answer: dict[str, Any]) -> str:
    """Return the SHA-256 of the whole object that its uploader (metadata ``sha256``) or the store states."""
    noted = str(answer.get("Metadata", {}).get("sha256", "")).lower()
    if _HEX64.fullmatch(noted):
        return noted
    checksum = str(answer.get("ChecksumSHA256", ""))
    if not checksum or "-" in checksum or answer.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return ""
    try:
        found = base64.b64decode(checksum, validate=True)
    except binascii.Error:
        return ""
    return found.hex() if len(found) == 32 else ""


def _checked(endpoint: Endpoint, url: str, where: str) -> Reach:
    host = urlsplit(url).hostname or ""
    reach = Reach(frozenset((host,)), loopback=host in _LOOPBACK)
    reach.check_url(url)
    if urlsplit(url).scheme == "http" and host not in _LOOPBACK and not endpoint.plain_http:
        raise SettingsError("the endpoint is http without TLS", where=where, next="use https, or say plain_http = true")
    if not endpoint.anonymous and not (endpoint.access_key and endpoint.secret_key):
        raise SettingsError(
            "the store has no keys", where=where, next='say anonymous = true, or access_key = "env:…" and secret_key = "env:…"'
        )
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return reach  # a name: the resolver checks what it stands for
    reach.check_address(host, host)
    return reach


def _shown(end: Endpoint, url: str, where: str) -> dict[str, Any]:
    """Return the setting of botocore for the client certificate, after a look at the files."""
    if not end.client_certificate and (not end.ca_file or urlsplit(url).scheme != "https"):
        return {}
    said = {key: value for key in ("ca_file", "client_certificate", "client_key") if (value := getattr(end, key))}
    Tls.read(said, [url], where).context()
    files = tuple(str(Path(name).expanduser()) for name in (end.client_certificate, end.client_key) if name)
    return {"client_cert": files if len(files) == 2 else files[0]} if files else {}


def _resolver(reach: Reach, home: str) -> Any:
    """Return a resolver for aiohttp that knows the endpoint's host, its buckets' hosts, and nothing else."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Guarded(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
            if host != home and not host.endswith(f".{home}"):
                raise SourceError(f"the host {host!r} is not the endpoint's", next="check endpoint and region")
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
            addresses = list(dict.fromkeys((entry[4][0], entry[0]) for entry in found))
            for address, _ in addresses:
                reach.check_address(home, str(address))
            flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            return [
                ResolveResult(hostname=host, host=str(address), port=port, family=kind, proto=0, flags=flags)
                for address, kind in addresses
            ]

        async def close(self) -> None:
            """Nothing is held."""

    return Guarded()
