"""One dataset in several catalogues: what it is called, and which hits are the same."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from datalab.model.offer import Offer

Item = TypeVar("Item", bound=Hashable)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.[0-9]{4,9}/\S+)", re.IGNORECASE)


def names_of(offer: Offer) -> list[str]:
    """Return the names by which a dataset is recognised elsewhere.

    Identifiers count as they are where they are unique in the world (addresses, URNs, DOIs, UUIDs) and together with the publisher
    where they may not be; a landing page counts where it is more than the front page of a portal.
    """
    found = []
    for name in offer.fitness.names:
        plain = normal(name)
        if "://" in name or plain.startswith(("urn:", "doi:")) or _UUID.search(plain):
            found.append(plain)
        elif plain and offer.holder:
            found.append(f"{normal(offer.holder)}|{plain}")
    for page in offer.fitness.pages:
        plain = normal(page)
        if "/" in plain.rstrip("/"):
            found.append(f"page:{plain}")
    return list(dict.fromkeys(found))


def normal(name: str) -> str:
    """Return one spelling of a name: without scheme, final slash and case; DOIs as ``doi:10.…``."""
    if doi := _DOI.fullmatch(name.strip()):
        return f"doi:{doi[1].lower()}"
    plain = name.strip().casefold()
    for prefix in ("https://", "http://"):
        plain = plain.removeprefix(prefix)
    return plain.removeprefix("www.").rstrip("/")


def together(items: Sequence[tuple[Item, str, Iterable[str]]]) -> list[list[Item]]:
    """Group items that share a name, in the order in which each group's first one comes.

    An item is (itself, catalogue, names). Landing pages join items of different catalogues only: within one, datasets of a series
    often share theirs.
    """
    group = list(range(len(items)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    first: dict[str, list[int]] = {}
    for place, (_, catalogue, names) in enumerate(items):
        for name in names:
            for other in first.get(name, ()):
                if not name.startswith("page:") or items[other][1] != catalogue:
                    one, two = sorted((root(other), root(place)))
                    group[two] = one
            first.setdefault(name, []).append(place)
    found: dict[int, list[Item]] = {}
    for place, (item, _, _) in enumerate(items):
        found.setdefault(root(place), []).append(item)
    return list(found.values())
