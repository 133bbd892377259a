"""Scrub personal data out of running text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import polars as pl

from datalab.kernels.spans import Column, Span, resolve, rewrite
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_columns, require_text
from datalab.services.scrubbing import names
from datalab.services.scrubbing.actions import (
    DROP,
    KEEP,
    PSEUDONYMISE,
    QUARANTINE,
    REDACT,
    action_for,
    check_actions,
    check_entities,
    replacement,
)
from datalab.services.scrubbing.catalogue import ALL
from datalab.services.scrubbing.detect import find

_PASSES = 16  # a number can come free when its neighbour goes; three rounds settled every text met so far
UNSETTLED = "scrubbing-unsettled"
"""Code of rows in which every round found more: made to defeat the scrubber, or broken."""


@dataclass(frozen=True, slots=True)
class Text(MapStep):
    """Find personal data in text ``columns`` and act on it: ``Text("message", actions={"email": "pseudonymise"})``.

    ``action`` holds for every entity not named in ``actions``: ``redact`` (``<EMAIL>``), ``mask`` (letters and digits to ``*``),
    ``pseudonymise`` (``<EMAIL_k5q…>``, keyed by the secret ``secret`` within ``domain``), ``generalise`` (date of birth to its year, IPv4
    address to its /24), ``keep`` (count only), ``drop`` or ``quarantine`` (the row). ``language`` is a column of ISO 639-1 codes, or one
    such code; without it the patterns of all countries are tried. ``names_from`` are columns of the same row whose values (names,
    address, phone, birth date …) are removed from the text too, in whatever case, accent or format they stand there.
    """

    service: ClassVar[Service] = Service.SCRUBBING

    columns: str | tuple[str, ...]
    entities: tuple[str, ...] = ALL
    action: str = REDACT
    actions: Mapping[str, str] = field(default_factory=dict)
    language: str | None = None
    names_from: str | tuple[str, ...] = ()
    secret: str = "pseudonyms"  # noqa: S105  # the name of a secret, not one
    domain: str = ""

    def __post_init__(self) -> None:
        for name in ("columns", "names_from", "entities"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        check_entities(self.entities, where=f"step {self.name}")
        check_actions(self.actions, self.action, where=f"step {self.name}")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The pseudonym key, where one is used."""
        return (self.secret,) if PSEUDONYMISE in (self.action, *self.actions.values()) else ()

    def bind(self, schema: pl.Schema) -> Bound:
        """Check that the columns are text and that those to take names from exist."""
        require_text(schema, self.columns, step=self.name)
        require_columns(schema, self.names_from, step=self.name)
        beside = tuple(self.names_from)
        if self.language is not None and (len(self.language) != 2 or self.language in schema):
            require_text(schema, (self.language,), step=self.name)
            beside = (*beside, self.language)
        derivations = {
            column: Derivation(
                (column, *(other for other in beside if other != column)), description="personal data removed", masking=True
            )
            for column in self.columns
        }
        return Bound(schema, derivations, frozenset((*self.columns, *beside)))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Scrub each text column; a row that holds an entity to drop or to quarantine is marked, its text scrubbed all the same."""
        key = context.secret(self.secret) if self.secrets else b""
        counts: Counter[str] = Counter()
        fates: dict[str, dict[int, str]] = {DROP: {}, QUARANTINE: {}}
        scrubbed = []
        for column in self.columns:
            texts = frame[column]
            others = [frame[name] for name in self.names_from if name != column]
            for language, rows in self.by_language(frame):
                chosen = texts if rows is None else texts.gather(rows)
                beside = others if rows is None else [other.gather(rows) for other in others]
                where = np.arange(len(chosen)) if rows is None else rows.to_numpy()
                done = self._scrub(chosen, beside, language, key, counts, where, fates)
                texts = done if rows is None else texts.scatter(rows, done)
            scrubbed.append(texts.alias(column))
        return Outcome(
            frame.with_columns(scrubbed),
            dropped=_marks(fates[DROP], frame.height),
            quarantined=_marks(fates[QUARANTINE], frame.height),
            counts=dict(sorted(counts.items())),
        )

    def by_language(self, frame: pl.DataFrame) -> list[tuple[str | None, pl.Series | None]]:
        """Return the rows of each language (None: all rows); where the column that tells it is gone, no language is known."""
        if self.language is None or self.language not in frame.columns:
            return [(self.language if self.language and len(self.language) == 2 else None, None)]
        groups = (
            frame.select(language=pl.col(self.language).str.to_lowercase().str.head(2))
            .with_row_index("row")
            .group_by("language", maintain_order=True)
        )
        return [(name[0] if isinstance(name[0], str) and name[0] else None, rows["row"]) for name, rows in groups]

    def _scrub(
        self,
        texts: pl.Series,
        others: list[pl.Series],
        language: str | None,
        key: bytes,
        counts: Counter[str],
        where: np.ndarray[tuple[int], np.dtype[np.int64]],
        fates: dict[str, dict[int, str]],
    ) -> pl.Series:
        rows = np.arange(len(texts))
        result = texts
        for turn in range(_PASSES):
            current = result if turn == 0 else result.gather(rows)
            column, spans, unsettled = find(current, entities=self.entities, language=language)
            if others:
                beside = [other if turn == 0 else other.gather(rows) for other in others]
                spans = resolve([*spans, *names.of_same_row(current, column, beside)])
            changed, replacements, touched = self._decide(
                column, spans, language, key, counts if turn == 0 else None, counts, where[rows], fates
            )
            if not changed:
                break
            current = rewrite(current, column, changed, replacements)
            result = current if turn == 0 else result.scatter(pl.Series(rows), current)
            rows = rows[sorted(unsettled.intersection(touched))]
            if not len(rows):
                break
        else:
            fates[QUARANTINE].update(dict.fromkeys(where[rows].tolist(), UNSETTLED))
        return result

    def _decide(
        self,
        column: Column,
        spans: list[Span],
        language: str | None,
        key: bytes,
        kept: Counter[str] | None,
        counts: Counter[str],
        where: np.ndarray[tuple[int], np.dtype[np.int64]],
        fates: dict[str, dict[int, str]],
    ) -> tuple[list[Span], list[str], list[int]]:
        changed: list[Span] = []
        replacements: list[str] = []
        touched: list[int] = []
        rows = column.rows(np.fromiter((span.start for span in spans), dtype=np.int64, count=len(spans)))
        for span, row in zip(spans, rows.tolist(), strict=True):
            action = action_for(span.kind, self.actions, self.action)
            if action == KEEP:
                if kept is not None:
                    kept[f"{action}:{span.kind}"] += 1
                continue
            value = column.text(span.start, span.end)
            counts[f"{action}:{span.kind}"] += 1
            if action in fates:
                fates[action].setdefault(int(where[row]), f"holds-{span.kind}")
            changed.append(span)
            replacements.append(replacement(action, span.kind, value, key=key, domain=self.domain, language=language))
            touched.append(row)
        return changed, replacements, touched


def _marks(fates: Mapping[int, str], height: int) -> pl.Series | None:
    if not fates:
        return None
    marks: list[str | None] = [None] * height
    for row, reason in fates.items():
        marks[row] = reason
    return pl.Series(marks, dtype=pl.String)
