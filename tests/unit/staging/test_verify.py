"""Whatever is altered under a release is found, and the file is named."""

from __future__ import annotations

import dataclasses
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalab.errors import NotFound, VerificationFailed
from datalab.model.canonical import canonical_json, digest
from datalab.ports.durable import file_sha256
from datalab.staging.manifest import read_manifest
from datalab.staging.verify import verify_release

SHARD = "data/train/part-00000.parquet"


def files_of(release):
    return sorted(path for path in release.rglob("*") if path.is_file())


def test_a_thousand_flipped_bytes_are_all_found_and_named(release):
    """Every file gets its share; positions and bits are drawn with a fixed seed."""
    drawn = random.Random(2)
    files = files_of(release)
    found = 0
    for number in range(1_000):
        path = files[number % len(files)]
        whole = path.read_bytes()
        place, bit = drawn.randrange(len(whole)), 1 << drawn.randrange(8)
        path.unlink()  # shards are hard links: the original must stay whole
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        with pytest.raises(VerificationFailed) as caught:
            verify_release(release, content=False)
        assert path.relative_to(release).as_posix() in str(caught.value)
        path.write_bytes(whole)
        found += 1
    assert found == 1_000
    verify_release(release)


def test_every_byte_of_the_manifest_counts(release):
    path = release / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(VerificationFailed):
            read_manifest(release)


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"", "cannot be read"), (b"[]", "cannot be read"), (b"null", "cannot be read"), (b"\xff\xfe", "cannot be read"),
     (b"{}", "cannot be read"), (b'{"manifest_sha256": "x"}', "cannot be read"), (b"[" * 100_000, "cannot be read")],
)  # fmt: skip
def test_a_manifest_that_is_none_is_a_plain_error(release, data, what):
    (release / "manifest.json").write_bytes(data)
    with pytest.raises(VerificationFailed, match=what):
        read_manifest(release)


def test_a_manifest_with_spaces_or_another_order_is_altered(release):
    path = release / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
    with pytest.raises(VerificationFailed, match="altered"):
        verify_release(release)


def test_a_folder_without_manifest_says_so(tmp_path):
    with pytest.raises(NotFound, match="not a release folder"):
        verify_release(tmp_path)


def alter_missing(release):
    (release / SHARD).unlink()
    return SHARD, "is missing"


def alter_truncated(release):
    whole = (release / SHARD).read_bytes()
    (release / SHARD).unlink()
    (release / SHARD).write_bytes(whole[:-1])
    return SHARD, f"has {len(whole) - 1} bytes instead of {len(whole)}"


def alter_empty(release):
    (release / "README.md").write_bytes(b"")
    return "README.md", "has 0 bytes"


def alter_extra(release):
    (release / "data" / "train" / "part-00009.parquet").write_bytes(b"more")
    return "data/train/part-00009.parquet", "is not in the manifest"


def alter_hidden(release):
    (release / ".hidden").write_bytes(b"more")
    return ".hidden", "is not in the manifest"


def alter_link(release):
    (release / SHARD).rename(release.parent / "elsewhere")
    (release / SHARD).symlink_to(release.parent / "elsewhere")
    return SHARD, "is missing"


def alter_extra_link(release):
    (release / "governance" / "more").symlink_to("/etc/hostname")
    return "governance/more", "is not in the manifest"


def alter_broken_link(release):
    (release / "more").symlink_to("nowhere")
    return "more", "is not in the manifest"


def alter_folder(release):
    (release / "README.md").unlink()
    (release / "README.md").mkdir()
    return "README.md", "is missing"


def alter_folder_link(release):
    (release / "governance").rename(release.parent / "governance")
    (release / "governance").symlink_to(release.parent / "governance")
    return "governance", "is not in the manifest"


@pytest.mark.parametrize(
    "alter",
    [alter_missing, alter_truncated, alter_empty, alter_extra, alter_hidden, alter_link, alter_extra_link, alter_broken_link,
     alter_folder, alter_folder_link],
)  # fmt: skip
def test_a_file_that_is_not_as_stated_is_named(release, alter):
    name, what = alter(release)
    with pytest.raises(VerificationFailed) as caught:
        verify_release(release)
    assert f"{name} {what}" in caught.value.what


def test_many_faults_are_counted_and_the_first_are_named(release):
    for number in range(8):
        (release / f"extra-{number}").write_bytes(b"")
    with pytest.raises(VerificationFailed, match=r"8 file\(s\) differ .*extra-0 .*and 3 more"):
        verify_release(release)


def rewrite(release, **changes):
    """Write a manifest that holds in itself but states something else."""
    manifest = dataclasses.replace(read_manifest(release), **changes)
    (release / "manifest.json").write_bytes(manifest.to_bytes())


def test_a_forged_manifest_whose_rows_are_others_is_found_by_content(release):
    """Bytes and SHA-256 are made to fit; the content digest is not."""
    manifest = read_manifest(release)
    path = release / SHARD
    table = pq.read_table(path, partitioning=None)
    path.unlink()
    pq.write_table(table.set_column(0, "id", pa.array(range(1, 41), pa.int64())), path)
    first, *others = manifest.shards
    forged = dataclasses.replace(first, bytes=path.stat().st_size, sha256=file_sha256(path))
    rewrite(release, shards=(forged, *others))
    verify_release(release, content=False)
    with pytest.raises(VerificationFailed, match=f"{SHARD} has other rows than stated"):
        verify_release(release)


def test_a_forged_schema_is_found(release):
    schema = [dict(column) for column in read_manifest(release).schema]
    schema[0]["name"] = "number"
    rewrite(release, schema=tuple(schema))
    with pytest.raises(VerificationFailed, match="another schema"):
        verify_release(release)


def test_swapped_shards_are_found(release):
    first, second, *rest = read_manifest(release).shards
    rewrite(release, shards=(second, first, *rest))
    with pytest.raises(VerificationFailed, match="another content digest"):
        verify_release(release)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "data/../../outside", "a/./b", "", "."])
def test_a_manifest_cannot_name_a_file_outside(release, name):
    (release.parent / "outside").write_text("secret")
    entry = {"bytes": 6, "sha256": digest("x")}
    rewrite(release, files={**read_manifest(release).files, name: entry})
    with pytest.raises(VerificationFailed):
        verify_release(release)


def test_a_shard_path_outside_is_refused_even_when_its_bytes_fit(release):
    outside = release.parent / "outside.parquet"
    outside.write_bytes((release / SHARD).read_bytes())
    first, *others = read_manifest(release).shards
    (release / SHARD).unlink()
    rewrite(release, shards=(dataclasses.replace(first, path="../outside.parquet"), *others))
    with pytest.raises(VerificationFailed):
        verify_release(release)


def test_progress_hears_of_every_file(release):
    heard = []
    verify_release(release, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(number, 6) for number in range(1, 7)]


def test_the_manifest_is_canonical(release):
    data = (release / "manifest.json").read_bytes()
    assert data == canonical_json(json.loads(data))
