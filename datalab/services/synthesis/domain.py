"""What may be said of one column: the values or ranges that at least k rows share, and codes for them.

A column is cut into *cells* (a value, or a range between two quantiles) and neighbouring cells are grouped into *bins*. A
model learns bins, as small integers; decoding draws a cell within the bin by its share, then a value within the cell. Values
that fewer than k rows share have no cell of their own: a rare category is merged into one suppressed code that is never
emitted, a rare number counts as its nearest frequent neighbour, and the k - 1 most extreme numbers do not widen the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from datalab.errors import SchemaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 32
SINGLE_VALUES = 128
"""Up to so many frequent numbers get a bin each; more are grouped into about ``BINS`` bins. Small tables get fewer: a bin
should hold about ``BIN_ROWS`` rows, or the model remembers rows rather than learns how they are spread."""
BIN_ROWS = 100
CELLS = 2_048
CATEGORIES = 5_000
ENOUGH_ROWS = 200
"""Below this many rows nothing is refused by its statistics: the privacy gate withholds such a table anyway."""
_GRID_COVERAGE = 0.95
_TAIL = (0.002, 0.01, 0.99, 0.998)


@dataclass(frozen=True, slots=True)
class Domain:
    """The codes of one column: ``bins`` values or ranges, then "suppressed" (if any category is rare), then "missing".

    ``labels`` are the categories of a text or boolean column, one bin each; for numbers, dates and times it is empty and
    cell i reaches from ``lows[i]`` to ``highs[i]`` (equal for a single value) with the share ``weights[i]``. Bin b starts
    at cell ``starts[b]``; a number x falls into the bin whose entry in ``edges`` is the last one <= x. Integers are held as
    distances from ``origin`` in multiples of ``step``; ``step`` is 0 for floats, which are rounded to ``decimals``.
    """

    name: str
    labels: tuple[str, ...]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    weights: NDArray[np.float64]
    starts: NDArray[np.int64]
    edges: NDArray[np.float64]
    origin: int
    step: int
    decimals: int
    suppressed: bool
    missing: bool

    @property
    def bins(self) -> int:
        """Number of codes that stand for values."""
        return len(self.labels) or len(self.starts)

    @property
    def size(self) -> int:
        """Number of codes in all."""
        return self.bins + self.suppressed + self.missing

    @property
    def emitted(self) -> NDArray[np.bool_]:
        """Mask over the codes: which may appear in generated rows."""
        mask = np.ones(self.size, dtype=np.bool_)
        if self.suppressed:
            mask[self.bins] = False
        return mask

    def encode(self, column: pl.Series) -> NDArray[np.int32]:
        """Return the code of every row. Values never seen count as suppressed, or as their nearest neighbour."""
        if is_label(column.dtype):
            return self._encode_labels(column)
        values, present = numbers(column, self.origin, as_integer=self.step > 0)
        codes = np.full(len(values), self.size - 1, dtype=np.int32)
        if self.bins:
            found = np.searchsorted(self.edges, values[present], side="right") - 1
            codes[present] = np.clip(found, 0, self.bins - 1)
        return codes

    def _encode_labels(self, column: pl.Series) -> NDArray[np.int32]:
        # With nothing rare in training, a value first seen later has no code of its own: it counts as the last one.
        other = self.bins if self.suppressed else self.size - 1
        text = as_text(column)
        codes = (
            text.replace_strict(list(self.labels), list(range(len(self.labels))), default=other, return_dtype=pl.Int32)
            if self.labels
            else pl.repeat(other, len(text), dtype=pl.Int32, eager=True)
        )
        if self.missing:
            codes = codes.set(text.is_null(), self.size - 1)
        return codes.to_numpy().astype(np.int32)

    def decode(self, codes: NDArray[np.int32], places: NDArray[np.float64], dtype: pl.DataType) -> pl.Series:
        """Return a column of ``dtype`` for ``codes``; ``places`` in [0, 1) say where in its bin each value lies."""
        present = codes < self.bins
        if is_label(dtype):
            lookup = pl.Series(self.name, [*self.labels, None], dtype=pl.String)
            if dtype == pl.Boolean:
                lookup = lookup == "true"
            return lookup.gather(np.where(present, codes, len(self.labels))).cast(dtype).alias(self.name)
        values = np.zeros(len(codes))
        values[present] = self._place(codes[present], places[present])
        return self.series(values, present, dtype)

    def series(self, values: NDArray[np.float64], present: NDArray[np.bool_], dtype: pl.DataType) -> pl.Series:
        """Return numbers counted from the origin as a column of ``dtype`` on the grid of the real one; null where not present."""
        blank = pl.Series(~present)
        if not self.step:
            return pl.Series(self.name, np.round(values, self.decimals)).set(blank, None).cast(dtype)
        whole = np.round(values / self.step).astype(np.int64) * self.step + self.origin
        series = pl.Series(self.name, whole).set(blank, None)
        if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
            return series.cast(pl.Datetime("us", dtype.time_zone)).dt.cast_time_unit("ns")
        return series.cast(pl.Int32).cast(dtype) if dtype == pl.Date else series.cast(dtype)

    def _place(self, codes: NDArray[np.int32], places: NDArray[np.float64]) -> NDArray[np.float64]:
        bounds = np.concatenate(([0.0], np.cumsum(self.weights)))
        ends = np.append(self.starts[1:], len(self.lows))
        first, last = bounds[self.starts[codes]], bounds[ends[codes]]
        position = first + places * (last - first)
        cells = np.clip(np.searchsorted(bounds, position, side="right") - 1, self.starts[codes], ends[codes] - 1)
        share = np.clip((position - bounds[cells]) / self.weights[cells], 0.0, 1.0)
        placed: NDArray[np.float64] = self.lows[cells] + share * (self.highs[cells] - self.lows[cells])
        return placed


def is_label(dtype: pl.DataType) -> bool:
    """Whether the values of ``dtype`` are names rather than places on a scale."""
    return dtype in {pl.String, pl.Boolean, pl.Null} or isinstance(dtype, (pl.Enum, pl.Categorical))


def is_real(dtype: pl.DataType) -> bool:
    """Whether ``dtype`` holds numbers with a fraction."""
    return dtype.is_float() or dtype.is_decimal()


def is_learnable(dtype: pl.DataType) -> bool:
    """Whether columns of ``dtype`` can be learnt: text, booleans, numbers of up to 64 bits, dates and times."""
    if dtype.is_integer():
        return dtype not in {pl.Int128, pl.UInt128}
    return is_label(dtype) or is_real(dtype) or dtype.is_temporal()


def as_text(column: pl.Series) -> pl.Series:
    """Return the labels of ``column`` as text; booleans become ``true`` and ``false``."""
    return column.cast(pl.String)


def numbers(column: pl.Series, origin: int, *, as_integer: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values of a number, date or time column as floats (minus ``origin``) and a mask of those that are there.

    NaN and the infinities count as missing.
    """
    if as_integer:
        whole = whole_numbers(column)
        present = whole.is_not_null().to_numpy()
        return (whole.fill_null(origin).to_numpy() - np.int64(origin)).astype(np.float64), present
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    present = np.isfinite(values)
    return np.where(present, values, 0.0), present


