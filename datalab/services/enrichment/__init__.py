"""Enrichment: add what can be known about a row: its language, its country's facts, its text in numbers, its reference entry."""

from __future__ import annotations

from datalab.services.enrichment.age import Age
from datalab.services.enrichment.countries import CountryFacts
from datalab.services.enrichment.join import Join
from datalab.services.enrichment.texts import Language, TextRepetition, TextSignals, TextStatistics

__all__ = ["Age", "CountryFacts", "Join", "Language", "TextRepetition", "TextSignals", "TextStatistics"]
