"""Work on distinct values, then gather: what repeats is computed once, where a look at some rows says that it pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

_PROBE = 2048
_FEWEST = 64


@dataclass(frozen=True, slots=True)
class Distinct:
    """A column taken apart: row i holds ``values[places[i]]``. Null is a value like any other."""

    values: pl.Series
    places: pl.Series

    def spread(self, values: pl.Series) -> pl.Series:
        """Return the rows again, of what became of the values."""
        return values.gather(self.places).alias(values.name)

    def rows(self, chosen: pl.Series) -> int:
        """Return how many rows hold one of the values under the mask ``chosen``."""
        return int(
            np.bincount(self.places.to_numpy(), minlength=len(self.values))[chosen.fill_null(value=False).to_numpy()].sum()
        )


def repeats(column: pl.Series) -> bool:
    """Whether of 2,048 rows taken evenly from the column at most half are distinct: then taking it apart pays."""
    if len(column) < _FEWEST:
        return False
    probe = column.gather_every(max(len(column) // _PROBE, 1)).head(_PROBE)
    return probe.n_unique() <= 0.5 * len(probe)


def distinct(text: pl.Series) -> Distinct:
    """Take a String column apart by hash, values in the order of their first row."""
    array = text.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    coded = array.dictionary_encode(null_encoding="encode")
    values = pl.Series(text.name, coded.dictionary, dtype=pl.String)
    return Distinct(values, pl.Series(coded.indices).cast(pl.UInt32))


def over_distinct(text: pl.Series, compute: Callable[[pl.Series], Any]) -> Any:
    """Return ``compute(text)`` (one series, or a tuple of series), computed on distinct values where values repeat.

    ``compute`` must look at each value alone. Nulls are passed like any value.
    """
    if not repeats(text):
        return compute(text)
    apart = distinct(text)
    found = compute(apart.values)
    return tuple(apart.spread(one) for one in found) if isinstance(found, tuple) else apart.spread(found).alias(text.name)