def learn(column: pl.Series, people: pl.Series | None, *, rare: int, measure: bool, where: str) -> Domain:
    """Learn the domain of one column from the training rows; refuse what identifies, naming the column and not its values.

    ``rare`` is the number of people that must share a value; ``people`` says whose row each is, None that every row is one
    person's. ``measure`` says that nearly unique whole numbers are a quantity.
    """
    if is_label(column.dtype):
        return _learn_labels(column, people, rare=rare, where=where)
    as_integer = not is_real(column.dtype)
    origin, step = _scale(column, where) if as_integer else (0, 0)
    values, present = numbers(column, origin, as_integer=as_integer)
    values = values[present]
    shared = tally(pl.Series(values), people.filter(pl.Series(present)) if people is not None else None)
    low, high = bounds(pl.Series(values), people.filter(pl.Series(present)) if people is not None else None, rare)
    values = np.sort(values)
    decimals = 0 if as_integer else _decimals(values)
    if len(values) >= ENOUGH_ROWS and not measure and (column.dtype.is_integer() or (decimals == 0 and not as_integer)):
        refuse_identifier(column.name, shared.height, len(values), where, number=True)
    lows, highs, weights, starts, edges = _cells(values, shared, (low, high), rare)
    return Domain(
        column.name, (), lows, highs, weights, starts, edges, origin, step, decimals,
        suppressed=False, missing=bool(not present.all() or not len(starts)),
    )  # fmt: skip


