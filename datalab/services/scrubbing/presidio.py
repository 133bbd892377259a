"""Presidio as a step: its recognisers, without a model and without the network. The only module that imports Presidio.

Two of its habits are corrected here. Its e-mail recogniser downloads the public suffix list at first use: the snapshot that comes with
tldextract serves instead. And where a regex runs out of time Presidio logs a warning and goes on, which passes the text as clean:
here the row is quarantined.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import polars as pl

from datalab.errors import MissingExtra, NotFound, UsageError
from datalab.kernels.spans import Column, Span, resolve, rewrite
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_text
from datalab.services.scrubbing.actions import MASK, PSEUDONYMISE, REDACT, replacement
from datalab.services.scrubbing.catalogue import REGIONS

TIMEOUT = "presidio-timeout"
_ACTIONS = (REDACT, MASK, PSEUDONYMISE)
_NO_NAMES = ("SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer")


@dataclass(frozen=True, slots=True)
class Presidio(MapStep):
    """Scrub text ``columns`` by Microsoft Presidio's pattern recognisers of one ``language`` (no model, so no names of people).

    ``entities`` are Presidio's own names (``EMAIL_ADDRESS``, ``UK_NHS`` …), all of the language's by default; findings below
    ``threshold`` are left alone. ``seconds`` bounds each pattern on each text: beyond it the row is quarantined. Some forty times
    slower than `Text`, which finds more of the European forms; use it for a recogniser that only Presidio has.
    """

    service: ClassVar[Service] = Service.SCRUBBING

    columns: str | tuple[str, ...]
    entities: tuple[str, ...] = ()
    language: str = "en"
    threshold: float = 0.35
    action: str = REDACT
    seconds: int = 5
    secret: str = "pseudonyms"  # noqa: S105  # the name of a secret, not one
    domain: str = ""

    def __post_init__(self) -> None:
        for name in ("columns", "entities"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        if self.action not in _ACTIONS:
            raise NotFound.among("action", self.action, _ACTIONS, where=f"step {self.name}")
        if not 0 <= self.threshold <= 1:
            raise UsageError("threshold is a score between 0 and 1", where=f"step {self.name}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The pseudonym key, where one is used."""
        return (self.secret,) if self.action == PSEUDONYMISE else ()

    def bind(self, schema: pl.Schema) -> Bound:
        """Check the columns, that Presidio is installed, and that it knows the language and the entities."""
        require_text(schema, self.columns, step=self.name)
        known = engine(self.language).entities
        for entity in self.entities:
            if entity not in known:
                raise NotFound.among("Presidio entity", entity, known, where=f"step {self.name}, language {self.language}")
        derivations = {
            column: Derivation((column,), description="personal data removed", masking=True) for column in self.columns
        }
        return Bound(schema, derivations, frozenset(self.columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Analyse each distinct text once; a text on which a pattern ran out of time is quarantined, whatever else was found."""
        key = context.secret(self.secret) if self.secrets else b""
        counts: Counter[str] = Counter()
        timed_out = pl.repeat(value=False, n=frame.height, dtype=pl.Boolean, eager=True)
        scrubbed = []
        for name in self.columns:
            distinct = frame[name].unique(maintain_order=True).drop_nulls()
            column, spans, late = self._spans(distinct)
            replacements = [
                replacement(self.action, span.kind, column.text(span.start, span.end), key=key, domain=self.domain)
                for span in spans
            ]
            table = pl.DataFrame({"old": distinct, "new": rewrite(distinct, column, spans, replacements), "late": late})
            tally = pl.DataFrame(
                {"row": column.rows(np.array([s.start for s in spans], dtype=np.int64)), "kind": [s.kind for s in spans]},
                schema={"row": pl.Int64, "kind": pl.String},
            )
            times = frame[name].drop_nulls().to_frame("old").join(table.with_row_index("row"), on="old", how="left")["row"]
            for kind, count in tally.join(times.cast(pl.Int64).to_frame(), on="row").group_by("kind").len().rows():
                counts[f"{self.action}:{kind}"] += count
            joined = frame[name].to_frame("old").join(table, on="old", how="left", maintain_order="left")
            scrubbed.append(joined["new"].alias(name))
            timed_out = timed_out | joined["late"].fill_null(value=False)
        late_rows = pl.select(pl.when(pl.lit(timed_out)).then(pl.lit(TIMEOUT))).to_series() if timed_out.any() else None
        return Outcome(frame.with_columns(scrubbed), quarantined=late_rows, counts=dict(sorted(counts.items())))

    def _spans(self, texts: pl.Series) -> tuple[Column, list[Span], pl.Series]:
        column, spans, late = Column.of(texts), [], []
        door = engine(self.language)
        for row, text in enumerate(texts):
            found, in_time = door.analyse(text, self.entities, self.threshold, self.seconds)
            late.append(not in_time)
            base = int(column.offsets[row])
            for start, end, kind in found:
                first = base + len(text[:start].encode())
                spans.append(Span(first, first + len(text[start:end].encode()), kind))
        return column, resolve(spans), pl.Series(late, dtype=pl.Boolean)


@dataclass(slots=True)
class Engine:
    """Presidio's analyser for one language, and the clock that its patterns are watched by."""

    analyser: Any
    language: str
    entities: frozenset[str]
    clock: _Clock

    def analyse(
        self, text: str, entities: tuple[str, ...], threshold: float, seconds: float
    ) -> tuple[list[tuple[int, int, str]], bool]:
        """Return (start, end, entity) in characters, and whether all patterns ended in time."""
        self.clock.seconds, self.clock.in_time = seconds, True
        results = self.analyser.analyze(
            text=text, language=self.language, entities=list(entities) or None, score_threshold=threshold
        )
        return [(item.start, item.end, item.entity_type) for item in results], self.clock.in_time


@dataclass(slots=True)
class _Clock:
    seconds: float = 5
    in_time: bool = True


class _Watched:
    """A compiled pattern that tells the clock when it runs out of time, before Presidio passes over it."""

    def __init__(self, pattern: Any, clock: _Clock) -> None:
        self._pattern = pattern
        self._clock = clock

    def finditer(self, text: str, timeout: float | None = None) -> Iterator[Any]:
        try:
            yield from self._pattern.finditer(text, timeout=self._clock.seconds)
        except TimeoutError:
            self._clock.in_time = False


@cache
def engine(language: str) -> Engine:
    """Return Presidio's analyser for ``language``, built once per process; raise ``MissingExtra`` where Presidio is not there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries below Presidio: nothing that a steward could act on
            import regex  # type: ignore[import-untyped,unused-ignore]
            import tldextract.tldextract
            from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry
            from presidio_analyzer.nlp_engine import NoOpNlpEngine
            from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, PhoneRecognizer
    except ImportError as error:
        raise MissingExtra.needed("presidio", "the step scrub.Presidio") from error
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    registry = RecognizerRegistry(supported_languages=[language])
    nlp = NoOpNlpEngine([{"lang_code": language, "model_name": ""}])
    nlp.load()
    registry.load_predefined_recognizers(languages=[language])
    for name in (*_NO_NAMES, "PhoneRecognizer", "CreditCardRecognizer"):
        registry.remove_recognizer(name)
    # Presidio has cards for four languages only, and phone regions that leave out most of Europe.
    registry.add_recognizer(CreditCardRecognizer(supported_language=language))
    registry.add_recognizer(PhoneRecognizer(supported_language=language, supported_regions=REGIONS.get(language, ("US", "GB"))))
    clock = _Clock()
    watched: list[Any] = [item for item in registry.recognizers if isinstance(item, PatternRecognizer)]
    for recogniser in watched:
        for pattern in recogniser.patterns:
            flags = recogniser.global_regex_flags
            pattern.compiled_with_flags = flags
            pattern.compiled_regex = _Watched(regex.compile(pattern.regex, flags=flags), clock)
    analyser = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[language])
    return Engine(analyser, language, frozenset(analyser.get_supported_entities(language)), clock)
