"""Rules for running text: its quality, its language, and whether it was translated at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import polars as pl

from datalab.errors import UsageError
from datalab.kernels import languageid
from datalab.kernels.languagecodes import primary
from datalab.kernels.repetition import REPETITION, repetition
from datalab.kernels.textquality import Limits, RepetitionLimits, reasons, repetition_reasons
from datalab.kernels.textsignals import SIGNALS, signals
from datalab.model.step import Bound, Context, MapStep, Outcome, Service
from datalab.services.binding import require_columns, require_text
from datalab.services.cleaning.reasons import first_reason


@dataclass(frozen=True, slots=True)
class TextQuality(MapStep):
    """Drop texts that break one of the Gopher rules; the reason names the rule (see `datalab.kernels.textquality`).

    ``language`` names the column with the ISO 639-1 code of each text: languages that build long words are given more room, and a
    text must hold some of the commonest words of its language. ``limits=clean.C4`` or ``clean.FINEWEB`` adds their rules.
    ``signals`` is the prefix of the columns that `enrich.TextSignals` made: the facts are not worked out again then.
    """

    service: ClassVar[Service] = Service.CLEANING
    version: ClassVar[int] = 2

    column: str
    language: str = ""
    limits: Limits = field(default_factory=Limits)
    signals: str | None = None

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, text for the language, and the columns of the signals if they are to be used."""
        columns = [self.column, *([self.language] if self.language else [])]
        require_text(schema, columns, step=self.name)
        if self.signals is not None:
            made = [f"{self.signals}{name}" for name in SIGNALS]
            require_columns(schema, made, step=self.name)
            columns = [*made, *columns[1:]]
        return Bound(schema, reads=frozenset(columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the texts that break a rule."""
        languages = primary(frame.get_column(self.language)) if self.language else None
        if self.signals is None:
            facts = signals(frame.get_column(self.column), languages)
        else:
            facts = frame.select(pl.col(f"{self.signals}{name}").alias(name) for name in SIGNALS)
        return Outcome(frame, dropped=reasons(facts, languages, self.limits))


@dataclass(frozen=True, slots=True)
class TextRepetition(MapStep):
    """Drop texts that repeat their paragraphs or runs of words too much: table A1 of Gopher; the reason names the fact that went too far.

    The facts are those of `datalab.kernels.repetition`, where they are defined; rules about repeated lines are part of `clean.TextQuality`.
    ``signals`` is the prefix of the columns that `enrich.TextRepetition` made: the facts are not worked out again then. Null texts stay.
    """

    service: ClassVar[Service] = Service.CLEANING

    column: str
    limits: RepetitionLimits = field(default_factory=RepetitionLimits)
    signals: str | None = None

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, or the columns of the facts if they are to be used."""
        require_text(schema, [self.column], step=self.name)
        if self.signals is None:
            return Bound(schema, reads=frozenset([self.column]))
        made = [f"{self.signals}{name}" for name in REPETITION]
        require_columns(schema, made, step=self.name)
        return Bound(schema, reads=frozenset(made))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the texts that repeat themselves."""
        if self.signals is None:
            facts = repetition(frame.get_column(self.column))
        else:
            facts = frame.select(pl.col(f"{self.signals}{name}").alias(name) for name in REPETITION)
        return Outcome(frame, dropped=repetition_reasons(facts, self.limits))


@dataclass(frozen=True, slots=True)
class Language(MapStep):
    """Drop texts in another language: than those in ``keep`` (``language-not-kept``), or than the column ``declared`` says (``language-differs``).

    Give one of the two. A language is identified among the 24 official EU languages and those in ``keep``; a verdict whose
    confidence is below ``certain`` drops nothing. Texts without a letter (``language-unknown``) fall unless ``unknown="keep"``;
    null texts, and texts whose language nobody declared, stay.
    """

    service: ClassVar[Service] = Service.CLEANING
    version: ClassVar[int] = 2

    column: str
    keep: str | Sequence[str] = ()
    declared: str = ""
    certain: float = 0.5
    unknown: Literal["drop", "keep"] = "drop"
    engine: str = field(default_factory=languageid.engine, init=False, repr=False)
    """Name and version of the model: another model is another plan."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", (self.keep,) if isinstance(self.keep, str) else tuple(self.keep))
        if bool(self.keep) == bool(self.declared):
            raise UsageError(
                f"{self.name} needs the languages to keep, or the column that declares them",
                where=f"column {self.column}",
                next='write clean.Language("text", keep=["de", "fr"]) or clean.Language("text", declared="language")',
            )
        if self.unknown not in {"drop", "keep"} or not 0 <= self.certain <= 1:
            raise UsageError(
                "unknown is 'drop' or 'keep', certain lies between 0 and 1", where=f"{self.name}, column {self.column}"
            )

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, and languages that the model knows."""
        columns = [self.column, *([self.declared] if self.declared else [])]
        require_text(schema, columns, step=self.name)
        languageid.identify(pl.Series([], dtype=pl.String), self._candidates)
        return Bound(schema, reads=frozenset(columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the texts in another language."""
        text = frame.get_column(self.column)
        found = languageid.identify(text, self._candidates).with_columns(text.alias("text"))
        language, sure = pl.col("language"), pl.col("confidence") >= self.certain
        rules = {"language-unknown": language.is_null() & pl.col("text").is_not_null()} if self.unknown == "drop" else {}
        if self.declared:
            found = found.with_columns(primary(frame.get_column(self.declared)).alias("declared"))
            rules["language-differs"] = (language != pl.col("declared")) & sure
        else:
            rules["language-not-kept"] = ~language.is_in(list(self.keep)) & sure
        return Outcome(frame, dropped=first_reason(found, rules))

    @property
    def _candidates(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*languageid.EU24, *self.keep)))


@dataclass(frozen=True, slots=True)
class Untranslated(MapStep):
    """Drop rows whose ``text`` is empty (``no-translation``) or the same as its ``source`` text (``untranslated``).

    Where ``language`` names a column, rows in ``source_language`` are allowed to repeat their source.
    """

    service: ClassVar[Service] = Service.CLEANING

    text: str
    source: str
    language: str = ""
    source_language: str = "en"

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text columns."""
        columns = [self.text, self.source, *([self.language] if self.language else [])]
        require_text(schema, columns, step=self.name)
        return Bound(schema, reads=frozenset(columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Name the rows without a translation of their own."""
        text, source = pl.col(self.text).str.strip_chars(), pl.col(self.source).str.strip_chars()
        same = text == source
        if self.language:
            frame_language = primary(frame.get_column(self.language))
            same &= pl.lit(frame_language != self.source_language).fill_null(value=True)
        return Outcome(frame, dropped=first_reason(frame, {"no-translation": text.fill_null("") == "", "untranslated": same}))
