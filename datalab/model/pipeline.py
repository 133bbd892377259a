"""The pipeline a steward writes: an immutable value that says what, for whom, why, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from datalab.errors import UsageError
from datalab.model.canonical import describe, digest
from datalab.model.step import GenerateStep, Step

if TYPE_CHECKING:
    from datalab.model.summary import RunSummary

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why the data is used: a coded IRI (W3C DPV or ODRL vocabulary) and the same in words (GDPR art. 5(1)(b))."""

    code: str
    text: str
    commercial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the rows come from: ``connector:dataset-id``, or a path of the steward's own with an attestation.

    ``read`` are options of the reader: ``format``, ``table`` (of a format with several), ``delimiter``, ``encoding``,
    ``decimal``, ``columns``; what is not given is detected and recorded in the plan.
    """

    dataset: str
    distribution: str = ""
    read: Mapping[str, str] = field(default_factory=dict)
    attestation: str = ""
    """For a file of the steward's own: the signed statement of why it may be used. It becomes the agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Shares of the splits, and the columns whose equal values must stay together (a subject, an entity).

    Rows that are equal in ``together`` always fall into one split; without ``together``, equal rows do. The assignment is
    a keyed hash, so that it needs no pass over the data and stays put when rows are added.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: {"train": 0.8, "validation": 0.1, "test": 0.1})
    together: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        together: object = self.together
        if isinstance(together, str):
            object.__setattr__(self, "together", (together,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How a release looks: licence (SPDX), size of the shards, order of the rows, and the statements that only a person can give.

    ``order`` is ``"source"`` (as the rows came) or ``"shuffled"`` (the order for training: random, decided by the pipeline's seed, the same
    on every machine). Shards have ``rows_per_shard`` rows or, where ``bytes_per_shard`` is given, about so many bytes in memory (Arrow);
    their files are smaller, because they are compressed.
    """

    licence: str
    description: str
    rows_per_shard: int = 50_000
    bytes_per_shard: int = 0
    order: Literal["source", "shuffled"] = "source"
    creator: str = "Data Lab"
    keywords: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    statements: Mapping[str, str] = field(default_factory=dict)
    """Human statements by obligation id (for example ``AIA-10-2d``); the report names those still missing."""

    def __post_init__(self) -> None:
        if self.bytes_per_shard < 0:
            raise UsageError("bytes_per_shard is negative", where="Release(bytes_per_shard=…)", next="0 means: cut by rows")
        if self.order not in {"source", "shuffled"}:
            raise UsageError(
                f"{self.order!r} is not an order of rows", where="Release(order=…)", next="write 'source' or 'shuffled'"
            )


RETENTION = "P180D"
"""How long landing, quarantine and sidecars are kept where a pipeline does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A data-preparation pipeline. Frozen: it can be printed, diffed, fingerprinted and run without any orchestrator.

    ``retention`` is an ISO 8601 duration for landing, quarantine and sidecars, counted from the run.
    ``quarantine_limit`` is the share of the rows read that may be quarantined before the release is withheld.
    ``expectations`` names a Great Expectations suite: ``expectations/NAME.json``.
    """

    name: str
    title: str
    owner: str
    purpose: Purpose
    legal_basis: str
    source: Source
    steps: Sequence[Step]
    release: Release
    references: Mapping[str, Source] = field(default_factory=dict)
    splits: Splits = field(default_factory=Splits)
    expectations: str = ""
    retention: str = RETENTION
    quarantine_limit: float = 0.01
    seed: int = 0
    part_rows: int = 32_768

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} is not a pipeline name",
                where="Pipeline(name=…)",
                next="use lower-case words joined by hyphens, for example 'company-register'",
            )
        object.__setattr__(self, "steps", tuple(self.steps))
        for position, step in enumerate(self.steps):
            where = f"pipeline {self.name}, step {position + 1}"
            if not isinstance(step, Step):
                raise UsageError(
                    f"{step!r} is not a step", where=where, next="write for example clean.Required('id'), with its brackets"
                )
            if isinstance(step, GenerateStep) and position != len(self.steps) - 1:
                raise UsageError("a step that generates rows must be the last", where=where, next="move it to the end of steps")
        shares = self.splits.shares
        if not shares or not all(share > 0 for share in shares.values()) or not abs(sum(shares.values()) - 1) <= 1e-9:
            raise UsageError("the shares of the splits must be positive and add up to 1", where=f"pipeline {self.name}, splits")
        for split in shares:
            if not _NAME.fullmatch(split):  # it becomes a folder of the release
                raise UsageError(
                    f"{split!r} is not a name for a split", where=f"pipeline {self.name}, splits", next="for example 'train'"
                )
        for what, rows in (("part_rows", self.part_rows), ("release.rows_per_shard", self.release.rows_per_shard)):
            if rows < 1:
                raise UsageError(f"{what} is {rows}", where=f"pipeline {self.name}", next="give a number of rows, at least 1")

    @property
    def labels(self) -> tuple[str, ...]:
        """One label per step, unique in the pipeline: its place and its name, for example ``03 cleaning.required``."""
        return tuple(f"{place:02d} {step.name}" for place, step in enumerate(self.steps, start=1))

    @property
    def fingerprint(self) -> str:
        """Digest of everything that decides the result, and of everything a reviewer approves."""
        return digest(describe(self))

    def run(self, **options: object) -> RunSummary:
        """Run the pipeline in the lab found from the current folder; the same as ``datalab run NAME``."""
        from datalab.lab import run_pipeline  # the one lazy import upwards: a convenience for scripts and notebooks

        return run_pipeline(self, **options)  # type: ignore[arg-type]
