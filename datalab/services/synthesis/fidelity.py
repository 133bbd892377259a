"""How well a synthetic table keeps the statistics of the real one: every column alone, and every pair of columns.

The measures are those of sdmetrics' quality report: 1 - the Kolmogorov-Smirnov distance of numbers, 1 - the total variation
distance of categories, and for pairs 1 - half the difference of the correlations or 1 - the total variation distance of the
contingency tables (numbers cut at the deciles of the real rows). 1 is equal; the real rows are the ones held back.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from datalab.services.synthesis.domain import is_label, is_real, numbers, whole_numbers
from datalab.services.synthesis.neighbours import label_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 20_000
_PAIRS = 2_000
_DECILES = np.arange(0.1, 1, 0.1)


def compare(real: pl.DataFrame, generated: pl.DataFrame) -> dict[str, str]:
    """Return the figures as decimal text: ``marginals`` and ``pairs`` (means), ``overall``, and ``column NAME`` for each.

    Empty where there are no rows to compare.
    """
    if not real.height or not generated.height:
        return {}
    real, generated = real.head(_ROWS), generated.head(_ROWS)
    alone = {name: _marginal(real[name], generated[name]) for name in real.columns}
    marginals = float(np.mean(list(alone.values())))
    figures = {"marginals": _text(marginals)}
    together = _pairs(real, generated)
    if together:
        figures["pairs"] = _text(float(np.mean(together)))
        figures["overall"] = _text((marginals + float(np.mean(together))) / 2)
    return figures | {f"column {name}": _text(figure) for name, figure in alone.items()}


def coarse_codes(reference: pl.Series, column: pl.Series) -> NDArray[np.int64]:
    """Return small codes of the values: the decile of ``reference`` a number falls into, the category; one more for missing."""
    if is_label(reference.dtype):
        known = reference.cast(pl.String).drop_nulls().unique().sort().to_list()
        return label_codes(column, known)
    values, present = _aligned(reference, reference)
    if not present.any():
        return np.zeros(len(column), dtype=np.int64)
    edges = np.unique(np.quantile(values[present], _DECILES, method="lower"))
    values, present = _aligned(reference, column)
    return np.where(present, np.searchsorted(edges, values, side="left"), len(edges) + 1)


def _marginal(real: pl.Series, generated: pl.Series) -> float:
    if is_label(real.dtype):
        return 1 - _variation(*(coarse_codes(real, column) for column in (real, generated)))
    (left, has_left), (right, has_right) = _aligned(real, real), _aligned(real, generated)
    missing = abs(float(has_left.mean()) - float(has_right.mean()))
    left, right = np.sort(left[has_left]), np.sort(right[has_right])
    if not len(left) or not len(right):
        return 1 - missing
    places = np.concatenate([left, right])
    steps = [np.searchsorted(values, places, side="right") / len(values) for values in (left, right)]
    return 1 - max(float(np.abs(steps[0] - steps[1]).max()), missing)


def _pairs(real: pl.DataFrame, generated: pl.DataFrame) -> list[float]:
    """Compare the pairs of columns, of very wide tables an even choice of them."""
    pairs = list(combinations(real.columns, 2))
    pairs = pairs[:: -(-len(pairs) // _PAIRS)] if pairs else []
    values = {
        name: (_aligned(real[name], real[name]), _aligned(real[name], generated[name]))
        for name, dtype in real.schema.items()
        if not is_label(dtype)
    }
    codes = {name: (coarse_codes(real[name], real[name]), coarse_codes(real[name], generated[name])) for name in real.columns}
    figures = []
    for one, other in pairs:
        if one in values and other in values:
            correlations = [_correlation(*values[one][side], *values[other][side]) for side in (0, 1)]
            if None not in correlations:
                figures.append(1 - abs(correlations[0] - correlations[1]) / 2)  # type: ignore[operator]
                continue
        width = int(max(part.max() for part in codes[other])) + 1
        figures.append(1 - _variation(*(codes[one][side] * width + codes[other][side] for side in (0, 1))))
    return figures


def _correlation(
    left: NDArray[np.float64], has_left: NDArray[np.bool_], right: NDArray[np.float64], has_right: NDArray[np.bool_]
) -> float | None:
    both = has_left & has_right
    left, right = left[both], right[both]
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    # Divided by the largest, so that squares stay within the range of a float.
    return float(np.corrcoef(left / np.abs(left).max(), right / np.abs(right).max())[0, 1])


def _variation(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    size = int(codes.max()) + 1
    shares = [np.bincount(part, minlength=size) / len(part) for part in (codes[: len(left)], codes[len(left) :])]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _aligned(reference: pl.Series, column: pl.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the numbers of ``column`` counted from the smallest of ``reference``, and which are there."""
    if is_real(reference.dtype):
        return numbers(column, 0, as_integer=False)
    origin = int(whole_numbers(reference).min() or 0)  # type: ignore[arg-type]
    return numbers(column, origin, as_integer=True)


def _text(figure: float) -> str:
    return f"{figure:.4f}"
