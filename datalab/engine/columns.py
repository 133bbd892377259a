"""Which columns a pass needs: whatever no step looks at and no release holds is neither read nor carried along.

The columns are followed backwards, from the released ones to the source's. What a step reads or rewrites counts even where its result
is dropped later: the step may drop or quarantine rows because of it. Only a rename hands the question on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from datalab.model.step import Bound, GenerateStep, Step

if TYPE_CHECKING:
    import polars as pl


def needed_columns(schema_in: pl.Schema, steps: Sequence[Step], bound: Sequence[Bound]) -> tuple[tuple[str, ...], ...]:
    """Return the columns needed before each step, and at the end all released ones, in the order of their schemas.

    A step that is no step of ours is taken to look at everything: nobody holds it to what it declares (`@step` does, and `Custom`
    counts as ours). At least one column is always needed, so that there are rows.
    """
    schemas = [schema_in, *(item.schema for item in bound)]
    needed = [tuple(schemas[-1])]
    for place in range(len(steps) - 1, -1, -1):
        before = schemas[place]
        opaque = _is_opaque(steps[place])
        wanted = set(before) if opaque else _before(bound[place], set(needed[0]), set(before))
        needed.insert(0, tuple(name for name in before if name in wanted) or (_narrowest(before),))
    return tuple(needed)


def carried(absent: Iterable[str], bound: Bound) -> frozenset[str]:
    """Return which columns after a step stem from columns that were not read."""
    gone = set(absent)
    if not gone:
        return frozenset()
    stays = {name for name in gone if name in bound.schema and name not in bound.derivations}
    renamed = {
        name
        for name, made in bound.derivations.items()
        if made.kind == "IDENTITY" and gone.issuperset(made.inputs) and made.inputs
    }
    return frozenset(stays | renamed)


def with_absent(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return ``frame`` with columns of nulls for those of ``schema`` that were not read, so that every step sees what it was bound to."""
    import polars as pl

    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    if not missing:
        return frame
    rest = [name for name in frame.columns if name not in schema]
    return frame.with_columns(missing).select(*schema, *rest)


def _before(bound: Bound, after: set[str], before: set[str]) -> set[str]:
    wanted = set(bound.reads)
    for name in bound.schema:
        made = bound.derivations.get(name)
        if made is None:
            wanted |= {name} & after
        elif made.kind != "IDENTITY" or name in after:
            wanted |= set(made.inputs)
    return wanted & before


def _is_opaque(step: Step) -> bool:
    return isinstance(step, GenerateStep) or not type(step).__module__.startswith("datalab.services.")


def _narrowest(schema: pl.Schema) -> str:
    widths = {name: (kind.is_nested(), not (kind.is_numeric() or kind.is_temporal())) for name, kind in schema.items()}
    return min(widths, key=lambda name: widths[name])
