"""A second look at the rows to be released: what personal data the detectors still find in them, counted by kind, never shown.

Only for pipelines that scrub, in every text column, in the pass that writes the shards. What a step promised to remove is looked for in
all rows: what is there nevertheless is judged by the gate. All else (columns that no step scrubs, kinds that are kept or told by their look
only) is for a person to judge, who needs to know that it is there, not how often: a sample is enough, and costs a fraction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from datalab.engine.plan import Plan
from datalab.model.step import IDENTITY, Service
from datalab.services.scrubbing.catalogue import ALL
from datalab.services.scrubbing.promises import promised
from datalab.services.scrubbing.scanning import scan
from datalab.services.scrubbing.text import Text

FACT = "residue"
_SAMPLE = 1_024
"""Rows of a shard, spread evenly, in which what nobody promised is looked for."""


@dataclass(frozen=True, slots=True)
class Residue:
    """What was ``found`` in ``rows`` rows, by column and kind, over the text ``columns``: promised kinds. ``others`` were found in ``sampled`` of these rows.

    ``shards`` were looked at.
    """

    shards: int
    rows: int
    sampled: int
    columns: tuple[str, ...]
    found: Mapping[str, Mapping[str, int]]
    others: Mapping[str, Mapping[str, int]]


def scrubs(plan: Plan) -> bool:
    """Whether a step of the pipeline is there to remove personal data."""
    return any(step.service == Service.SCRUBBING for step in plan.pipeline.steps)


def residue(plan: Plan, frame: pl.DataFrame) -> dict[str, Any]:
    """Return what one shard adds to its receipt's facts, {} without scrubbing.

    {residue: {rows, found: {column: {kind: number}}, sampled, others: {column: {kind: number}}}}.
    """
    if not scrubs(plan):
        return {}
    found: dict[str, dict[str, int]] = {}
    others: dict[str, dict[str, int]] = {}
    promised_here = promises(plan)
    sample = frame.gather_every(max(1, -(-frame.height // _SAMPLE)))
    for name in frame.columns:
        if name not in IDENTITY and list(_texts(frame.get_column(name))):
            step, wanted = _covering(plan, name), promised_here.get(name, {})
            left = _count(frame, name, step, sorted(wanted)) if wanted else {}
            if left:  # read with all kinds in view, part of a phone number is no identity number
                left = _count(frame, name, step, ALL)
            found[name] = {kind: number for kind, number in left.items() if kind in wanted}
            others[name] = _count(sample, name, step, [kind for kind in ALL if kind not in wanted])
    return {FACT: {"rows": frame.height, "found": found, "sampled": sample.height, "others": others}}


def _count(frame: pl.DataFrame, name: str, step: Text | None, kinds: Sequence[str]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for texts in _texts(frame.get_column(name)):
        parts = step.by_language(frame) if step and texts.len() == frame.height else [(None, None)]
        for language, rows in parts:
            counted.update(scan(texts if rows is None else texts.gather(rows), kinds, language=language))
    return dict(sorted(counted.items()))


def merge_residue(facts: Iterable[Mapping[str, Any]]) -> Residue:
    """Add up the facts of all shards; a shard without a look is not counted."""
    looks = [fact[FACT] for fact in facts if FACT in fact]
    columns = tuple(dict.fromkeys(column for look in looks for column in look["found"]))
    return Residue(
        shards=len(looks),
        rows=sum(look["rows"] for look in looks),
        sampled=sum(look["sampled"] for look in looks),
        columns=columns,
        found=_together(look["found"] for look in looks),
        others=_together(look["others"] for look in looks),
    )


def _together(counts: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    total: dict[str, Counter[str]] = {}
    for one in counts:
        for column, kinds in one.items():
            total.setdefault(column, Counter()).update(kinds)
    return {column: dict(sorted(kinds.items())) for column, kinds in total.items() if kinds}


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
