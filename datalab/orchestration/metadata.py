"""Metadata of the materialisations: row counts, schemas, column lineage, and tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from datalab.engine.lineage import compose
from datalab.lab.acquire import Acquired
from datalab.lab.run import Begun
from datalab.model.pipeline import Pipeline
from datalab.model.receipt import Rows
from datalab.model.step import Service
from datalab.model.summary import RunSummary
from datalab.orchestration.story import StepRows, Story

if TYPE_CHECKING:
    import polars as pl

Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring steps of one service: what one asset stands for. ``first`` and ``last`` are places in the pipeline's list."""

    name: str
    service: Service
    first: int
    last: int


def stretches(pipeline: Pipeline) -> list[Stretch]:
    """Cut the steps where the service changes; a service that comes back is numbered: ``standardisation-2``."""
    found: list[Stretch] = []
    for place, step in enumerate(pipeline.steps):
        if found and found[-1].service == step.service:
            found[-1] = Stretch(found[-1].name, step.service, found[-1].first, place)
            continue
        before = sum(item.service == step.service for item in found)
        found.append(Stretch(f"{step.service}-{before + 1}" if before else str(step.service), step.service, place, place))
    return found


def of_source(begun: Begun) -> Metadata:
    """Describe what was acquired and what is planned."""
    plan, acquired = begun.plan, begun.acquired
    return {
        "objects": len(acquired.objects),
        "bytes": sum(item.bytes for item in acquired.objects),
        "landed": _table(("object", "format", "bytes", "sha256"), _objects(acquired)),
        "agreements": _table(
            ("agreement", "kind", "provider", "agreed at", "valid until"),
            [(item.id, item.kind, item.provider, item.agreed_at, item.valid_until or "no end") for item in acquired.agreements],
        ),
        "dagster/column_schema": column_schema(plan.schema_in),
        **_links(begun),
        "plan in full": dg.MetadataValue.json(plan.as_json()),
    }


def of_intake(begun: Begun, story: Story, source: dg.AssetKey) -> Metadata:
    """Describe what reading the source's objects came to."""
    rows, columns = story.intake, begun.plan.schema_in.names()
    return {
        "dagster/row_count": rows.kept,
        **_rows(rows.rows_in, rows.kept, 0, rows.rows_dropped, rows.rows_quarantined),
        "rows left out": _left_out([("reading", *_flat(rows))]),
        "dagster/column_schema": column_schema(begun.plan.schema_in),
        "dagster/column_lineage": column_lineage({name: [(source, name)] for name in columns}),
        **_links(begun),
    }


def of_stretch(begun: Begun, story: Story, stretch: Stretch, upstream: dg.AssetKey) -> Metadata:
    """Describe what a service's steps made of the rows."""
    plan = begun.plan
    steps = story.steps[stretch.first : stretch.last + 1]
    before = plan.bound[stretch.first - 1].schema if stretch.first else plan.schema_in
    bound = [(plan.labels[place], plan.bound[place]) for place in range(stretch.first, stretch.last + 1)]
    origins = compose(before.names(), bound)
    schema = plan.bound[stretch.last].schema
    return {
        "dagster/row_count": steps[-1].rows_out,
        **_rows(
            steps[0].rows_in,
            steps[-1].rows_out,
            sum(step.generated for step in steps),
            sum(sum(step.dropped.values()) for step in steps),
            sum(sum(step.quarantined.values()) for step in steps),
        ),
        "rows through the steps": _table(
            ("step", "rows in", "generated", "dropped", "quarantined", "rows out"), [_step_row(step) for step in steps]
        ),
        "rows left out": _left_out([(step.label, step.dropped, step.quarantined) for step in steps]),
        "counts": _table(
            ("step", "what", "number"), [(step.label, name, n) for step in steps for name, n in step.counts.items()]
        ),
        "dagster/column_schema": column_schema(schema, {origin.column: origin.description for origin in origins}),
        "dagster/column_lineage": column_lineage(
            {origin.column: [(upstream, name) for name in origin.inputs] for origin in origins}
        ),
        **_links(begun),
    }


def of_candidate(begun: Begun, story: Story, summary: RunSummary, upstream: dg.AssetKey) -> Metadata:
    """Describe the candidate."""
    plan, done = begun.plan, story.done
    columns = plan.schema_out.names()
    rows = summary.rows
    return {
        "dagster/row_count": rows.kept,
        **_rows(rows.rows_in, rows.kept, rows.generated, rows.rows_dropped, rows.rows_quarantined),
        "status": summary.status,
        "digest": summary.digest,
        "splits": _table(("split", "rows"), sorted(done.get("splits", {}).items())),
        "shards": summary.shards,
        "bytes": int(done.get("bytes", 0)),
        "folder": dg.MetadataValue.path(summary.candidate),
        "checks passed": f"{sum(ok for _, ok in summary.checks)} of {len(summary.checks)}",
        "dagster/column_schema": column_schema(plan.schema_out, {item.column: item.description for item in plan.lineage}),
        "dagster/column_lineage": column_lineage({name: [(upstream, name)] for name in columns}),
        "next": f"read the report; then a named person approves it: the job approve, or datalab approve {summary.pipeline}",
        **_links(begun),
    }


def column_schema(schema: pl.Schema, descriptions: Mapping[str, str] | None = None) -> dg.TableSchema:
    """Return a polars schema as Dagster shows it."""
    texts = descriptions or {}
    return dg.TableSchema(columns=[dg.TableColumn(name, str(kind), texts.get(name) or None) for name, kind in schema.items()])


def column_lineage(inputs: Mapping[str, Iterable[tuple[dg.AssetKey, str]]]) -> dg.TableColumnLineage:
    """Return column lineage as Dagster shows it, from (asset, column) pairs by column."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=key, column_name=name) for key, name in pairs]
            for column, pairs in inputs.items()
        }
    )


def _rows(rows_in: int, rows_out: int, generated: int, dropped: int, quarantined: int) -> Metadata:
    more = {"rows generated": generated} if generated else {}
    return {"rows in": rows_in, **more, "rows dropped": dropped, "rows quarantined": quarantined, "rows out": rows_out}


def _links(begun: Begun) -> Metadata:
    return {"plan": begun.plan.id, "run folder": dg.MetadataValue.path(str(begun.folder.root))}


def _flat(rows: Rows) -> tuple[dict[str, int], dict[str, int]]:
    def flat(tally: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        return {word: number for words in tally.values() for word, number in words.items()}

    return flat(rows.dropped), flat(rows.quarantined)


def _step_row(step: StepRows) -> tuple[Any, ...]:
    dropped, quarantined = sum(step.dropped.values()), sum(step.quarantined.values())
    return (step.label, step.rows_in, step.generated, dropped, quarantined, step.rows_out)


def _left_out(steps: Iterable[tuple[str, Mapping[str, int], Mapping[str, int]]]) -> dg.MarkdownMetadataValue:
    lines: list[tuple[Any, ...]] = []
    for label, dropped, quarantined in steps:
        lines += [(label, "dropped", reason, number) for reason, number in dropped.items()]
        lines += [(label, "quarantined", code, number) for code, number in quarantined.items()]
    return _table(("step", "what became of them", "why", "rows"), lines)


def _objects(acquired: Acquired) -> list[tuple[Any, ...]]:
    return [(item.title, item.format, item.bytes, item.sha256) for item in acquired.objects]


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """Return a markdown table; "none" where it has no row."""
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return dg.MetadataValue.md("none")
    return dg.MetadataValue.md("\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *lines]))


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
