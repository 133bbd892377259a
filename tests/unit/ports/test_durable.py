"""What is to last is on the disk before anything speaks of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datalab.ports.durable import move_into_place, sync_folder


@pytest.fixture
def synced(monkeypatch):
    """The names of what was synced, in order."""
    names = []
    true = os.fsync

    def fsync(handle):
        names.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        true(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return names


def test_a_folder_appears_after_all_that_is_in_it_is_durable(tmp_path, synced):
    folder, target = tmp_path / ".building", tmp_path / "name" / "1"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "shard").write_bytes(b"rows")
    (folder / "manifest").write_bytes(b"{}")

    move_into_place(folder, target)

    assert synced == ["data", "shard", "manifest", ".building", "name"]
    assert not folder.exists()
    assert (target / "data" / "shard").read_bytes() == b"rows"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_filesystem_that_cannot_sync_folders_needs_not(tmp_path, monkeypatch, code):
    def refuse(handle):
        raise OSError(code, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)


def test_a_disk_that_fails_is_told(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="broken"):
        sync_folder(tmp_path)
