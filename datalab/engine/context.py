"""What a worker lends to a step: the seed, secrets by name, reference tables loaded once per process."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from datalab.errors import NotFound, UsageError
from datalab.model.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from datalab.engine.folder import RunFolder
    from datalab.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The context of one part (`datalab.model.step.Context`)."""

    seed: int
    part: int
    plan: Plan
    folder: RunFolder
    lent: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Of references that are not given whole, what this part asked for."""

    def secret(self, name: str) -> bytes:
        """Return a secret; it is read from its reference in this process and nowhere kept."""
        return _secret(self.plan.settings, name)

    def reference(self, name: str) -> pl.DataFrame:
        """Return a reference table of the pipeline."""
        if name in self.lent:
            return self.lent[name]
        if name in self.plan.exchanged:
            raise UsageError(
                f"reference {name!r} is too large to be given whole to every worker",
                where=f"pipeline {self.plan.pipeline.name}",
                next="join it with enrich.Join, or raise [engine] reference_mb if workers have the memory",
            )
        if name not in self.plan.references:
            raise NotFound.among("reference", name, self.plan.references, where=f"pipeline {self.plan.pipeline.name}")
        return _reference(self.folder, name)


def _secret(settings: Settings, name: str) -> bytes:
    return settings.secret(name)


@functools.lru_cache(maxsize=8)
def _reference(folder: RunFolder, name: str) -> pl.DataFrame:
    return folder.read_rows(f"references/{name}.arrow")
