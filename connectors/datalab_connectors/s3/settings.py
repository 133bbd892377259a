"""The table of an S3 connector in ``datalab.toml``, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datalab.errors import SettingsError
from datalab.ports.objectstore import Endpoint
from datalab_connectors.table import MAX_BYTES, PARTICIPANT, Table

KEYS: Mapping[str, type] = {
    "endpoint": str, "region": str, "bucket": str, "prefix": str, "access_key": str, "secret_key": str, "session_token": str,
    "ca_file": str, "client_certificate": str, "client_key": str, "policy": str, "holder": str, "attestation": str, "attested_by": str, "participant": str, "etags": str,
    "anonymous": bool, "path_style": bool, "plain_http": bool, "personal_data": bool, "max_bytes": int, "max_objects": int,
}  # fmt: skip
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
    def of(cls, table: Table) -> S3Settings:
        """Return what a table says."""
        bucket = table.text("bucket")
        if not bucket or "/" in bucket:
            raise SettingsError("the connector needs the name of one bucket", where=table.where, next='write bucket = "…"')
        prefix = table.text("prefix").strip("/")
        return cls(
            endpoint=Endpoint(
                url=table.text("endpoint").rstrip("/"),
                region=table.text("region"),
                access_key=table.text("access_key"),
                secret_key=table.text("secret_key"),
                session_token=table.text("session_token"),
                anonymous=table.flag("anonymous", False),
                path_style=table.flag("path_style", True),
                plain_http=table.flag("plain_http", False),
                ca_file=table.text("ca_file"),
                client_certificate=table.text("client_certificate"),
                client_key=table.text("client_key"),
            ),
            bucket=bucket,
            prefix=f"{prefix}/" if prefix else "",
            policy=table.text("policy"),
            holder=table.text("holder"),
            participant=table.text("participant", PARTICIPANT),
            personal_data=table.flag("personal_data", True),
            md5_etags=table.among("etags", _ETAGS, "md5") == "md5",
            max_bytes=table.number("max_bytes", MAX_BYTES),
            max_objects=table.number("max_objects", 10_000),
        )
