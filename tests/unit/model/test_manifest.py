from __future__ import annotations

import json

import pytest

from datalab.errors import VerificationFailed
from datalab.model.canonical import canonical_json, digest
from datalab.model.manifest import Manifest, Shard


def manifest() -> Manifest:
    return Manifest(
        name="company-register",
        version="1",
        digest="ab" * 32,
        title="Companies — Ångström & Söhne",
        licence="CC0-1.0",
        schema=({"name": "lei", "type": "string", "nullable": False},),
        shards=(
            Shard("data/train/00000.parquet", "train", 8, 100, "cd" * 32, "ef" * 32),
            Shard("data/test/00000.parquet", "test", 1, 50, "01" * 32, "23" * 32),
            Shard("data/train/00001.parquet", "train", 2, 60, "45" * 32, "67" * 32),
        ),
        files={"README.md": {"bytes": 10, "sha256": "89" * 32}},
        rows={"rows_in": 11, "kept": 11},
        lineage={"plan": "p"},
    )


def test_a_manifest_survives_its_bytes() -> None:
    assert Manifest.from_bytes(manifest().to_bytes()) == manifest()


def test_splits_add_up_over_shards() -> None:
    assert manifest().splits == {"train": 10, "test": 1}


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_every_single_altered_byte_is_found(flip: int) -> None:
    data = manifest().to_bytes()
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= flip
        with pytest.raises(VerificationFailed):
            Manifest.from_bytes(bytes(altered))


def test_every_truncation_and_every_addition_is_found() -> None:
    data = manifest().to_bytes()
    for end in range(len(data)):
        with pytest.raises(VerificationFailed):
            Manifest.from_bytes(data[:end])
    for more in (b" ", b"\n", b"}", b"\0"):
        with pytest.raises(VerificationFailed, match="manifest"):
            Manifest.from_bytes(data + more)


def forged(**changes: object) -> bytes:
    """Return a manifest that was altered by somebody who knows how to write its digest."""
    body = {**json.loads(manifest().to_bytes()), **changes}
    del body["manifest_sha256"]
    return canonical_json({**body, "manifest_sha256": digest(body)})


@pytest.mark.parametrize(
    "changes",
    [{"extra": 1}, {"splits": {"train": 99}}, {"format": "datalab-manifest/2"}, {"shards": [{"path": "x"}]}, {"rows": "x"}],
)
def test_what_a_manifest_cannot_say_is_refused_even_with_a_right_digest(changes: dict[str, object]) -> None:
    with pytest.raises(VerificationFailed):
        Manifest.from_bytes(forged(**changes))


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"manifest_sha256":NaN}', b"1" * 5000]
)
def test_rubbish_is_refused_without_a_traceback_of_its_own(data: bytes) -> None:
    with pytest.raises(VerificationFailed):
        Manifest.from_bytes(data)
