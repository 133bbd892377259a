"""Cleaning: leave out what is missing, wrong, doubled or worthless, and say for every row why."""

from __future__ import annotations

from datalab.kernels.textlines import LineRules
from datalab.kernels.textquality import C4, FINEWEB, GOPHER, Limits, RepetitionLimits
from datalab.services.cleaning.duplicates import DuplicatesByKey, ExactDuplicates
from datalab.services.cleaning.lines import TextLines
from datalab.services.cleaning.nearduplicates import NearDuplicates
from datalab.services.cleaning.sample import Sample
from datalab.services.cleaning.texts import Language, TextQuality, TextRepetition, Untranslated
from datalab.services.cleaning.values import CheckDigits, InRange, InSet, Matches, Required

__all__ = [
    "C4",
    "FINEWEB",
    "GOPHER",
    "CheckDigits",
    "DuplicatesByKey",
    "ExactDuplicates",
    "InRange",
    "InSet",
    "Language",
    "Limits",
    "LineRules",
    "Matches",
    "NearDuplicates",
    "RepetitionLimits",
    "Required",
    "Sample",
    "TextLines",
    "TextQuality",
    "TextRepetition",
    "Untranslated",
]
