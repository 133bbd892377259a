"""Look for personal data that is still there: for reports and for the tests that nothing leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from datalab.services.scrubbing.catalogue import ALL, LIKE
from datalab.services.scrubbing.detect import find
from datalab.services.scrubbing.possible import may_hold


def scan(
    texts: pl.Series, entities: Sequence[str] = ALL, *, language: str | None = None, look_alikes: bool = True
) -> dict[str, int]:
    """Return how many of each entity stand in a text series, by name; never where, and never what.

    What a scrubbed release still holds is shown by this, as far as patterns see: 0 is no proof of anonymity.
    """
    possible = may_hold(texts, entities)
    texts = texts if possible is None else texts.filter(possible)
    spans = find(texts, entities=entities, language=language).spans
    found = Counter(span.kind for span in spans if look_alikes or not span.kind.endswith(LIKE))
    return dict(sorted(found.items()))
