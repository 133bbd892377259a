"""A small release, published for real: three shards in two splits, a card and a nested file beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalab.kernels.content import release_digest, schema_description, table_digest
from datalab.model.manifest import Manifest, Shard
from datalab.ports.durable import file_sha256
from datalab.staging.layout import Store
from datalab.staging.publish import publish

SPLITS = (("train", 40), ("train", 25), ("test", 10))


@dataclasses.dataclass
class Press:
    """Makes releases under ``home``; ``staged`` holds the shards they are made from."""

    home: Path

    @property
    def store(self) -> Store:
        return Store(self.home)

    @property
    def staged(self) -> Path:
        return self.home / "staged"

    def shards(self, start: int = 0) -> dict[str, Path]:
        """Write the shards of one content; return them by their path in the release."""
        folder = self.staged / str(start)
        found: dict[str, Path] = {}
        numbers: dict[str, int] = {}
        for split, rows in SPLITS:
            number = numbers.setdefault(split, 0)
            numbers[split] += 1
            name = f"data/{split}/part-{number:05d}.parquet"
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            ids = list(range(start, start + rows))
            table = pa.table({"id": pa.array(ids, pa.int64()), "name": [f"name {n}" if n % 3 else None for n in ids]})
            pq.write_table(table, path, row_group_size=16)
            found[name] = path
            start += rows
        return found

    def manifest(self, shards: dict[str, Path], files: dict[str, dict[str, Any]], **changes: Any) -> Manifest:
        """Describe shards and files truly, except for ``changes``."""
        described = []
        for name, path in shards.items():
            table = pq.read_table(path)
            size = path.stat().st_size
            described.append(Shard(name, name.split("/")[1], table.num_rows, size, file_sha256(path), table_digest(table)))
        schema = schema_description(pq.read_schema(next(iter(shards.values()))))
        made = Manifest(
            name="bicycles",
            version="1",
            digest=release_digest(schema, [(item.split, item.rows, item.content) for item in described]),
            title="Bicycles",
            licence="CC0-1.0",
            schema=tuple(schema),
            shards=tuple(described),
            files=files,
            rows={"rows_in": 75, "generated": 0, "kept": 75, "dropped": {}, "quarantined": {}},
            lineage={"plan": "p", "pipeline": "f", "agreements": [], "sources": [], "ledger": {"sequence": 0, "hash": ""}},
            terms={"in_words": ["Say where it is from."], "valid_until": "", "policies": []},
        )
        return dataclasses.replace(made, **changes)

    def publish(
        self,
        target: Path | None = None,
        *,
        start: int = 0,
        write: Callable[[Path], None] | None = None,
        describe: Callable[[Manifest], Manifest] = lambda made: made,
        **changes: Any,
    ) -> Path:
        """Publish a release with version ``changes['version']`` (1) and return its folder."""
        target = target or self.store.release("bicycles", int(changes.get("version", "1") or 0))
        shards = self.shards(start)
        publish(target, shards, write or _write_cards, lambda files: describe(self.manifest(shards, files, **changes)))
        return target


def _write_cards(folder: Path) -> None:
    (folder / "README.md").write_text("# Bicycles\n")
    (folder / "TERMS.md").write_text("Say where it is from.\n")
    (folder / "governance").mkdir()
    (folder / "governance" / "checks.json").write_text('{"success": true}\n')


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(tmp_path / "home")


@pytest.fixture
def release(press: Press) -> Path:
    return press.publish()
