"""Which rows may hold an entity at all: said by four short patterns at several GB/s, before anything is looked at closely.

Never wrong about a row that holds one: what `find` does to a text before it matches (typographic forms made plain, zero-width characters
left out) is in the patterns. A letter, digit or sign may stand there as any character outside ASCII, and what stands between digits is none.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from datalab.services.scrubbing.catalogue import EMAIL, IP

_DIGITS = r"[0-9[^\x00-\x7f]]+"
_LABEL = r"[A-Za-z0-9\-[^\x00-\x7f]]+"
_HEX = r"[0-9A-Fa-f[^\x00-\x7f]]*"
_SIGNS: dict[str, tuple[str, ...]] = {
    # what stands between the sign (or its form of full width) and the first full stop of the domain
    EMAIL: (rf"[@\uff20]{_LABEL}[.[^\x00-\x7f]]",),
    # two colons of IPv6, the full stops of IPv4, and the full stop of full width, which counts as one
    IP: (rf"[:\uff1a]{_HEX}[:\uff1a]", rf"\.{_DIGITS}\.{_DIGITS}\.", r"\uff0e"),
}
"""Patterns by entity."""


def may_hold(texts: pl.Series, entities: Collection[str]) -> pl.Series | None:
    """Return whether each text may hold one of ``entities`` (Boolean, false for null); None where this cannot tell faster than a search."""
    if not entities or not _SIGNS.keys() >= set(entities):
        return None
    signs = [sign for entity in sorted(entities) for sign in _SIGNS[entity]]
    there = [texts.str.contains(pattern) for pattern in signs]
    return pl.select(pl.any_horizontal(there).fill_null(value=False).alias("may")).to_series()
