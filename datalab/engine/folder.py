"""The run folder: where a run keeps its plan, its parts and its receipts, safe against a kill at any moment.

Every file appears under its final name only when it is whole: written under a temporary name in the same folder, synced, renamed,
the folder synced. A receipt comes last, so its presence means that everything it names is there. The folder may stand on a shared
filesystem (NFS, Lustre): names of temporary files differ between machines, and what others wrote is looked up by opening it, which
asks the server (close-to-open consistency, RFC 1813 section 4.11), never by listing, and never trusted to be absent for good.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import pickle
import re
import secrets
import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datalab.errors import ConservationError, RunFailed
from datalab.model.receipt import FileRef, Receipt
from datalab.ports.durable import file_sha256, sync_file, sync_folder
from datalab.ports.pieces import PieceFile

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from datalab.engine.plan import Plan


_HOST = re.sub(r"[^A-Za-z0-9.]", ".", socket.gethostname())[:40] or "host"
_STALE_SECONDS = 3600
"""A temporary file of another machine that nobody has written to for so long has no writer any more."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run. ``root`` is ``runs/<plan id>`` in the lab's home, mode 0700."""

    root: Path

    def create_root(self) -> None:
        """Make the folder, for its owner only."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)

    def sweep(self) -> None:
        """Remove what interrupted processes left half-written: of this machine those that are gone, of others what is old."""
        for orphan in self.root.rglob(".writing-*"):
            if _abandoned(orphan):
                orphan.unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return the absolute path of ``name``, which is relative to the run folder."""
        return self.root / name

    def write(self, name: str, data: bytes) -> None:
        """Write a small file atomically."""
        with writing(self.path(name)) as temporary:
            temporary.write_bytes(data)

    def save_plan(self, plan: Plan) -> None:
        """Keep the plan for the workers."""
        self.write("plan.pickle", pickle.dumps(plan, protocol=5))

    def load_plan(self) -> Plan:
        """Load the plan that this folder was made for."""
        plan: Plan = pickle.loads(self.path("plan.pickle").read_bytes())  # noqa: S301 - our own file in a 0700 folder
        return plan

    def write_frame(self, name: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> FileRef:
        """Write record batches as one Arrow IPC file.

        Not compressed: it is mapped into memory by who reads it, and lz4 cost more than all the rest of a pass (decision 0026).
        """
        import pyarrow as pa

        rows = 0
        with writing(self.path(name)) as temporary, PieceFile(temporary) as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                rows += batch.num_rows
                writer.write_batch(batch)
        return FileRef(path=name, rows=rows, bytes=file.size, crc32=file.crc32)

    def write_rows(self, name: str, frame: pl.DataFrame) -> FileRef:
        """Write one frame as an Arrow IPC file."""
        table = frame.rechunk().to_arrow(compat_level=_layout())
        return self.write_frame(name, iter(table.to_batches()), table.schema)

    def read_rows(self, name: str) -> pl.DataFrame:
        """Read a file that `write_rows` wrote."""
        import polars as pl
        import pyarrow as pa

        with pa.memory_map(str(self.path(name))) as source:
            frame = pl.from_arrow(pa.ipc.open_file(source).read_all())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def refer(self, name: str, rows: int) -> FileRef:
        """Describe a file that is in place and is kept: released, or evidence."""
        path = self.path(name)
        return FileRef(path=name, rows=rows, bytes=path.stat().st_size, sha256=file_sha256(path))

    def receipt_path(self, phase: int, part: int) -> Path:
        """Where the receipt of a part stands."""
        return self.root / "receipts" / f"{phase:02d}" / f"{part:06d}.json"

    def write_receipt(self, receipt: Receipt) -> None:
        """Write a receipt: the last act of a part."""
        path = self.receipt_path(receipt.phase, receipt.part)
        with writing(path) as temporary:
            temporary.write_bytes(receipt.to_bytes())

    def receipt(self, phase: int, part: int, *, deep: bool = False) -> Receipt | None:
        """Return the receipt of a part if there is one that holds; ``deep`` also hashes the files it names."""
        path = self.receipt_path(phase, part)
        try:
            receipt = Receipt.from_json(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, ConservationError):
            path.unlink(missing_ok=True)
            return None
        if all(self._whole(ref, deep=deep) for ref in receipt.files.values()):
            return receipt
        path.unlink(missing_ok=True)
        return None

    def others_receipt(self, phase: int, part: int) -> Receipt | None:
        """Return the receipt that another process wrote, as soon as it and its files are seen here; never remove anything."""
        try:
            receipt = Receipt.from_json(json.loads(self.receipt_path(phase, part).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ConservationError):
            return None
        return receipt if all(self._whole(ref, deep=False) for ref in receipt.files.values()) else None

    def look_anew(self, name: str) -> None:
        """Open the folder ``name``, so that a client of a network filesystem forgets which names it believes to be absent."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY))

    def _whole(self, ref: FileRef, *, deep: bool) -> bool:
        try:
            path = self.path(ref.path)
            with path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_size != ref.bytes:
                    return False
            return not deep or (file_sha256(path) == ref.sha256 if ref.sha256 else file_crc32(path) == ref.crc32)
        except OSError:
            return False


class writing:  # noqa: N801 - reads as a verb where it is used
    """Give a temporary path beside ``path``; on success sync and rename it, on failure remove it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = temporary_beside(path)

    def __enter__(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self.temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise disk_error(error, self.path) from error
            return
        try:
            sync_file(self.temporary)
            self.temporary.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as failure:
            self.temporary.unlink(missing_ok=True)
            raise disk_error(failure, self.path) from failure


def temporary_beside(path: Path) -> Path:
    """Return a name that no other process gives, and that `RunFolder.sweep` clears away when this one is gone."""
    return path.with_name(f".writing-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}-{path.name}")


def _abandoned(temporary: Path) -> bool:
    host, _, rest = temporary.name.removeprefix(".writing-").partition("-")
    pid = rest.partition("-")[0]
    if host == _HOST and pid.isdecimal():
        return int(pid) == os.getpid() or not _at_work(int(pid))
    try:
        return time.time() - temporary.stat().st_mtime > _STALE_SECONDS
    except OSError:
        return False


def _at_work(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def disk_error(error: OSError, path: Path) -> RunFailed:
    """Say plainly that a file could not be written, and that nothing is lost."""
    return RunFailed(
        f"cannot write: {error.strerror or error}",
        where=str(path.parent),
        next="make room (or mend the folder) and run again: finished parts are kept",
    )


def file_crc32(path: Path) -> str:
    """Return the CRC-32 of a file, hex."""
    if not path.stat().st_size:
        return f"{0:08x}"
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return f"{zlib.crc32(data):08x}"


def _layout() -> pl.CompatLevel:
    import polars as pl

    return pl.CompatLevel.oldest()
