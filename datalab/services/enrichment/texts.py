"""What can be known about a text: its language and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import polars as pl

from datalab.kernels import languageid
from datalab.kernels.languagecodes import primary
from datalab.kernels.repetition import REPETITION, repetition
from datalab.kernels.textsignals import SIGNALS, signals
from datalab.kernels.textstats import statistics
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_text


@dataclass(frozen=True, slots=True)
class Language(MapStep):
    """Add the ISO 639-1 code of each text as ``into``, and how sure that is (0 to 1) as ``<into>_confidence``.

    The 24 official EU languages are told apart; a text in another language gets the nearest of them, one without a letter null.
    """

    service: ClassVar[Service] = Service.ENRICHMENT
    version: ClassVar[int] = 2

    column: str
    into: str = "language"
    engine: str = field(default_factory=languageid.engine, init=False, repr=False)
    """Name and version of the model: another model is another plan."""

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, and free names for the new columns."""
        require_text(schema, [self.column], step=self.name)
        added = {self.into: pl.String(), self._confidence: pl.Float64()}
        refuse_existing(schema, added, step=self.name)
        derivation = Derivation((self.column,), description=f"language identification, {self.engine}")
        return Bound(pl.Schema({**schema, **added}), dict.fromkeys(added, derivation), frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Add language and confidence."""
        found = languageid.identify(frame.get_column(self.column))
        added = frame.with_columns(
            found.get_column("language").alias(self.into), found.get_column("confidence").alias(self._confidence)
        )
        return Outcome(added, counts={"texts-with-language": frame.height - found.get_column("language").null_count()})

    @property
    def _confidence(self) -> str:
        return f"{self.into}_confidence"


_STATISTICS: dict[str, tuple[type[pl.DataType], str]] = {
    "characters": (pl.UInt32, "number of Unicode code points"),
    "words": (pl.UInt32, "number of words"),
    "sentences": (pl.UInt32, "number of sentences"),
    "lines": (pl.UInt32, "number of lines"),
    "mean_word_length": (pl.Float64, "mean word length in characters"),
    "letter_share": (pl.Float64, "share of letters in the first 1,000 characters"),
    "script": (pl.String, "dominant script, ISO 15924"),
}


@dataclass(frozen=True, slots=True)
class TextStatistics(MapStep):
    """Add ``<prefix>characters``, ``words``, ``sentences``, ``lines``, ``mean_word_length``, ``letter_share`` and ``script``.

    ``prefix`` is the name of the column and an underscore unless given. Definitions: `datalab.kernels.textstats.statistics`.
    """

    service: ClassVar[Service] = Service.ENRICHMENT
    version: ClassVar[int] = 2

    column: str
    prefix: str | None = None

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, and free names for the new columns."""
        require_text(schema, [self.column], step=self.name)
        added = {self._named(fact): kind() for fact, (kind, _) in _STATISTICS.items()}
        refuse_existing(schema, added, step=self.name)
        derivations = {
            self._named(fact): Derivation((self.column,), description=words) for fact, (_, words) in _STATISTICS.items()
        }
        return Bound(pl.Schema({**schema, **added}), derivations, frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Add the statistics."""
        facts = statistics(frame.get_column(self.column)).select(*_STATISTICS)
        return Outcome(frame.hstack(facts.rename(self._named)))

    def _named(self, fact: str) -> str:
        return f"{self.column}_{fact}" if self.prefix is None else f"{self.prefix}{fact}"


@dataclass(frozen=True, slots=True)
class TextSignals(MapStep):
    """Add the facts behind the quality rules of Gopher, C4 and FineWeb, each as ``<prefix><signal>``; no row is judged or dropped.

    ``prefix`` is the name of the column and an underscore unless given; the signals are those of
    `datalab.kernels.textsignals.SIGNALS`. ``language`` names the column with the ISO 639-1 code of each text; stop words are
    counted only with it. `clean.TextQuality` decides by these columns when it is told their prefix.
    """

    service: ClassVar[Service] = Service.ENRICHMENT

    column: str
    language: str = ""
    prefix: str | None = None

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, text for the language, and free names for the new columns."""
        columns = (self.column, *((self.language,) if self.language else ()))
        require_text(schema, columns, step=self.name)
        added = {self._named(signal): pl.Float64() for signal in SIGNALS}
        refuse_existing(schema, added, step=self.name)
        derivations = {self._named(signal): Derivation(columns, description=words) for signal, words in SIGNALS.items()}
        return Bound(pl.Schema({**schema, **added}), derivations, frozenset(columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Add the signals."""
        languages = primary(frame.get_column(self.language)) if self.language else None
        return Outcome(frame.hstack(signals(frame.get_column(self.column), languages).rename(self._named)))

    def _named(self, signal: str) -> str:
        return f"{self.column}_{signal}" if self.prefix is None else f"{self.prefix}{signal}"


@dataclass(frozen=True, slots=True)
class TextRepetition(MapStep):
    """Add how much of each text repeats itself (Gopher, table A1), each fact as ``<prefix><fact>``; no row is judged or dropped.

    ``prefix`` is the name of the column and an underscore unless given; the facts are those of `datalab.kernels.repetition.REPETITION`
    (repeated lines are among those of `enrich.TextSignals`). `clean.TextRepetition` decides by these columns when it is told their prefix.
    """

    service: ClassVar[Service] = Service.ENRICHMENT

    column: str
    prefix: str | None = None

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, and free names for the new columns."""
        require_text(schema, [self.column], step=self.name)
        added = {self._named(fact): pl.Float64() for fact in REPETITION}
        refuse_existing(schema, added, step=self.name)
        derivations = {self._named(fact): Derivation((self.column,), description=words) for fact, words in REPETITION.items()}
        return Bound(pl.Schema({**schema, **added}), derivations, frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Add the facts."""
        return Outcome(frame.hstack(repetition(frame.get_column(self.column)).rename(self._named)))

    def _named(self, fact: str) -> str:
        return f"{self.column}_{fact}" if self.prefix is None else f"{self.prefix}{fact}"
