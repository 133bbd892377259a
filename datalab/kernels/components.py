"""Connected components: which rows belong together when pairs of them do."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Forest:
    """Groups that grow edge by edge; the root of a group is its smallest node.

    ``parents`` is an int64 array with ``parents[i] == i`` to begin with. It may be a file mapped into memory: edges come in
    batches of any size and are not kept, so that neither nodes nor edges need to fit. The groups do not depend on the order of edges.
    """

    def __init__(self, parents: Array) -> None:
        self.parents = parents

    def roots(self, nodes: Array) -> Array:
        """Return the root of each node, and shorten the way there."""
        at = np.asarray(self.parents[nodes])
        while True:
            above = self.parents[at]
            if np.array_equal(above, at):
                break
            at = above
        self.parents[nodes] = at
        return np.asarray(at)

    def join(self, left: Array, right: Array) -> None:
        """Join the groups of ``left[i]`` and ``right[i]``, for all i."""
        while len(left):
            left, right = self.roots(left), self.roots(right)
            apart = left != right
            left, right = left[apart], right[apart]
            upper = np.maximum(left, right)
            np.minimum.at(self.parents, upper, np.minimum(left, right))
            self._flatten(np.unique(upper))

    def _flatten(self, nodes: Array) -> None:
        """Let nodes that may hang in long chains of each other point to their roots, halving the way in each round."""
        while len(nodes):
            up = self.parents[nodes]
            above = self.parents[up]
            moved = above != up
            self.parents[nodes] = above
            nodes = nodes[moved]
