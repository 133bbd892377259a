"""A sample: rows drawn by their identity, so that the same rows are drawn on every machine and for every cut of the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from datalab.errors import UsageError
from datalab.kernels.hashing import hash_rows
from datalab.model.step import IDENTITY, ROW, SOURCE, Bound, Context, KeyedStep, Keys, Service
from datalab.services.binding import require_columns
from datalab.services.cleaning.reasons import as_names

_SALT = 0x53414D50
_DRAWN = {"stratum": pl.UInt64, "key": pl.UInt64, SOURCE: pl.UInt32, ROW: pl.UInt64}


@dataclass(frozen=True, slots=True)
class Sample(KeyedStep):
    """Keep a random sample of the rows; the others are dropped (``not-in-sample``).

    Either a ``share`` of the rows (each row is drawn or not by itself: the same share of every value, and what was drawn stays drawn
    when rows are added), or exactly ``rows`` rows: of all, or of each value in the columns ``by`` (all rows of a value that has
    fewer; null is a value). The draw is decided by the pipeline's seed and the rows' identities. ``rows`` times the values in
    ``by`` must fit into a worker, at about 60 bytes each; the data need not.
    """

    service: ClassVar[Service] = Service.CLEANING
    row_bytes: ClassVar[int] = 32

    share: float = 0.0
    rows: int = 0
    by: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", as_names(self.by, step=self.name) if self.by else ())
        if (self.share > 0) == (self.rows > 0) or not 0 <= self.share <= 1 or self.rows < 0:
            raise UsageError(
                "a sample is a share between 0 and 1, or a number of rows",
                where=self.name,
                next="write clean.Sample(share=0.1) or clean.Sample(rows=1000)",
            )
        if self.share and self.by:
            raise UsageError(
                "a share takes the same share of every value by itself",
                where=f"{self.name}, by",
                next="leave by= out, or give rows=, the number of each value",
            )

    @property
    def exchanges(self) -> bool:
        """A share needs no other rows."""
        return self.rows > 0

    def bind(self, schema: pl.Schema) -> Bound:
        """Require the columns."""
        require_columns(schema, self.by, step=self.name)
        return Bound(schema, reads=frozenset(self.by))

    def keys(self, frame: pl.DataFrame, context: Context) -> Keys:
        """Return the rows of this batch that can be drawn at all, with the number that decides."""
        drawn = self._drawn(frame, context)
        if not self.rows:
            out = drawn.filter(pl.col("key") >= _bound(self.share)) if self.share < 1 else drawn.head(0)
            return Keys(drawn.head(0), _left_out(out))
        best = self._best(drawn)
        return Keys(best, _left_out(drawn.join(best, on=list(IDENTITY), how="anti", maintain_order="left")))

    def reduce(self, keys: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return those that can still be drawn."""
        return self._best(keys.select(list(_DRAWN)))

    def settle(self, findings: Iterable[pl.DataFrame], context: Context) -> pl.DataFrame:
        """Return the last row that is drawn of each value that has more than enough."""
        best = pl.DataFrame(schema=_DRAWN)
        for table in findings:
            best = self._best(pl.concat([best, table]))
        full = best.filter(pl.len().over("stratum") >= self.rows)
        last = full.sort("key", *IDENTITY).unique("stratum", keep="last", maintain_order=True)
        return last.select("stratum", pl.col("key").alias("last_key"), _PLACE.alias("last_place"))

    def judge(self, frame: pl.DataFrame, settled: pl.DataFrame, context: Context) -> pl.Series:
        """Leave out what comes after the last that is drawn."""
        limits = self._drawn(frame, context).join(settled, on="stratum", how="left", maintain_order="left")
        equal = pl.col("key") == pl.col("last_key")
        after = (pl.col("key") > pl.col("last_key")) | (equal & (pl.col("last_place") < _PLACE))
        return limits.select(pl.when(after).then(pl.lit("not-in-sample")).alias("reason")).to_series()

    def _drawn(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        seed = context.seed + _SALT
        stratum = hash_rows(frame, self.by, seed) if self.by else pl.Series(np.zeros(frame.height, dtype=np.uint64))
        return frame.select(stratum.alias("stratum"), hash_rows(frame, IDENTITY, seed).alias("key"), *IDENTITY)

    def _best(self, drawn: pl.DataFrame) -> pl.DataFrame:
        if not self.by:
            return drawn.sort("key", *IDENTITY).head(self.rows)
        ordered = drawn.sort("stratum", "key", *IDENTITY)
        return ordered.filter(pl.int_range(pl.len()).over("stratum") < self.rows)


_PLACE = pl.col(SOURCE).cast(pl.UInt64) * (1 << 44) + pl.col(ROW)


def _bound(share: float) -> int:
    return min(round(share * (1 << 64)), (1 << 64) - 1)


def _left_out(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(*IDENTITY, pl.lit("not-in-sample").alias("reason"))