def refuse_identifier(name: str, distinct: int, rows: int, where: str, *, number: bool = False) -> None:
    """Raise ``SchemaError`` when more than 90 % of ``rows`` values of a column are different."""
    if distinct <= 0.9 * rows:
        return
    hint = f"write exclude=({name!r},)"
    if number:
        hint += f", or measures=({name!r},) if it is a quantity and names nobody"
    raise SchemaError(f"column {name!r} is nearly unique: it identifies rows and cannot be learnt", where=where, next=hint)


def tally(column: pl.Series, people: pl.Series | None) -> pl.DataFrame:
    """Return ``value``, ``rows`` and ``people`` of each value that is there, sorted by value."""
    frame = pl.DataFrame([column.alias("value"), *([] if people is None else [people.alias("who")])])
    who = pl.len() if people is None else pl.col("who").n_unique()
    return frame.drop_nulls("value").group_by("value").agg(pl.len().alias("rows"), who.alias("people")).sort("value")


def bounds(column: pl.Series, people: pl.Series | None, rare: int) -> tuple[float, float]:
    """Return the lowest number that ``rare`` people reach from below, and the highest that as many reach from above.

    (inf, -inf) if there are not so many people.
    """
    low = high = column.drop_nulls()
    if people is not None:
        frame = pl.DataFrame([column.alias("value"), people.alias("who")]).drop_nulls("value")
        ends = frame.group_by("who").agg(pl.col("value").min().alias("low"), pl.col("value").max().alias("high"))
        low, high = ends["low"], ends["high"]
    if len(low) < rare:
        return float("inf"), float("-inf")
    return low.sort()[rare - 1], high.sort(descending=True)[rare - 1]


def _learn_labels(column: pl.Series, people: pl.Series | None, *, rare: int, where: str) -> Domain:
    text = as_text(column)
    shared = tally(text, people)
    text, counts = text.drop_nulls(), shared["rows"].to_numpy()
    few = shared["people"].to_numpy() < rare
    if len(text) >= ENOUGH_ROWS and column.dtype != pl.Boolean:
        hint = f"write exclude=({column.name!r},), or make fewer categories of it first"
        refuse_identifier(column.name, len(counts), len(text), where)
        if len(counts) > CATEGORIES:
            problem = f"column {column.name!r} has {len(counts)} categories, more than {CATEGORIES}: it reads as free text"
            raise SchemaError(problem, where=where, next=hint)
        if 2 * counts[few].sum() > len(text):
            problem = f"most rows of column {column.name!r} hold a value that fewer than {rare} people share"
            raise SchemaError(problem, where=where, next=hint)
    labels = tuple(shared.filter(~few)["value"].to_list())
    none = np.empty(0)
    return Domain(
        column.name, labels, none, none, none, np.empty(0, dtype=np.int64), none, 0, 0, 0,
        suppressed=len(labels) < len(counts), missing=bool(column.null_count() or not labels),
    )  # fmt: skip


