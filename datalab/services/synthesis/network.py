"""A Bayesian network over coded columns: greedy structure by mutual information, conditionals with shrinkage.

The structure search is that of PrivBayes (Zhang et al., ACM TODS 42(4), 2017) without its noise: each column in turn takes the
parent that says most about it, then the second that adds most to the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_CELLS = 500_000
ROWS_PER_CASE = 20
"""Rows that a combination of parent codes should have on average: with fewer, a conditional remembers single rows."""
_SCORED_ROWS = 50_000
_CANDIDATES = 8
_MIN_GAIN = 1e-3
"""Nats below which a parent is noise."""
_PRIORS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
"""Pseudo-rows of the next simpler distribution that may be added to each row of a conditional."""


@dataclass(frozen=True, slots=True)
class Network:
    """``order`` of columns; ``parents`` and ``tables`` are in that order.

    A table has one row per combination of parent codes (mixed radix, first parent slowest) and holds cumulative shares over
    the codes of the column, the last one 1; its dtype is float32.
    """

    order: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    tables: tuple[NDArray[np.float32], ...]
    sizes: tuple[int, ...]

    def sample(self, uniforms: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return codes, shape (rows, columns), for ``uniforms`` in [0, 1) of the same shape: one search per column."""
        codes = np.zeros(uniforms.shape, dtype=np.int32)
        for column, parents, table in zip(self.order, self.parents, self.tables, strict=True):
            key = _key(codes, parents, self.sizes)
            steps = (table.astype(np.float64) + np.arange(len(table))[:, None]).ravel()
            # Just below 1, so that adding the key cannot round up into the next row of the table.
            found = np.searchsorted(steps, key + uniforms[:, column] * (1 - 1e-9), side="right")
            codes[:, column] = np.minimum(found - key * table.shape[1], table.shape[1] - 1)
        return codes


def fit_network(codes: NDArray[np.int32], sizes: Sequence[int], emitted: Sequence[NDArray[np.bool_]], degree: int) -> Network:
    """Fit a network to ``codes`` (rows, columns); column i has codes below ``sizes[i]``, emits those in ``emitted[i]``.

    ``degree`` is the most parents a column may have, 0 to 2.
    """
    order, parents = _structure(codes[:_SCORED_ROWS], sizes, degree, len(codes) // ROWS_PER_CASE)
    tables = tuple(
        _conditional(codes, column, chosen, sizes, emitted[column]) for column, chosen in zip(order, parents, strict=True)
    )
    return Network(order, parents, tables, tuple(sizes))


def _structure(
    codes: NDArray[np.int32], sizes: Sequence[int], degree: int, cases: int
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    columns = len(sizes)
    score = np.zeros((columns, columns))
    single = [_entropy(codes[:, i], sizes[i]) for i in range(columns)]
    for i in range(columns if degree else 0):
        for j in range(i):
            if sizes[i] * sizes[j] <= MAX_CELLS:
                joint = _entropy(_key(codes, (i, j), sizes), sizes[i] * sizes[j])
                # Rounded: the last bits of a logarithm differ between machines and must not decide about a tie.
                score[i, j] = score[j, i] = round(single[i] + single[j] - joint, 9)
    order = [min(range(columns), key=lambda i: (-round(float(score[i].sum()), 6), sizes[i], i))]
    parents: list[tuple[int, ...]] = [()]
    left = [i for i in range(columns) if i != order[0]]
    while left:
        part = np.where(np.array([sizes[j] <= cases for j in order]), score[np.ix_(left, order)], 0.0)
        row, place = divmod(int(np.argmax(part)), len(order))
        column, first = left[row], order[place]
        chosen: tuple[int, ...] = ()
        if score[column, first] > _MIN_GAIN:
            chosen = (first,)
            if degree > 1:
                chosen += _second_parent(codes, sizes, column, first, order, score, cases)
        order.append(column)
        parents.append(chosen)
        left.remove(column)
    return tuple(order), tuple(parents)


def _second_parent(
    codes: NDArray[np.int32],
    sizes: Sequence[int],
    column: int,
    first: int,
    placed: Sequence[int],
    score: NDArray[np.float64],
    cases: int,
) -> tuple[int, ...]:
    """Return the placed column that adds most to ``first``: the largest I(column; other | first) among the closest few."""
    able = [j for j in placed if j != first and sizes[first] * sizes[j] * max(1, sizes[column] * cases // MAX_CELLS) <= cases]
    closest = sorted(able, key=lambda j: (-score[column, j], j))[:_CANDIDATES]
    base = _entropy(_key(codes, (column, first), sizes), sizes[column] * sizes[first]) - _entropy(codes[:, first], sizes[first])
    best, gain = -1, _MIN_GAIN
    for other in closest:
        pair = _entropy(_key(codes, (first, other), sizes), sizes[first] * sizes[other])
        triple = _entropy(_key(codes, (column, first, other), sizes), sizes[column] * sizes[first] * sizes[other])
        if round(base - (triple - pair), 9) > gain:
            best, gain = other, round(base - (triple - pair), 9)
    return (best,) if best >= 0 else ()


def _conditional(
    codes: NDArray[np.int32], column: int, parents: tuple[int, ...], sizes: Sequence[int], emitted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    size = sizes[column]
    shares = np.bincount(codes[:, column], minlength=size)[None, :].astype(np.float64)
    shares = (shares + 1e-6) * emitted  # so that a column of which nothing may be said still has a distribution
    shares /= shares.sum()
    for depth in range(1, len(parents) + 1):
        near = parents[:depth]
        rows = int(np.prod([sizes[i] for i in near]))
        counts = np.bincount(_key(codes, (*near, column), sizes), minlength=rows * size).reshape(rows, size) * emitted
        simpler = np.repeat(shares, rows // len(shares), axis=0)
        shares = counts + _prior(counts, simpler) * simpler
        shares /= shares.sum(axis=1, keepdims=True)
    running = np.cumsum(shares, axis=1)
    return (running / running[:, -1:]).astype(np.float32)


def _prior(counts: NDArray[Any], simpler: NDArray[np.float64]) -> float:
    """Return the pseudo-rows with which ``counts`` foretell each row best from all others (leave-one-out likelihood).

    What only single rows say weighs little then, and a parent that says nothing drops out: the model does not remember rows.
    """
    cases, values = np.nonzero(counts)
    here, share = counts[cases, values], simpler[cases, values]
    total = counts.sum(axis=1)[cases]
    scores = [round(float((here * np.log((here - 1 + prior * share) / (total - 1 + prior))).sum()), 6) for prior in _PRIORS]
    return _PRIORS[int(np.argmax(scores))]


def _key(codes: NDArray[np.int32], columns: Sequence[int], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return one number per row for the codes of ``columns``, the first one slowest; zeros for no column."""
    key = np.zeros(len(codes), dtype=np.int64)
    for column in columns:
        key = key * sizes[column] + codes[:, column]
    return key


def _entropy(key: NDArray[np.int32] | NDArray[np.int64], size: int) -> float:
    """Return the entropy of ``key`` in nats with the bias of Miller (1955) for a finite sample corrected."""
    if not len(key):
        return 0.0
    counts = np.bincount(key, minlength=size)
    counts = counts[counts > 0]
    shares = counts / len(key)
    return float(-(shares * np.log(shares)).sum()) + (len(counts) - 1) / (2 * len(key))
