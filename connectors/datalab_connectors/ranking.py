"""What a search by words finds first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from datalab.model.offer import Offer


def rank(words: Sequence[str], title: str, *texts: str) -> int:
    """Return 0 unless every word (in lower case) occurs; words in the title count three times."""
    first = title.casefold()
    whole = " ".join((title, *texts)).casefold()
    if not all(word in whole for word in words):
        return 0
    return sum(3 if word in first else 1 for word in words)


def best_first(offers: Iterable[Offer], words: Sequence[str]) -> Iterator[Offer]:
    """Yield the offers in which all words occur, those with a word in the title first; without words all, as they come."""
    if not words:
        yield from offers
        return
    ranked = ((_rank(offer, words), offer) for offer in offers)
    yield from (offer for _, offer in sorted((hit for hit in ranked if hit[0]), key=lambda hit: -hit[0]))


def _rank(offer: Offer, words: Sequence[str]) -> int:
    found = (offer.description, offer.holder, *offer.keywords, *offer.languages, *offer.fitness.themes)
    return rank(words, f"{offer.dataset_id} {offer.title}", *found)
