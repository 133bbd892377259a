"""The table of an S3 connector in ``datalab.toml``, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datalab.errors import NotFound, SettingsError
from datalab.ports.objectstore import Endpoint

_TEXT = (
    "kind", "endpoint", "region", "bucket", "prefix", "access_key", "secret_key", "session_token", "policy", "holder",
    "attestation", "attested_by", "participant", "etags", "ca_file", "client_certificate", "client_key",
)  # fmt: skip
_FLAGS = ("anonymous", "path_style", "plain_http", "personal_data")
_NUMBERS = ("max_bytes", "max_objects")
_ETAGS = ("md5", "opaque")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What a table says. ``prefix`` ends with a slash or is empty; keys are references."""

    endpoint: Endpoint
    bucket: str
    prefix: str
    policy: str
    """Name of the policy object beside the data; "" where terms are attested."""
    holder: str
    participant: str
    personal_data: bool
    md5_etags: bool
    max_bytes: int
    max_objects: int

    @classmethod
    def read(cls, table: Mapping[str, Any], *, where: str) -> S3Settings:
        """Read a table; an unknown key or a wrong type is an error that says so."""
        for key, value in table.items():
            if key not in {*_TEXT, *_FLAGS, *_NUMBERS}:
                raise NotFound.among("key", key, {*_TEXT, *_FLAGS, *_NUMBERS}, where=where)
            kind = str if key in _TEXT else bool if key in _FLAGS else int
            if type(value) is not kind or (isinstance(value, int) and kind is int and value < 1):
                words = {str: "text in quotes", bool: "true or false", int: "a whole number from 1"}
                raise SettingsError(f"{key!r} must be {words[kind]}", where=where)
        bucket = table.get("bucket", "")
        if not bucket or "/" in bucket:
            raise SettingsError("the connector needs the name of one bucket", where=where, next='write bucket = "…"')
        etags = table.get("etags", "md5")
        if etags not in _ETAGS:
            raise NotFound.among("kind of ETags", etags, _ETAGS, where=where)
        prefix = table.get("prefix", "").strip("/")
        return cls(
            endpoint=Endpoint(
                url=table.get("endpoint", "").rstrip("/"),
                region=table.get("region", ""),
                access_key=table.get("access_key", ""),
                secret_key=table.get("secret_key", ""),
                session_token=table.get("session_token", ""),
                anonymous=table.get("anonymous", False),
                path_style=table.get("path_style", True),
                plain_http=table.get("plain_http", False),
                ca_file=table.get("ca_file", ""),
                client_certificate=table.get("client_certificate", ""),
                client_key=table.get("client_key", ""),
            ),
            bucket=bucket,
            prefix=f"{prefix}/" if prefix else "",
            policy=table.get("policy", ""),
            holder=table.get("holder", ""),
            participant=table.get("participant", "did:web:datalab.example"),
            personal_data=table.get("personal_data", True),
            md5_etags=etags == "md5",
            max_bytes=table.get("max_bytes", 64 << 30),
            max_objects=table.get("max_objects", 10_000),
        )
