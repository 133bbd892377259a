"""Connected components: which rows belong together when pairs of them do."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def smallest_of_component(left: Array, right: Array, nodes: int) -> Array:
    """Return for each of ``nodes`` nodes the smallest node it is connected to, given edges ``left[i] - right[i]``."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(left), dtype=np.int8)
    _, labels = connected_components(coo_array((ones, (left, right)), shape=(nodes, nodes)), directed=False)
    _, smallest = np.unique(labels, return_index=True)
    return np.asarray(smallest[labels])
