"""The steps of a pipeline: what a step declares before the run, and what it answers for one batch.

Between steps a batch is a polars frame (Arrow memory; entering and leaving costs nothing). Every batch carries two extra
columns that steps neither see in their schema nor touch: ``SOURCE`` and ``ROW``, the identity of each row.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import polars as pl

SOURCE = "_dl_source"
"""UInt32: ordinal of the source object (or of the fitted model, for a synthetic row)."""
ROW = "_dl_row"
"""UInt64: ordinal of the record in its source object, counted from 0, malformed records included."""
IDENTITY = (SOURCE, ROW)


class Service(enum.StrEnum):
    """The Data Lab services that a step can belong to."""

    STANDARDISATION = "standardisation"
    CLEANING = "cleaning"
    SCRUBBING = "scrubbing"
    ENRICHMENT = "enrichment"
    SYNTHESIS = "synthesis"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Derivation:
    """How one output column comes about: its input columns and what is done to them.

    ``kind`` is the OpenLineage transformation subtype: IDENTITY, TRANSFORMATION, AGGREGATION, JOIN, FILTER …
    ``masking`` is true where personal data is removed or hidden on the way.
    """

    inputs: tuple[str, ...]
    kind: str = "TRANSFORMATION"
    description: str = ""
    masking: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A step fitted to a schema before any data is read.

    ``schema`` is the output schema without the identity columns. ``derivations`` lists the columns that the step writes;
    all others pass through unchanged. ``reads`` are the columns the step looks at (a filter reads without writing).
    """

    schema: pl.Schema
    derivations: Mapping[str, Derivation] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a step for one batch of n rows. Only the runtime removes rows; a step says which and why.

    ``frame`` has n rows in the order they came. ``dropped`` and ``quarantined`` are string series of length n, null where
    the row stays; a dropped row carries a reason, a quarantined one an error code (a row has at most one of the two;
    quarantine wins). Reasons and codes are short, stable, lower-case kebab words and hold no value of the data.
    ``counts`` are facts to add up over the run (repairs made, entities found), name to number.
    """

    frame: pl.DataFrame
    dropped: pl.Series | None = None
    quarantined: pl.Series | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class Context(Protocol):
    """What the runtime lends to a step while it works on one part."""

    @property
    def seed(self) -> int:
        """Seed of the plan: the only source of randomness, together with the row identity."""

    @property
    def part(self) -> int:
        """Number of the part."""

    def secret(self, name: str) -> bytes:
        """Return a secret by its configured name; never log it, never put it into an outcome."""

    def reference(self, name: str) -> pl.DataFrame:
        """Return a reference table of the pipeline, loaded once per worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of a pipeline's list: an immutable value, its parameters are its fields.

    ``why`` is the steward's reason; it is printed in the report. ``version`` goes up when the same parameters give other
    results: it is part of the plan's fingerprint.
    """

    service: ClassVar[Service] = Service.CUSTOM
    version: ClassVar[int] = 1

    why: str = ""

    @property
    def name(self) -> str:
        """``service.step`` in kebab case, for example ``cleaning.duplicates-by-key``."""
        words = "".join(f"-{char.lower()}" if char.isupper() else char for char in type(self).__name__)
        return f"{self.service}.{words.strip('-')}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets the step will ask for; the plan checks that they exist and records their key ids."""
        return ()

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit the step to ``schema``; raise ``SchemaError`` where they do not go together."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MapStep(Step):
    """A step that looks at one row at a time (though it works on batches): any cut into batches gives the same rows."""

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Work on one batch. Pure: same frame and context, same outcome."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Keys:
    """What a keyed step makes of one batch.

    ``rows``: narrow key rows, see `KeyedStep.keys`. ``certain``: identity and ``reason`` of rows that fall whatever the rest of the
    data holds (a better row of the same key is in the batch): they are dropped at once, and must have no key rows, so that
    one key of a million rows costs no partition more than another. ``evidence`` is for a `PairStep`.
    """

    rows: pl.DataFrame
    certain: pl.DataFrame | None = None
    evidence: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedStep(Step):
    """A step that compares rows across the whole dataset, by narrow keys: it decides which rows to drop.

    The runtime calls ``keys`` on every batch, sends each key row to partition ``key % partitions``, calls ``reduce`` on each
    whole partition, ``settle`` once over all results, and drops the rows named there. Without a ``settle`` of its own, what
    ``reduce`` returns are the verdicts, and nobody ever holds all of them.
    """

    row_bytes: ClassVar[int] = 128
    """About how many bytes of key rows one row yields: it decides the number of partitions, never the result."""

    @property
    def exchanges(self) -> bool:
        """Whether rows need to meet at all; a step that is certain of every row by itself has no key rows to send."""
        return True

    @property
    def settles(self) -> bool:
        """Whether the step turns findings into verdicts by looking at all of them."""
        return type(self).settle is not KeyedStep.settle

    @property
    def judges(self) -> bool:
        """Whether the step judges the rows of each part by a settled table, for which they keep the columns it reads."""
        return type(self).judge is not KeyedStep.judge

    def keys(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame | Keys:
        """Return narrow key rows: ``key`` (UInt64), the identity columns, and whatever ``reduce`` needs to confirm.

        A row may yield none, one or several key rows. A plain frame is short for `Keys` with that frame.
        """
        raise NotImplementedError

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return findings for one partition, whose key rows come sorted by (key, source, row).

        A step without `settle` returns verdicts: the identity columns and ``reason``, for each row to drop.
        """
        raise NotImplementedError

    def settle(self, findings: Iterable[pl.DataFrame], context: Context) -> pl.DataFrame:
        """Turn the findings of all partitions into verdicts: identity columns and ``reason``, one per dropped row.

        A table without identity columns goes whole to every part, for a `judge` of the step's own.
        """
        import polars as pl

        tables = [table for table in findings if table.height]
        if not tables:
            return pl.DataFrame(schema={SOURCE: pl.UInt32, ROW: pl.UInt64, "reason": pl.String})
        return pl.concat(tables).unique(subset=list(IDENTITY), keep="first", maintain_order=True)

    def judge(self, frame: pl.DataFrame, settled: pl.DataFrame, context: Context) -> pl.Series:
        """Return the reason for each row of ``frame`` (null: it stays), where ``settle`` gave a table without identity columns."""
        raise NotImplementedError


OTHER = ("_dl_other_source", "_dl_other_row")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairStep(KeyedStep):
    """A keyed step that finds pairs of rows that belong together; of each group (all that pairs connect) one row stays.

    ``keys`` also gives evidence: per row that may be paired the identity, ``weight`` (UInt32: its size), whatever ``confirm`` needs, and,
    where not the first row of a group is to stay, ``rank`` (UInt64: the smallest stays, the smallest identity among equals).
    ``reduce`` returns candidates: the identity, ``OTHER`` (a smaller identity) and ``sure`` (Boolean: it needs no confirmation).
    """

    reason: ClassVar[str] = ""

    def confirm(self, left: pl.DataFrame, right: pl.DataFrame) -> pl.Series:
        """Say for each pair of evidence rows (in the same order) whether it is one (Boolean)."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupStep(MapStep):
    """A MapStep that needs of a reference only the entries of its own rows: it then need not fit into memory.

    ``apply`` takes the table from ``context.reference(self.reference)``. Where that is too large to be lent whole, the runtime sends
    ``asks`` of every batch and ``entries`` of the reference to the same partitions, and lends each batch what ``answers`` found.
    """

    @property
    def source(self) -> str:
        """Name of the reference."""
        raise NotImplementedError

    def asks(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the distinct keys of a batch: ``key`` (UInt64), the identity of one row that has it, the key itself."""
        raise NotImplementedError

    def entries(self, table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
        """Return rows of the reference as ``key`` (UInt64) and what ``answers`` needs; ``schema`` is that of the batches."""
        raise NotImplementedError

    def answers(self, asks: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
        """Return the identity of each ask that has an entry with the entry's columns, named as in the reference."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Fitted:
    """A generative model fitted to real rows. ``model`` is sensitive: it never leaves the lab.

    ``privacy`` holds the privacy gate's results, one entry per test: name, value and threshold (as decimal text),
    ``passed``. ``quality`` holds figures for the report, as decimal text. ``details`` describe engine and parameters.
    """

    model: bytes = field(repr=False)
    schema: pl.Schema
    rows: int
    privacy: tuple[PrivacyTest, ...]
    quality: Mapping[str, str]
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PrivacyTest:
    """One test of the privacy gate. A single one that did not pass blocks the release."""

    name: str
    value: str
    threshold: str
    passed: bool
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateStep(Step):
    """A step that replaces the rows by synthetic ones. It must be the last of its pipeline."""

    def fit(self, frames: Callable[[], Iterator[pl.DataFrame]], context: Context, folder: Path) -> Fitted:
        """Learn from the rows that ``frames()`` yields (it can be called again) and judge the result; ``folder`` is scratch."""
        raise NotImplementedError

    def total(self, rows_in: int) -> int:
        """How many rows to generate, given how many went in."""
        raise NotImplementedError

    def sample(self, fitted: Fitted, start: int, count: int, context: Context) -> pl.DataFrame:
        """Return synthetic rows ``start … start + count - 1``: the same rows however the range is cut."""
        raise NotImplementedError
