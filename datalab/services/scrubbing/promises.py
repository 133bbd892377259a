"""What a scrubbing step promises to have removed, so that the rows to be released can be held against it."""

from __future__ import annotations

from datalab.model.step import Step
from datalab.services.scrubbing.actions import KEEP, action_for
from datalab.services.scrubbing.catalogue import CARD, EMAIL, IBAN, IP, NATIONAL, NUMBERS
from datalab.services.scrubbing.presidio import Presidio
from datalab.services.scrubbing.text import Text

PROVEN = frozenset({EMAIL, IBAN, CARD, IP, *NATIONAL})
"""Kinds whose form or check digits leave little doubt. Phones, dates and names are guesses: they are reported and do not withhold."""
_NEED_A_LANGUAGE = frozenset(item.entity for item in NUMBERS if not item.telling)
_PRESIDIO = {"EMAIL_ADDRESS": EMAIL, "IBAN_CODE": IBAN, "CREDIT_CARD": CARD}
"""Presidio's recognisers whose findings are ours, too; its others follow rules of their own."""


def promised(step: Step, columns: frozenset[str]) -> frozenset[str]:
    """Return the proven kinds that must not be left where ``step`` worked; none for a step that promises nothing.

    ``columns`` are those to be released: without the column that tells the languages of its texts, numbers that are known by
    language only cannot be held against a step.
    """
    if isinstance(step, Text):
        kinds = {kind for kind in step.entities if action_for(kind, step.actions, step.action) != KEEP}
        return PROVEN & (kinds if _languages_known(step, columns) else kinds - _NEED_A_LANGUAGE)
    if isinstance(step, Presidio):
        return frozenset(ours for theirs, ours in _PRESIDIO.items() if not step.entities or theirs in step.entities)
    return frozenset()


def _languages_known(step: Text, columns: frozenset[str]) -> bool:
    return step.language is None or len(step.language) == 2 or step.language in columns
