"""What AI developers import: a release as Arrow batches, polars or pandas, with its hashes checked and its terms shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalab.errors import NotFound, PolicyRefusal, SchemaError, VerificationFailed
from datalab.model.manifest import Manifest, Shard
from datalab.model.settings import find_settings
from datalab.policy.moments import interval
from datalab.ports.durable import file_sha256
from datalab.staging.layout import Store, find_release
from datalab.staging.manifest import read_manifest

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


def open_dataset(reference: str | os.PathLike[str], *, home: Path | None = None, quiet: bool = False) -> Dataset:
    """Open an approved release: ``NAME``, ``NAME@VERSION``, ``NAME@DIGEST``, or the path of a pulled copy.

    The manifest is checked now, each shard when it is first read. The terms are shown on standard error unless ``quiet``.
    Raises ``NotFound``, ``VerificationFailed``, or ``PolicyRefusal`` for what was never approved or whose terms have ended.
    """
    store = Store(home if home is not None else _home())
    folder = find_release(os.fspath(reference), store)
    manifest = read_manifest(folder)
    if not manifest.version:
        raise PolicyRefusal(
            "this is a candidate: nobody has approved it", where=str(folder), next=f"ask for: datalab approve {manifest.name}"
        )
    until = str(manifest.terms.get("valid_until", ""))
    if until and _ended(until):
        raise PolicyRefusal(
            f"the terms of {manifest.name}@{manifest.version} ended on {until}",
            where=str(folder),
            next="ask the lab for new terms",
        )
    dataset = Dataset(folder, manifest)
    if not quiet:
        sys.stderr.write(dataset.terms_in_short + "\n")
    return dataset


class Dataset:
    """An approved release, read shard by shard. Rows come in the order of the release."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._whole: set[str] = set()

    def __repr__(self) -> str:
        splits = ", ".join(f"{split}: {rows}" for split, rows in self.splits.items())
        return f"<Dataset {self.manifest.name}@{self.manifest.version} {{{splits}}} {self.manifest.digest[:12]}>"

    def __len__(self) -> int:
        return sum(self.splits.values())

    @property
    def splits(self) -> dict[str, int]:
        """Rows by split."""
        return self.manifest.splits

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(column["name"]) for column in self.manifest.schema]

    @property
    def terms(self) -> str:
        """The terms of use in words (TERMS.md)."""
        path = self.folder / "TERMS.md"
        if not path.is_file():
            raise VerificationFailed("the terms are missing from the release", where=str(path), next="fetch the release again")
        if file_sha256(path) != self.manifest.files.get("TERMS.md", {}).get("sha256"):
            raise VerificationFailed(
                "TERMS.md has other bytes than the manifest states", where=str(path), next="fetch the release again"
            )
        return path.read_text(encoding="utf-8")

    @property
    def terms_in_short(self) -> str:
        """The terms in one paragraph."""
        words = [str(item) for item in self.manifest.terms.get("in_words", ())]
        until = self.manifest.terms.get("valid_until")
        end = f" Valid until {until}." if until else ""
        return f"{self.manifest.title} ({self.manifest.name}@{self.manifest.version}), licence {self.manifest.licence}. {' '.join(words)}{end}"

    def batches(
        self, split: str | None = None, *, columns: Sequence[str] | None = None, batch_rows: int = 8_192
    ) -> Iterator[pa.RecordBatch]:
        """Yield record batches of at most ``batch_rows`` rows, with memory bounded by one row group."""
        import pyarrow.parquet as pq

        wanted = self._columns(columns)
        for shard in self._shards(split):
            with pq.ParquetFile(self._checked(shard)) as file:
                yield from file.iter_batches(batch_size=batch_rows, columns=wanted)

    def arrow(self, split: str | None = None, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows as one Arrow table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = self._columns(columns)
        tables = [pq.read_table(self._checked(shard), columns=wanted, partitioning=None) for shard in self._shards(split)]
        return pa.concat_tables(tables)

    def polars(self, split: str | None = None, *, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the rows as a polars frame."""
        import polars as pl

        frame = pl.from_arrow(self.arrow(split, columns=columns))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def pandas(self, split: str | None = None, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows as a pandas frame."""
        frame: pd.DataFrame = self.arrow(split, columns=columns).to_pandas()
        return frame

    def _columns(self, columns: Sequence[str] | None) -> list[str] | None:
        for column in columns or ():
            if column not in self.columns:
                raise SchemaError.column(column, self.columns, where=f"release {self.manifest.name}@{self.manifest.version}")
        return list(columns) if columns is not None else None

    def _shards(self, split: str | None) -> list[Shard]:
        if split is not None and split not in self.splits:
            raise NotFound.among("split", split, self.splits, where=f"release {self.manifest.name}@{self.manifest.version}")
        return [shard for shard in self.manifest.shards if split in (None, shard.split)]

    def _checked(self, shard: Shard) -> Path:
        """Return the path of a shard whose bytes are what the manifest says."""
        path = self.folder / shard.path
        if shard.path not in self._whole:
            if not path.is_file() or file_sha256(path) != shard.sha256:
                raise VerificationFailed(
                    f"{shard.path} is missing or has other bytes than the manifest states",
                    where=str(self.folder),
                    next="run datalab verify on it, then pull the release again",
                )
            self._whole.add(shard.path)
        return path

    def __getstate__(self) -> dict[str, Any]:
        """Pickle as folder and manifest; hashes are checked anew where it arrives."""
        return {"folder": self.folder, "manifest": self.manifest, "_whole": set()}


def _ended(until: str) -> bool:
    """Whether the moment ``until`` has passed; what cannot be read has passed."""
    moment = interval(until)
    return moment is None or datetime.now(UTC) >= moment[1]


def _home() -> Path:
    settings = find_settings()
    return settings.path(settings.home)
