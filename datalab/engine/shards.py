"""The last pass: shards of a fixed number of rows, their provenance, their content digest, and the expectations on them."""

from __future__ import annotations

import time
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datalab.engine.exchange import map_batch, read_batch, write_partitioned
from datalab.engine.folder import RunFolder, writing
from datalab.engine.plan import Plan
from datalab.engine.records import write_identity_table
from datalab.engine.residue import residue
from datalab.engine.task import Task
from datalab.engine.worker import READ, WRITE, Costs, measured
from datalab.kernels.content import schema_description, table_digest
from datalab.model.receipt import Receipt, Rows
from datalab.model.sidecar import provenance_schema
from datalab.model.step import IDENTITY
from datalab.ports.pieces import PieceFile
from datalab.quality import compile_suite
from datalab.services.discovery import profile_batch

_ROW_GROUP = 8_192
DIGEST, CHECKS, PROFILE, RESIDUE = "content digest", "expectations", "profile", "second look"
"""What the last pass does beside reading and writing, in the costs of its receipts."""


def shard_name(split: str, number: int) -> str:
    """Return the path of a shard in the release."""
    return f"data/{split}/part-{number:05d}.parquet"


def write_shard(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Write one shard.

    ``detail``: ``split`` (name), ``place`` (its number among the splits), ``number`` (of the shard in the split), ``pieces``
    ([file, base, first, count] each, counted among the file's rows of this split; with a ``base``, the file says at which places of
    that one the rows stand), ``partitions``.
    """
    started = time.perf_counter()
    split, number = task.detail["split"], task.detail["number"]
    costs = Costs()
    with costs.of(READ):
        rows = pa.concat_tables([_piece(plan, folder, task.detail["place"], *piece) for piece in task.detail["pieces"]])
        identity, table = rows.select(list(IDENTITY)), rows.drop_columns(list(IDENTITY))
    name = f"out/{shard_name(split, number)}"
    with costs.of(WRITE):
        _write_parquet(folder, name, table)
        files = {
            "shard": folder.refer(name, table.num_rows),
            "provenance": write_identity_table(
                folder, f"provenance/{split}-{number:05d}.parquet", identity.cast(provenance_schema())
            ),
        }
    with costs.of(DIGEST):
        content = table_digest(table)
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    frame = frame.cast({name: kind for name, kind in plan.schema_out.items() if frame.schema[name] != kind})
    facts: dict[str, Any] = {
        "split": split,
        "number": number,
        "content": content,
        "schema": schema_description(table.schema),
    }
    with costs.of(PROFILE):
        facts["profile"] = profile_batch(frame)
    with costs.of(RESIDUE, frame):
        facts |= residue(plan, frame)
    if plan.suite is not None:
        checks = compile_suite(plan.suite, plan.schema_out)
        with costs.of(CHECKS, frame):
            facts["partial"] = checks.partial(frame, task.part)
            if checks.keyed:
                place = (pl.col("key") % task.detail["partitions"]).cast(pl.UInt32)
                keys = f"keys/{task.stage:02d}/{task.part:06d}.arrow"
                files["keys"] = write_partitioned(folder, keys, checks.keys(frame), place, task.detail["partitions"])
            if checks.outside:
                files["sample"] = folder.write_rows(f"samples/{task.part:06d}.arrow", checks.sample(frame))
    receipt = Receipt(
        plan=plan.id,
        phase=task.stage,
        part=task.part,
        rows=Rows(rows_in=table.num_rows, kept=table.num_rows),
        files=files,
        facts=facts,
        attempt=task.attempt,
    )
    return measured(receipt, started, costs)


def _piece(plan: Plan, folder: RunFolder, place: int, name: str, base: str, first: int, count: int) -> pa.Table:
    """Return rows of one file, copied once: the file is mapped no longer than that, or a shard of few rows of many would hold them all."""
    rows = map_batch(folder.path(name), place).select(pl.all().gather(pl.int_range(first, first + count)))
    if base:
        rows = folder.read_rows(base).select(*IDENTITY, *plan.schema_out)[rows.to_series()]
    return plain_table(rows)


def plain_table(frame: pl.DataFrame) -> pa.Table:
    """Return ``frame`` in plain string and list types that every Arrow reader knows."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(pa.schema([pa.field(item.name, _plain(item.type)) for item in table.schema]))


def reduce_unique(plan: Plan, folder: RunFolder, task: Task) -> Receipt:
    """Reduce one partition of the uniqueness checks' keys. ``detail``: ``keys``, the key files of all shards."""
    started = time.perf_counter()
    assert plan.suite is not None
    checks = compile_suite(plan.suite, plan.schema_out)
    keys = pl.concat([read_batch(folder.path(name), task.part) for name in task.detail["keys"]])
    facts = {"unique": checks.reduce_keys(keys)}
    return measured(Receipt(plan.id, task.stage, task.part, Rows(), {}, facts=facts, attempt=task.attempt), started)


def _write_parquet(folder: RunFolder, name: str, table: pa.Table) -> None:
    with writing(folder.path(name)) as temporary, PieceFile(temporary) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=3,
            row_group_size=_ROW_GROUP,
            write_page_index=True,
            use_content_defined_chunking=True,
        )


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(pa.field("item", _plain(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(item.name, _plain(item.type)) for item in kind])
    if pa.types.is_dictionary(kind):
        return pa.string()
    return kind
