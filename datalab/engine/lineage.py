"""Column lineage, composed over all steps before the run: from each released column back to the source's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from datalab.model.step import Bound, Derivation


@dataclass(frozen=True, slots=True)
class ColumnOrigin:
    """Where a released column comes from: source columns, the steps that shaped it (labels, in order), whether it was masked."""

    column: str
    inputs: tuple[str, ...]
    steps: tuple[str, ...]
    kind: str
    masked: bool
    description: str

    def as_json(self) -> dict[str, Any]:
        """Return the origin as plain JSON."""
        return {
            "column": self.column,
            "inputs": list(self.inputs),
            "steps": list(self.steps),
            "kind": self.kind,
            "masked": self.masked,
            "description": self.description,
        }


def compose(source_columns: Iterable[str], bound: Sequence[tuple[str, Bound]]) -> tuple[ColumnOrigin, ...]:
    """Follow every column through the labelled, bound steps."""
    origins = {
        column: ColumnOrigin(column, (column,), (), "IDENTITY", masked=False, description="") for column in source_columns
    }
    for label, step in bound:
        after: dict[str, ColumnOrigin] = {}
        for column in step.schema.names():
            derivation = step.derivations.get(column)
            if derivation is None:
                after[column] = origins.get(column) or ColumnOrigin(
                    column, (), (label,), "GENERATED", masked=False, description=""
                )
            else:
                after[column] = _derived(column, label, derivation, origins)
        origins = after
    return tuple(origins.values())


def _derived(column: str, label: str, derivation: Derivation, origins: dict[str, ColumnOrigin]) -> ColumnOrigin:
    before = [origins[name] for name in derivation.inputs if name in origins]
    return ColumnOrigin(
        column=column,
        inputs=tuple(dict.fromkeys(name for origin in before for name in origin.inputs)),
        steps=(*dict.fromkeys(step for origin in before for step in origin.steps), label),
        kind=derivation.kind if all(origin.kind == "IDENTITY" for origin in before) else "TRANSFORMATION",
        masked=derivation.masking or any(origin.masked for origin in before),
        description="; ".join(filter(None, [*dict.fromkeys(o.description for o in before), derivation.description])),
    )
