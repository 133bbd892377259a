"""A second look at the rows to be released: what personal data the detectors still find in them, counted by kind, never shown.

Only for pipelines that scrub. All rows of every text column are looked at, in the pass that writes the shards; what a step promised to
remove and what is there nevertheless is judged by the gate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from datalab.engine.plan import Plan
from datalab.model.step import IDENTITY, Service
from datalab.services.scrubbing.promises import promised
from datalab.services.scrubbing.scanning import scan
from datalab.services.scrubbing.text import Text

FACT = "residue"


@dataclass(frozen=True, slots=True)
class Residue:
    """What was found in ``rows`` rows: ``found`` by column and kind, over the text ``columns``. ``shards`` were looked at."""

    shards: int
    rows: int
    columns: tuple[str, ...]
    found: Mapping[str, Mapping[str, int]]


def scrubs(plan: Plan) -> bool:
    """Whether a step of the pipeline is there to remove personal data."""
    return any(step.service == Service.SCRUBBING for step in plan.pipeline.steps)


def residue(plan: Plan, frame: pl.DataFrame) -> dict[str, Any]:
    """Return what one shard adds to its receipt's facts: {residue: {rows, found: {column: {kind: number}}}}, {} without scrubbing."""
    if not scrubs(plan):
        return {}
    found: dict[str, dict[str, int]] = {}
    for series in frame.drop(IDENTITY, strict=False).get_columns():
        texts = list(_texts(series))
        if texts:
            step = _covering(plan, series.name)
            counted: Counter[str] = Counter()
            for part in texts:
                for language, rows in step.by_language(frame) if step and part.len() == frame.height else [(None, None)]:
                    counted.update(scan(part if rows is None else part.gather(rows), language=language))
            found[series.name] = dict(sorted(counted.items()))
    return {FACT: {"rows": frame.height, "found": found}}


def merge_residue(facts: Iterable[Mapping[str, Any]]) -> Residue:
    """Add up the facts of all shards; a shard without a look is not counted."""
    shards = rows = 0
    found: dict[str, Counter[str]] = {}
    for fact in facts:
        if FACT in fact:
            shards += 1
            rows += fact[FACT]["rows"]
            for column, kinds in fact[FACT]["found"].items():
                found.setdefault(column, Counter()).update(kinds)
    return Residue(
        shards, rows, tuple(found), {column: dict(sorted(kinds.items())) for column, kinds in found.items() if kinds}
    )


def promises(plan: Plan) -> dict[str, dict[str, str]]:
    """Return the kinds that must not be left in each released column, each with the step that said so.

    A promise covers the columns that the step worked on and what was made of them afterwards, as the column lineage tells.
    """
    columns = frozenset(plan.schema_out.names())
    made: dict[str, dict[str, str]] = {}
    for label, step in zip(plan.labels, plan.pipeline.steps, strict=True):
        kinds = promised(step, columns)
        for origin in plan.lineage:
            if kinds and label in origin.steps:
                made.setdefault(origin.column, {}).update(dict.fromkeys(sorted(kinds), label))
    return made


def _covering(plan: Plan, column: str) -> Text | None:
    """Return the last text step that shaped a released column: it knows the language of its rows."""
    origin = next((item for item in plan.lineage if item.column == column), None)
    found = None
    for label, step in zip(plan.labels, plan.pipeline.steps, strict=True):
        if isinstance(step, Text) and origin is not None and label in origin.steps:
            found = step
    return found


def _texts(series: pl.Series) -> Iterator[pl.Series]:
    """Yield the texts in a column, those in lists and structures included."""
    kind = series.dtype
    if kind == pl.String:
        yield series
    elif isinstance(kind, (pl.Categorical, pl.Enum)):
        yield series.cast(pl.String)
    elif isinstance(kind, (pl.List, pl.Array)):
        yield from _texts(series.explode())
    elif isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from _texts(series.struct.field(field.name))
