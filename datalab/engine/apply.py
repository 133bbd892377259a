"""Fused steps over one batch: apply, check that the step kept its promises, take out rows with their reasons, isolate poison rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from datalab.engine.columns import carried
from datalab.engine.worker import Costs
from datalab.errors import DatalabError, RunFailed
from datalab.model.step import IDENTITY, ROW, SOURCE, Bound, Context, MapStep, Outcome

MOST_POISON = 256
"""Rows of one batch that may fail one by one in one step before the step itself is taken to be broken."""


@dataclass(slots=True)
class Batch:
    """The rows still on their way, and the records of those taken out. ``absent`` are the columns that were not read."""

    frame: pl.DataFrame
    absent: frozenset[str] = frozenset()
    dropped: list[pl.DataFrame] = field(default_factory=list)
    quarantined: list[pl.DataFrame] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def drop(self, label: str, reasons: pl.Series) -> None:
        """Take out the rows that have a reason."""
        gone = reasons.is_not_null()
        if not gone.any():
            return
        self.dropped.append(self.frame.select(IDENTITY).with_columns(step=pl.lit(label), reason=reasons).filter(gone))
        self.frame = self.frame.filter(~gone)

    def quarantine(self, label: str, codes: pl.Series) -> None:
        """Take out the rows that have an error code, keeping of each row what was read of it."""
        bad = codes.is_not_null()
        if not bad.any():
            return
        rows = self.frame.filter(bad)
        known = [name for name in rows.columns if name not in IDENTITY and name not in self.absent]
        payload = rows.select(pl.struct(known).struct.json_encode() if known else pl.repeat("{}", rows.height)).to_series()
        self.quarantined.append(
            rows.select(IDENTITY).with_columns(
                step=pl.lit(label), code=codes.filter(bad), line=pl.lit(None, pl.UInt64), payload=payload
            )
        )
        self.frame = self.frame.filter(~bad)

    def count(self, label: str, counts: Mapping[str, int]) -> None:
        """Add facts of a step up."""
        if counts:
            mine = self.counts.setdefault(label, {})
            for name, number in counts.items():
                mine[name] = mine.get(name, 0) + int(number)


def apply_steps(batch: Batch, steps: Sequence[tuple[str, MapStep, Bound]], context: Context) -> Batch:
    """Run the labelled, bound steps over the rows of ``batch`` (with identity columns), one after the other; return ``batch``."""
    for label, step, bound in steps:
        with batch.costs.of(label, batch.frame):
            _apply_step(batch, label, step, bound, context)
    return batch


def _apply_step(batch: Batch, label: str, step: MapStep, bound: Bound, context: Context) -> None:
    outcome = _isolating(step, label, batch, context)
    _check_promises(label, bound, batch.frame, outcome)
    batch.count(label, outcome.counts)
    frame, dropped = outcome.frame, outcome.dropped
    if outcome.quarantined is not None:
        stays = outcome.quarantined.is_null()
        batch.quarantine(label, outcome.quarantined)  # with the row as it was before the step
        frame, dropped = frame.filter(stays), dropped.filter(stays) if dropped is not None else None
    batch.frame, batch.absent = frame, carried(batch.absent, bound)
    if dropped is not None:
        batch.drop(label, dropped)


def _isolating(step: MapStep, label: str, batch: Batch, context: Context) -> Outcome:
    """Apply a step; when it fails, halve the batch until single rows fail, quarantine those, and apply it to the rest."""
    try:
        return step.apply(batch.frame, context)
    except (DatalabError, MemoryError):  # a wrong definition, or the worker's limit (`datalab.engine.pool` deals with it)
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - any failure of a step is data or step
        if batch.frame.height == 0:
            raise _broken(label, error) from None
    batch.quarantine(label, _find_poison(step, label, batch.frame, context))
    return step.apply(batch.frame, context)


def _find_poison(step: MapStep, label: str, frame: pl.DataFrame, context: Context) -> pl.Series:
    codes: list[str | None] = [None] * frame.height
    found = 0
    ranges = [(0, frame.height)]
    while ranges:
        start, stop = ranges.pop()
        try:
            step.apply(frame.slice(start, stop - start), context)
        except (DatalabError, MemoryError):
            raise
        except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001
            if stop - start == 1:
                codes[start] = f"error-{_kebab(type(error).__name__)}"
                found += 1
                if found > MOST_POISON:
                    raise _broken(label, error) from None
            else:
                middle = (start + stop) // 2
                ranges += [(start, middle), (middle, stop)]
    if found == 0:
        raise RunFailed(
            f"step {label} fails on a batch but on none of its rows",
            next="a MapStep must give each row the same answer in any batch: correct the step",
        )
    return pl.Series("code", codes, dtype=pl.String)


def _check_promises(label: str, bound: Bound, before: pl.DataFrame, outcome: Outcome) -> None:
    after = outcome.frame
    if after.height != before.height:
        raise RunFailed(
            f"step {label} changed the number of rows itself ({before.height} -> {after.height})",
            next="a step says which rows to drop in Outcome.dropped; the runtime removes them",
        )
    if not (after[SOURCE].equals(before[SOURCE]) and after[ROW].equals(before[ROW])):
        raise RunFailed(f"step {label} changed the identity or the order of rows", next="keep the _dl_ columns as they are")
    visible = {name: kind for name, kind in after.schema.items() if name not in IDENTITY}
    if list(visible.items()) != list(bound.schema.items()):
        raise RunFailed(
            f"step {label} returned columns that it did not declare",
            where=f"declared {_names(bound.schema)}; returned {_names(visible)}",
            next="let bind() and apply() agree on names, types and order",
        )


def _names(schema: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in schema.items())[:400]


def _broken(label: str, error: BaseException) -> RunFailed:
    """Name the failing line of the step, but not the error's text: it may quote the data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return RunFailed(
        f"step {label} fails with {type(error).__name__} on more than {MOST_POISON} rows of one part, or on no row at all",
        where=place,
        next="correct the step or its parameters; finished parts are kept",
    )


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
