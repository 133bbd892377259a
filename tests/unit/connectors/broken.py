"""One thing wrong with a message, everywhere in it."""

from __future__ import annotations

import copy


def mutations(body, *more):
    """Yield place, change and the changed copy, for every place of a message; ``more`` values to put there."""
    for way in _places(body):
        for change in ("drop", 7, None, [], {}, *more):
            broken = copy.deepcopy(body)
            parent = broken
            for step in way[:-1]:
                parent = parent[step]
            if change == "drop":
                del parent[way[-1]]
            else:
                parent[way[-1]] = change
            yield way, change, broken


def _places(value, way=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict):
            yield (*way, key)
        yield from _places(item, (*way, key))