def _cells(
    values: NDArray[np.float64], shared: pl.DataFrame, reach: tuple[float, float], rare: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Cut sorted ``values`` into (lows, highs, weights, starts, edges): single values where they repeat, else quantiles."""
    distinct, counts = shared["value"].to_numpy(), shared["rows"].to_numpy()
    frequent = shared["people"].to_numpy() >= rare
    if frequent.any() and frequent.sum() <= CATEGORIES and counts[frequent].sum() >= _GRID_COVERAGE * len(values):
        grid = distinct[frequent]
        borders = np.append(-np.inf, (grid[1:] + grid[:-1]) / 2)
        nearest = np.searchsorted(borders, distinct, side="right") - 1
        weights = np.bincount(nearest, weights=counts, minlength=len(grid)) / len(values)
        few = len(grid) <= min(SINGLE_VALUES, max(8, 2 * len(values) // BIN_ROWS))
        starts = np.arange(len(grid)) if few else _grouped(weights, len(values))
        return grid, grid, weights, starts, borders[starts]
    # Trimmed at both ends: a range that k people reach says nothing about the one who reaches furthest.
    trimmed = values[(values >= reach[0]) & (values <= reach[1])]
    cells = min(CELLS, len(trimmed) // rare)
    if cells < 1:
        empty = np.empty(0)
        return empty, empty, empty, np.empty(0, dtype=np.int64), empty
    knots = trimmed[np.linspace(0, len(trimmed) - 1, cells + 1).astype(np.int64)]
    lows, highs, weights = knots[:-1], knots[1:], np.full(cells, 1 / cells)
    edges = np.unique(lows[_grouped(weights, len(values))])
    following = np.searchsorted(lows, edges, side="right")  # the value after a repeated one gets a bin of its own
    repeated = (following - np.searchsorted(lows, edges, side="left") > cells / BINS) & (following < cells)
    edges = np.union1d(edges, lows[following[repeated]])
    return lows, highs, weights, np.searchsorted(lows, edges, side="left"), edges


def _grouped(weights: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
    """Return the first cell of each of at most about ``BINS`` groups of equal share, with finer ones at the tails if full."""
    middle = np.cumsum(weights) - weights / 2
    bins = int(np.clip(rows // BIN_ROWS, 4, BINS))
    borders = np.union1d(np.arange(bins + 1) / bins, [tail for tail in _TAIL if min(tail, 1 - tail) * rows >= BIN_ROWS / 2])
    group = np.searchsorted(borders, middle, side="right")
    return np.flatnonzero(np.append(True, group[1:] != group[:-1]))


def whole_numbers(column: pl.Series) -> pl.Series:
    """Return integers, dates and times as Int64; raise polars' error for larger numbers.

    Times in nanoseconds become microseconds, which is as fine as anybody needs.
    """
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_unit == "ns":
        column = column.dt.cast_time_unit("us")
    return column.to_physical().cast(pl.Int64)


def _scale(column: pl.Series, where: str) -> tuple[int, int]:
    """Return the smallest value and the greatest common divisor of all distances from it."""
    problem = SchemaError(
        f"column {column.name!r} holds whole numbers too large to be a quantity: they read as identifiers or hashes",
        where=where,
        next=f"write exclude=({column.name!r},)",
    )
    try:
        whole = whole_numbers(column).drop_nulls()
    except pl.exceptions.InvalidOperationError:
        raise problem from None
    if whole.is_empty():
        return 0, 1
    low, high = int(whole.min()), int(whole.max())  # type: ignore[arg-type]
    if high - low >= 2**62:
        raise problem
    return low, int(np.gcd.reduce((whole.to_numpy() - np.int64(low)).ravel())) or 1


def _decimals(values: NDArray[np.float64]) -> int:
    """Return how many decimals at least 99 % of ``values`` keep to (0-6), or as many as a thousandth of the spread needs."""
    peak = float(np.abs(values).max()) if len(values) else 0.0
    if not peak:
        return 0
    room = int(300 - np.ceil(np.log10(peak)))  # rounding multiplies: it must stay within the range of a float
    for decimals in range(min(6, room) + 1):
        if np.mean(np.abs(values - np.round(values, decimals)) <= 1e-9 * np.abs(values)) >= 0.99:
            return decimals
    spread = float(np.quantile(values, 0.75) - np.quantile(values, 0.25)) or peak
    return int(min(np.ceil(3 - np.log10(spread)), room))


def as_plain(domain: Domain) -> dict[str, Any]:
    """Return what of a domain is not an array, as plain JSON."""
    return {
        "name": domain.name,
        "labels": list(domain.labels),
        "origin": domain.origin,
        "step": domain.step,
        "decimals": domain.decimals,
        "suppressed": domain.suppressed,
        "missing": domain.missing,
    }
