"""Validation in this process: for previews and tests. The engine does the same, with batches and key partitions spread over workers."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from datalab.model.step import ROW, SOURCE
from datalab.quality import gx
from datalab.quality.compile import compile_suite
from datalab.quality.keys import KEYS
from datalab.quality.result import SuiteResult
from datalab.quality.suite import Suite


def validate(frames: Iterable[pl.DataFrame], suite: Suite, schema: pl.Schema, *, cap: int = gx.ROW_CAP) -> SuiteResult:
    """Validate batches of one table against ``suite``. ``schema`` is without identity columns; frames may lack them.

    Keys of unique columns are held in memory: 32 bytes a row for each such expectation.
    """
    checks = compile_suite(suite, schema, cap=cap)
    partials, samples, seen = [], [], 0
    keys = [pl.DataFrame(schema=KEYS)]
    if checks.outside:
        samples.append(_identified(pl.DataFrame(schema=schema), 0).select(SOURCE, ROW, *checks.outside_columns))
    for place, frame in enumerate(frames):
        batch = frame if ROW in frame.columns else _identified(frame, seen)
        seen += frame.height
        partials.append(checks.partial(batch, place))
        keys.append(checks.keys(batch))
        if checks.outside:
            samples = [gx.take_sample([*samples, checks.sample(batch)], cap)]
    state = checks.merge(partials, [checks.reduce_keys(pl.concat(keys))])
    results = checks.evaluate(state, samples[0] if samples else None)
    return SuiteResult(suite.name, tuple(results), state["rows"])


def _identified(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    rows = pl.int_range(first, first + frame.height, dtype=pl.UInt64, eager=True)
    return frame.with_columns(pl.lit(0, dtype=pl.UInt32).alias(SOURCE), rows.alias(ROW))
