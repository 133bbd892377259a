"""The rows to learn from and the rows held back: a bounded uniform sample that does not depend on the order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from datalab.kernels.hashing import hash_array
from datalab.model.step import ROW, SOURCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORDER = "_dl_order"
_GROUP = "_dl_group"


@dataclass(frozen=True, slots=True)
class Intake:
    """``train`` and ``holdout`` hold the learnt columns; the groups are hashes of the subject (or of the row) of each row.

    ``rows`` is the number of rows that went by, of which at most the limit were taken.
    """

    train: pl.DataFrame
    holdout: pl.DataFrame
    train_groups: NDArray[np.uint64]
    holdout_groups: NDArray[np.uint64]
    rows: int


def take(
    frames: Iterable[pl.DataFrame], columns: Sequence[str], *, limit: int, holdout: float, subject: str, seed: int
) -> Intake | None:
    """Take the ``limit`` rows whose identity has the smallest hash, and hold back those whose group hashes below ``holdout``.

    A row's group is the value of ``subject``, so that one person is never on both sides, or the row itself if ``subject`` is
    "" or null there. At most 2 * ``limit`` rows and one frame are in memory. Return None if no frame arrived.
    """
    held: list[pl.DataFrame] = []
    rows = waiting = 0
    schema: pl.Schema | None = None
    for frame in frames:
        rows += frame.height
        kept = _keyed(frame, columns, subject, seed)
        schema = schema or kept.schema
        held.append(kept.cast(dict(schema)))  # type: ignore[arg-type]
        waiting += kept.height
        if waiting >= 2 * limit:
            held = [_smallest(held, limit)]
            waiting = limit
    if schema is None:
        return None
    chosen = _smallest(held, limit)
    group = chosen[_GROUP].to_numpy()
    # The share of the hash range; mixed again so that it says nothing about which rows the limit let through.
    back = mix(group ^ np.uint64(0xD1B54A32D192ED03)) < np.uint64(holdout * 2**64)
    body = chosen.select(columns)
    return Intake(body.filter(~back), body.filter(back), group[~back], group[back], rows)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the output function of SplitMix64 (Steele et al., OOPSLA 2014) of each value, increment included."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _keyed(frame: pl.DataFrame, columns: Sequence[str], subject: str, seed: int) -> pl.DataFrame:
    salt = np.uint64(seed % 2**64)
    source = frame[SOURCE].to_numpy().astype(np.uint64)
    order = mix(mix(source ^ salt) ^ frame[ROW].to_numpy().astype(np.uint64))
    group = order
    if subject:
        group = np.where(frame[subject].is_null().to_numpy(), order, _hashed(frame[subject], int(salt)))
    return frame.select(*columns, SOURCE, ROW, pl.Series(_ORDER, order), pl.Series(_GROUP, group))


def _hashed(column: pl.Series, seed: int) -> NDArray[np.uint64]:
    """Return the hash of the text of each value; equal values, equal hash, in any frame and of any width."""
    return hash_array(column.cast(pl.String).fill_null(""), seed)


def _smallest(held: Sequence[pl.DataFrame], limit: int) -> pl.DataFrame:
    return pl.concat(held).sort(_ORDER, SOURCE, ROW).head(limit)
