"""The company a number keeps: the words just before it that say what it is, or that it is something else."""

from __future__ import annotations

import re
from functools import cache

from datalab.services.scrubbing.catalogue import CARD, CARD_WORDS, CODES, NUMBERS, PHONE, PHONE_WORDS, UNRELATED_WORDS

REACH = 48
"""Bytes before a number in which a word gives it meaning."""

_WORD = re.compile(r"[^\W\d_]+")
_COUNTING = frozenset(["no", "nr", "num", "number", "nummer", "numéro", "numero", "número", "n"])


class Company:
    """The lower-case text before a number, split into words when somebody asks."""

    __slots__ = ("_words", "text")

    def __init__(self, text: str) -> None:
        self.text = text.lower()
        self._words: list[str] | None = None

    @property
    def words(self) -> list[str]:
        """The words, letters only, in order."""
        if self._words is None:
            self._words = _WORD.findall(self.text)
        return self._words

    def names(self, entity: str) -> bool:
        """Whether a word or a phrase of ``entity`` stands there."""
        singles, phrases = _vocabulary(entity)
        return not singles.isdisjoint(self.words) or any(phrase in self.text for phrase in phrases)

    def denies(self) -> bool:
        """Whether the number is labelled as something else: an order, a version, an amount."""
        words = self.words
        if not words or len(self.text) - self.text.rfind(words[-1]) - len(words[-1]) > 4:
            return False
        return words[-1] in _UNRELATED or (words[-1] in _COUNTING and len(words) > 1 and words[-2] in _UNRELATED)


_UNRELATED = frozenset(UNRELATED_WORDS.split())


@cache
def _vocabulary(entity: str) -> tuple[frozenset[str], tuple[str, ...]]:
    entries = [
        entry
        for name, words in (
            (PHONE, PHONE_WORDS),
            (CARD, CARD_WORDS),
            *((item.entity, item.words) for item in NUMBERS),
            *((item.entity, item.words) for item in CODES),
        )
        if name == entity
        for entry in words.split("|")
    ]
    return frozenset(entry for entry in entries if entry.isalpha()), tuple(entry for entry in entries if not entry.isalpha())
