"""Distances between rows of mixed tables: each row as a short vector, nearest neighbours by blocks of one matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from datalab.services.synthesis.domain import is_label, is_real, numbers, whole_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDTH = 1_024
"""Dimensions for all categories together; a column with more categories than its part folds them."""
_BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Space:
    """Vectors of rows: numbers as z-scores cut at 5 with a flag for missing, categories as indicators of 0.7.

    Two rows that differ in one category are .99 apart, about as far as two numbers one standard deviation apart. Made from
    real rows (training and held back alike), then applied to generated ones.
    """

    schema: pl.Schema
    centre: dict[str, tuple[int, float, float]]
    labels: dict[str, list[str]]
    fold: int

    @classmethod
    def of(cls, real: pl.DataFrame) -> Space:
        """Measure ``real``."""
        centre: dict[str, tuple[int, float, float]] = {}
        labels: dict[str, list[str]] = {}
        for name, dtype in real.schema.items():
            if is_label(dtype):
                labels[name] = real[name].cast(pl.String).drop_nulls().unique().sort().to_list()
            else:
                origin = 0 if is_real(dtype) else int(whole_numbers(real[name]).min() or 0)  # type: ignore[arg-type]
                values, present = numbers(real[name], origin, as_integer=not is_real(dtype))
                centre[name] = (origin, *_moments(values[present]))
        return cls(real.schema, centre, labels, max(8, _WIDTH // max(1, len(labels))))

    def blocks(self, rows: pl.DataFrame) -> dict[str, NDArray[np.float32]]:
        """Return one matrix (rows, dimensions) per column."""
        return {name: self._block(rows[name]) for name in self.schema}

    def vectors(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """Return all columns side by side."""
        return np.hstack(list(self.blocks(rows).values()))

    def _block(self, column: pl.Series) -> NDArray[np.float32]:
        if column.name in self.centre:
            origin, mean, spread = self.centre[column.name]
            values, present = numbers(column, origin, as_integer=not is_real(column.dtype))
            score = np.where(present, np.clip((values - mean) / spread, -5, 5), 0.0)
            return np.column_stack([score, ~present]).astype(np.float32)
        known = self.labels[column.name]
        codes = label_codes(column, known)
        width = min(len(known) + 2, self.fold)
        block = np.zeros((len(codes), width), dtype=np.float32)
        block[np.arange(len(codes)), codes % width] = 0.7
        return block


def label_codes(column: pl.Series, known: list[str]) -> NDArray[np.int64]:
    """Return the place of each value in ``known``; ``len(known)`` for any other, one more for missing."""
    text = column.cast(pl.String)
    if not known:
        return np.where(text.is_null().to_numpy(), 1, 0)
    codes = text.replace_strict(known, list(range(len(known))), default=len(known), return_dtype=pl.Int64)
    return codes.set(text.is_null(), len(known) + 1).to_numpy()


def nearest(points: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Euclidean distance from each of ``points`` to the nearest of ``among``; infinity if there is none."""
    found = np.full(len(points), np.inf, dtype=np.float32)
    if not len(among):
        return found
    squares = np.einsum("ij,ij->i", among, among)
    for at in range(0, len(points), _BLOCK):
        part = points[at : at + _BLOCK]
        product = (squares - 2 * (part @ among.T)).min(axis=1)
        found[at : at + _BLOCK] = np.sqrt(np.maximum(product + np.einsum("ij,ij->i", part, part), 0))
    return found


def _moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard deviation (1 if that is 0) of values whose squares may be too large for a float."""
    peak = float(np.abs(values).max()) if len(values) else 0.0
    if not peak:
        return 0.0, 1.0
    return float((values / peak).mean()) * peak, float((values / peak).std()) * peak or 1.0
