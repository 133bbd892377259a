"""The plan: a pipeline bound to its sources, cut into stages, fingerprinted, all before the first row is read."""

from __future__ import annotations

import enum
import hmac
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from datalab.engine.columns import needed_columns
from datalab.engine.lineage import ColumnOrigin, compose
from datalab.engine.memory import RowBytes, base_mb, fitting_rows, sample_rows
from datalab.errors import SchemaError, UsageError
from datalab.formats import ReadOptions, schema_of
from datalab.model.agreement import SourceObject
from datalab.model.canonical import describe, digest
from datalab.model.pipeline import Pipeline
from datalab.model.settings import Settings
from datalab.model.step import IDENTITY, Bound, GenerateStep, KeyedStep, LookupStep, MapStep, PairStep, Step

if TYPE_CHECKING:
    import polars as pl

    from datalab.quality import Suite

Keyed = TypeVar("Keyed", bound=Step)
ENGINE_VERSION = 3
"""Goes up when the engine itself gives other results for the same plan."""
SPLIT = "_dl_split"
_SAMPLE_ROWS = 2_000
_PACKED = {".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".parquet"}


class StageKind(enum.StrEnum):
    """What the tasks of a stage do."""

    INTAKE = "intake"
    MAP = "map"
    REDUCE = "reduce"
    CONFIRM = "confirm"
    SETTLE = "settle"
    REFERENCE = "reference"
    FIT = "fit"
    GENERATE = "generate"
    SHUFFLE = "shuffle"
    SHARDS = "shards"
    UNIQUE = "unique"


@dataclass(frozen=True, slots=True)
class Stage:
    """One physical pass. ``steps`` are the places of the fused steps; ``keyed`` the step whose keys it deals with, or None.

    ``place`` is the place of the first step that its rows have still before them, ``reads`` and ``writes`` are the columns that a
    map stage takes in and hands on, the identity apart.
    """

    number: int
    kind: StageKind
    steps: tuple[int, ...] = ()
    keyed: int | None = None
    place: int = 0
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def describe(self, labels: Sequence[str]) -> str:
        """Say in one line what the stage does."""
        what = [" | ".join(labels[step] for step in self.steps)] if self.steps else []
        if self.keyed is not None:
            what.append(("keys for " if self.kind == StageKind.MAP else "") + labels[self.keyed])
        return f"{self.kind}: {'; '.join(what)}" if what else str(self.kind)


@dataclass(frozen=True, slots=True)
class Input:
    """A landed object with the reader options that were given or detected for it."""

    object: SourceObject
    options: ReadOptions


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides the result of a run. ``id`` leaves out names, paths, ports, times and agreement ids."""

    id: str
    pipeline: Pipeline
    inputs: tuple[Input, ...]
    references: Mapping[str, tuple[Input, ...]]
    schema_in: pl.Schema
    bound: tuple[Bound, ...]
    stages: tuple[Stage, ...]
    lineage: tuple[ColumnOrigin, ...]
    suite: Suite | None
    settings: Settings
    key_ids: Mapping[str, str]
    part_rows: int
    """Rows of a part: what the pipeline says, or fewer where more would not fit into a worker's memory."""
    row_bytes: RowBytes
    exchanged: frozenset[str] = frozenset()
    """References too large to be lent whole: their entries meet the rows that ask for them in an exchange."""

    @property
    def schema_read(self) -> pl.Schema:
        """Schema of the columns that are read of the sources."""
        import polars as pl

        return pl.Schema({name: self.schema_in[name] for name in self.stages[1].reads})

    def schema_before(self, stage: Stage) -> pl.Schema:
        """Return the schema of the rows that enter a map stage, columns that are not read included."""
        return self.schema_at(stage.place)

    def schema_at(self, place: int) -> pl.Schema:
        """Return the schema of the rows that the step at ``place`` is given."""
        return self.bound[place - 1].schema if place else self.schema_in

    @property
    def schema_out(self) -> pl.Schema:
        """Schema of the released rows."""
        return self.bound[-1].schema if self.bound else self.schema_in

    @property
    def splitting(self) -> int:
        """Number of the map stage that assigns the splits; 0 where rows are generated, which get theirs when they are made."""
        if any(stage.kind == StageKind.GENERATE for stage in self.stages):
            return 0
        return max(stage.number for stage in self.stages if stage.kind == StageKind.MAP)

    def keyed_step(self, stage: int, kind: type[Keyed]) -> Keyed:
        """Return the step whose keys stage number ``stage`` deals with; it is of ``kind``, or the plan was made wrongly."""
        place = self.stages[stage].keyed
        step = None if place is None else self.pipeline.steps[place]
        assert isinstance(step, kind)
        return step

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the steps."""
        return self.pipeline.labels

    def as_json(self) -> dict[str, Any]:
        """Return the plan for people and for ``datalab plan --json``."""
        return {
            "plan": self.id,
            "pipeline": self.pipeline.name,
            "fingerprint": self.pipeline.fingerprint,
            "sources": [
                {
                    "ordinal": item.object.ordinal,
                    "name": item.object.name,
                    "bytes": item.object.bytes,
                    "sha256": item.object.sha256,
                    "reader": item.options.as_json(),
                }
                for item in self.inputs
            ],
            "schema_in": {name: str(kind) for name, kind in self.schema_in.items()},
            "schema_out": {name: str(kind) for name, kind in self.schema_out.items()},
            "stages": [stage.describe(self.labels) for stage in self.stages],
            "part_rows": self.part_rows,
            "lineage": [origin.as_json() for origin in self.lineage],
            "expectations": len(self.suite.expectations) if self.suite else 0,
            "keys": dict(self.key_ids),
        }


def make_plan(
    pipeline: Pipeline,
    inputs: Sequence[Input],
    references: Mapping[str, Sequence[Input]],
    settings: Settings,
    suite: Suite | None,
) -> Plan:
    """Bind ``pipeline`` to its landed inputs; raise ``UsageError`` (``SchemaError``) where they do not go together."""
    if not inputs:
        raise UsageError("the source has no objects", where=f"pipeline {pipeline.name}", next="look at it with datalab profile")
    schema_in = _common_schema(pipeline, inputs)
    _check_importable(pipeline)
    bound: list[Bound] = []
    schema = schema_in
    for label, step in zip(pipeline.labels, pipeline.steps, strict=True):
        try:
            bound.append(step.bind(schema))
        except SchemaError as error:
            raise SchemaError(error.what, where=f"pipeline {pipeline.name}, {label}", next=error.next) from None
        schema = bound[-1].schema
    _check_splits(pipeline, schema)
    if suite is not None:
        suite.bind(schema)
    needed = needed_columns(schema_in, pipeline.steps, bound)
    row_bytes = sample_rows(inputs)
    part_rows = fitting_rows(pipeline.part_rows, row_bytes.of(needed[0]), settings.worker_memory_mb, base_mb(pipeline.steps))
    key_ids = {
        name: key_id(settings.secret(name)) for name in sorted({name for step in pipeline.steps for name in step.secrets})
    }
    exchanged = _exchanged(pipeline, references, settings)
    return Plan(
        id=_plan_id(pipeline, inputs, references, suite, key_ids, {"part_rows": part_rows, "exchanged": sorted(exchanged)}),
        pipeline=pipeline,
        inputs=tuple(inputs),
        references={name: tuple(items) for name, items in references.items()},
        schema_in=schema_in,
        bound=tuple(bound),
        stages=_stages(pipeline, needed, exchanged),
        lineage=compose(schema_in.names(), list(zip(pipeline.labels, bound, strict=True))),
        suite=suite,
        settings=settings,
        key_ids=key_ids,
        part_rows=part_rows,
        row_bytes=row_bytes,
        exchanged=exchanged,
    )


def key_id(key: bytes) -> str:
    """Name a key without revealing it: the first 16 hex digits of an HMAC under it."""
    return hmac.digest(key, b"datalab key id", "sha256").hex()[:16]


def _common_schema(pipeline: Pipeline, inputs: Sequence[Input]) -> pl.Schema:
    schemas = [schema_of(item.object.path, item.options, _SAMPLE_ROWS) for item in inputs]
    for item, schema in zip(inputs, schemas, strict=True):
        if schema != schemas[0]:
            different = sorted(set(schema.items()) ^ set(schemas[0].items()), key=str)
            raise SchemaError(
                f"the objects of the source have different columns: {', '.join(f'{n}: {t}' for n, t in different[:4])}",
                where=f"pipeline {pipeline.name}, {item.object.name}",
                next="name one table or distribution, or split the source into two pipelines",
            )
    reserved = [name for name in schemas[0].names() if name.startswith("_dl_")]
    if reserved:
        raise SchemaError(f"column {reserved[0]!r} uses the reserved prefix _dl_", where=f"pipeline {pipeline.name}")
    return schemas[0]


def _check_importable(pipeline: Pipeline) -> None:
    """Workers are processes of their own: they must be able to import every step."""
    for label, step in zip(pipeline.labels, pipeline.steps, strict=True):
        if type(step).__module__ == "__main__":
            raise UsageError(
                f"{type(step).__name__} is defined in the script itself, where workers cannot import it",
                where=f"pipeline {pipeline.name}, {label}",
                next="move it to a module, for example into the pipelines folder",
            )


def _check_splits(pipeline: Pipeline, schema: pl.Schema) -> None:
    for column in pipeline.splits.together:
        if column not in schema:
            raise SchemaError.column(column, schema.names(), where=f"pipeline {pipeline.name}, splits.together")
    if not [name for name in schema.names() if name not in IDENTITY]:
        raise SchemaError("no column is left to release", where=f"pipeline {pipeline.name}")


def _exchanged(pipeline: Pipeline, references: Mapping[str, Sequence[Input]], settings: Settings) -> frozenset[str]:
    """Name the references that are looked up and larger than what is lent whole. It decides how, and not what, rows are given."""
    asked = {step.source for step in pipeline.steps if isinstance(step, LookupStep)}
    large = {name for name, items in references.items() if reference_bytes(items) > settings.reference_mb << 20}
    return frozenset(asked & large)


def reference_bytes(items: Sequence[Input]) -> int:
    """Estimate what a reference takes in memory from the size of its files and their form."""
    return sum(item.object.bytes * (8 if item.object.path.suffix.lower() in _PACKED else 1) for item in items)


def _stages(pipeline: Pipeline, needed: Sequence[tuple[str, ...]], exchanged: frozenset[str]) -> tuple[Stage, ...]:
    """Fuse neighbouring row-wise steps into one pass; a keyed step ends a pass, a generating one replaces the rows."""
    stages = [Stage(0, StageKind.INTAKE)]

    def add(kind: StageKind, steps: Sequence[int] = (), keyed: int | None = None) -> None:
        stages.append(Stage(len(stages), kind, tuple(steps), keyed))

    def add_map(stop: int, keyed: int | None = None, after: int | None = None) -> None:
        place = fused[0] if fused else stop
        after = stop if after is None else after
        stages.append(Stage(len(stages), StageKind.MAP, tuple(fused), keyed, place, needed[place], needed[after]))

    fused: list[int] = []
    generate: int | None = None
    for place, step in enumerate(pipeline.steps):
        lookup = isinstance(step, LookupStep) and step.source in exchanged
        if lookup or isinstance(step, KeyedStep):
            handed_on = place + 1 if isinstance(step, KeyedStep) and not step.judges else place
            add_map(place, place, handed_on)
            for kind in _exchange(step):
                add(kind, keyed=place)
            fused = [place] if lookup else []
        elif isinstance(step, MapStep):
            fused.append(place)
        elif isinstance(step, GenerateStep):
            generate = place
        else:
            raise UsageError(
                f"{type(step).__name__} is neither a MapStep, a KeyedStep nor a GenerateStep",
                where=f"pipeline {pipeline.name}, {pipeline.labels[place]}",
            )
    add_map(len(pipeline.steps) if generate is None else generate)
    if generate is not None:
        add(StageKind.FIT, (generate,))
        add(StageKind.GENERATE, (generate,))
    if pipeline.release.order == "shuffled":
        add(StageKind.SHUFFLE)
    add(StageKind.SHARDS)
    add(StageKind.UNIQUE)
    return tuple(stages)


def _exchange(step: Step) -> tuple[StageKind, ...]:
    """Return the stages between the map stage that writes a step's keys and the one that hears what came of them."""
    if isinstance(step, LookupStep):
        return StageKind.REFERENCE, StageKind.REDUCE
    if isinstance(step, PairStep):
        return StageKind.REDUCE, StageKind.CONFIRM, StageKind.SETTLE
    if isinstance(step, KeyedStep) and step.exchanges:
        return (StageKind.REDUCE, StageKind.SETTLE) if step.settles else (StageKind.REDUCE,)
    return ()


def _plan_id(
    pipeline: Pipeline,
    inputs: Sequence[Input],
    references: Mapping[str, Sequence[Input]],
    suite: Suite | None,
    key_ids: Mapping[str, str],
    layout: Mapping[str, Any],
) -> str:
    import polars as pl
    import pyarrow as pa

    def content(items: Sequence[Input]) -> list[list[Any]]:
        return [[item.object.sha256, item.options.as_json()] for item in items]

    return digest(
        {
            "engine": ENGINE_VERSION,
            "pipeline": pipeline.fingerprint,
            "inputs": content(inputs),
            "references": {name: content(items) for name, items in references.items()},
            "suite": digest(describe(suite)) if suite else "",
            "keys": dict(key_ids),
            **layout,
            "libraries": {"polars": pl.__version__, "pyarrow": pa.__version__, "python": platform.python_version_tuple()[1]},
        }
    )[:32]
