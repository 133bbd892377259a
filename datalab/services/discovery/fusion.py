"""One ranking of several: Reciprocal Rank Fusion (Cormack, Clarke, Büttcher: SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from datalab.services.discovery.index import Found

K = 60
"""How little the first places are preferred; the paper's value."""


def fuse(*rankings: Sequence[Found]) -> list[Found]:
    """Return everything in any of the ``rankings`` (each best first), best first.

    A dataset's score is the sum of 1 / (60 + its place) over the rankings, as a share of what the first of all would have: 1 is first in
    all, about 0.5 first in one of two. What scores of rankings mean plays no part, so they need not be comparable. Why a dataset
    was found (``by``) is what any ranking says.
    """
    found: dict[tuple[str, str], Found] = {}
    sums: dict[tuple[str, str], float] = {}
    for ranking in rankings:
        for place, one in enumerate(ranking, 1):
            name = (one.catalogue, one.dataset)
            before = found.setdefault(name, one)
            by = tuple(dict.fromkeys((*before.by, *one.by)))
            found[name] = replace(before, by=by, similarity=max(before.similarity, one.similarity))
            sums[name] = sums.get(name, 0.0) + 1 / (K + place)
    most = len(rankings) / (K + 1)
    order = sorted(found, key=lambda name: (-sums[name], -found[name].similarity, name))
    return [replace(found[name], score=round(sums[name] / most, 4)) for name in order]
