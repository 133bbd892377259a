"""A small run to try the engine on: a CSV file of people, steps of every kind, all in a temporary folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab.engine.drive import Executed, execute, locked
from datalab.engine.folder import RunFolder
from datalab.engine.plan import Input, Plan, make_plan
from datalab.engine.pool import Pool
from datalab.engine.task import perform
from datalab.formats import detect
from datalab.model.agreement import SourceObject
from datalab.model.pipeline import Pipeline, Purpose, Release, Source, Splits
from datalab.model.settings import Settings
from datalab.model.step import IDENTITY, Bound, Derivation, KeyedStep, MapStep, Outcome, Service


@dataclass(frozen=True, slots=True)
class Upper(MapStep):
    """Upper-case a column."""

    service: ClassVar[Service] = Service.STANDARDISATION
    column: str

    def bind(self, schema):
        return Bound(schema, {self.column: Derivation((self.column,))})

    def apply(self, frame, context):
        return Outcome(frame.with_columns(pl.col(self.column).str.to_uppercase()), counts={"upper": frame.height})


@dataclass(frozen=True, slots=True)
class DropWhere(MapStep):
    """Drop rows with one value."""

    service: ClassVar[Service] = Service.CLEANING
    column: str
    value: str

    def bind(self, schema):
        return Bound(schema, reads=frozenset({self.column}))

    def apply(self, frame, context):
        reason = frame.select(pl.when(pl.col(self.column) == self.value).then(pl.lit("unwanted")))["literal"]
        return Outcome(frame, dropped=reason)


@dataclass(frozen=True, slots=True)
class Trips(MapStep):
    """Fail in one of several ways on rows whose ``column`` is ``value``: raise, or kill the process."""

    column: str
    value: str
    how: str = "raise"

    def bind(self, schema):
        return Bound(schema)

    def apply(self, frame, context):
        if (frame[self.column] == self.value).any():
            if self.how == "abort":
                os.abort()
            raise ValueError(f"cannot bear {self.value}")
        return Outcome(frame)


@dataclass(frozen=True, slots=True)
class FirstByKey(KeyedStep):
    """Keep the first row of each value."""

    service: ClassVar[Service] = Service.CLEANING
    column: str

    def bind(self, schema):
        return Bound(schema, reads=frozenset({self.column}))

    def keys(self, frame, context):
        return frame.select(*IDENTITY, key=pl.col(self.column).str.len_bytes().cast(pl.UInt64), value=self.column)

    def reduce(self, keys, context):
        late = pl.int_range(pl.len()).over("value") > 0
        return keys.filter(late).select(*IDENTITY, reason=pl.lit("duplicate"))


@dataclass
class Bench:
    """Builds plans and runs them."""

    root: Path

    def plan(self, rows: Iterable[str], steps, **more) -> Plan:
        path = self.root / "people.csv"
        path.write_text("\n".join(["id,name,city", *rows]) + "\n")
        return self.plan_of([path], steps, **more)

    def table(self, frame: pl.DataFrame, steps, *, groups=(200,), **more) -> Plan:
        """Plan over one Parquet file per number in ``groups``: the rows of its row groups; the files share the rows evenly."""
        paths = []
        for place, rows in enumerate(groups):
            share = frame[frame.height * place // len(groups) : frame.height * (place + 1) // len(groups)]
            paths.append(self.root / f"rows-{place}.parquet")
            pq.write_table(share.to_arrow(compat_level=pl.CompatLevel.oldest()), paths[-1], row_group_size=rows)
        return self.plan_of(paths, steps, **more)

    def plan_of(self, paths, steps, *, part_rows=100, suite=None, shards=150, memory_mb=0, **more) -> Plan:
        kind = paths[0].suffix[1:]
        pipeline = Pipeline(
            name="people",
            title="People",
            owner="steward@example.org",
            purpose=Purpose("https://w3id.org/dpv#ResearchAndDevelopment", "testing"),
            legal_basis="eu-gdpr:A6-1-e",
            source=Source(dataset=paths[0].name),
            steps=steps,
            release=Release(licence="CC0-1.0", description="people", rows_per_shard=shards),
            splits=more.pop("splits", Splits(shares={"train": 0.7, "test": 0.3})),
            part_rows=part_rows,
            **more,
        )
        inputs = []
        for ordinal, path in enumerate(paths):
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            source = SourceObject(ordinal, path.name, path, kind, len(data), sha256, "people", "a")
            inputs.append(Input(source, detect(path, {"format": kind})))
        return make_plan(pipeline, inputs, {}, Settings(root=self.root, worker_memory_mb=memory_mb), suite)

    def folder(self, plan: Plan, name="run") -> RunFolder:
        return RunFolder(self.root / name / plan.id)

    def run(self, plan: Plan, *, name="run", workers=1, watcher=None, attempts=2, **limits) -> Executed:
        folder = self.folder(plan, name)
        with locked(folder, lambda: None):
            folder.save_plan(plan)
            with Pool(plan, folder, workers=workers, attempts=attempts, **limits) as pool:
                return execute(plan, folder, pool, watcher or Deaf())

    def here(self, plan: Plan, name="run") -> Executed:
        """Run in this very process: quick, for many small runs."""
        folder = self.folder(plan, name)
        with locked(folder, lambda: None):
            return execute(plan, folder, Here(plan, folder), Deaf())


@dataclass
class Here:
    """Workers that are this process."""

    plan: Plan
    folder: RunFolder

    def run(self, tasks):
        return (perform(self.plan, self.folder, task) for task in tasks)


class Deaf:
    """A watcher that listens to nothing."""

    def stage(self, stage, tasks, done):
        pass

    def receipt(self, stage, receipt):
        pass

    def total(self, stage, rows, counts):
        pass


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


def people(count: int, **special: str) -> list[str]:
    """Return CSV rows; ``special`` maps r<number> to a name."""
    return [f"{n},{special.get(f'r{n}', f'name{n % 97}')},{('Bonn', 'Gent', 'Riga')[n % 3]}" for n in range(count)]


def contents(executed: Executed) -> list[str]:
    """Return the content digests of the shards."""
    return [receipt.facts["content"] for receipt in executed.shards]


def reasons(tally: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Flatten a tally to reason -> count."""
    return {reason: count for words in tally.values() for reason, count in words.items()}
