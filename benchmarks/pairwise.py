"""A step that finds pairs, driven by hand in memory: what a script would do that uses the step without the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from datalab.model.step import Keys, PairStep

_PAIRS = 4_096


def fallen(step: PairStep, made: Sequence[Keys], context: Any = None) -> pl.DataFrame:
    """Return the identity of the rows that ``step`` drops, given its keys of all batches in the order of the rows."""
    import numpy as np
    import polars as pl

    from datalab.kernels.components import Forest
    from datalab.model.step import IDENTITY, OTHER

    gone = [keys.certain.select(IDENTITY) for keys in made if keys.certain is not None]
    evidence = pl.concat([keys.evidence for keys in made if keys.evidence is not None])
    candidates = step.reduce(pl.concat([keys.rows for keys in made]).sort("key", *IDENTITY), context).unique()
    nodes = evidence.select(IDENTITY).with_row_index("node")
    left, right = (
        candidates.join(nodes, left_on=names, right_on=IDENTITY, how="left", maintain_order="left")["node"].to_numpy()
        for names in (OTHER, IDENTITY)
    )
    holds = candidates["sure"].to_numpy().copy()
    asked = np.flatnonzero(~holds)
    for start in range(0, len(asked), _PAIRS):
        some = asked[start : start + _PAIRS]
        holds[some] = step.confirm(evidence[left[some]], evidence[right[some]]).to_numpy()
    forest = Forest(np.arange(nodes.height, dtype=np.int64))
    forest.join(left[holds].astype(np.int64), right[holds].astype(np.int64))
    smallest = forest.roots(np.arange(nodes.height))
    return pl.concat([*gone, nodes.filter(pl.Series(smallest != np.arange(nodes.height))).select(IDENTITY)])
