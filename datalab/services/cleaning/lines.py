"""Keep of each text the lines that are prose."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

import polars as pl

from datalab.kernels.languagecodes import primary
from datalab.kernels.textlines import FAULTS, LineRules, filter_lines
from datalab.kernels.textstats import sentence_ends
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_text
from datalab.services.cleaning.reasons import first_reason


@dataclass(frozen=True, slots=True)
class TextLines(MapStep):
    """Remove menus, headings, notices and other lines that are no sentences, by the line rules of C4; join what is left by line feeds.

    Texts need their line breaks: `standardise.Text` keeps them with ``lines=True``, and makes line feeds of all kinds of them.
    Texts left with fewer than ``minimum_sentences`` fall: as ``no-text`` where there was none, ``no-lines-left`` where every line went, else
    ``few-sentences`` (a line counts as one sentence at least). ``language`` names the column with the ISO 639-1 code of each text: notices are known in
    the 24 official EU languages, without it in English only. ``removed`` names a new column for the number of lines removed (UInt32).
    Rules: `datalab.kernels.textlines`. Those of C4 about whole texts (braces, "lorem ipsum") are in `clean.TextQuality` with ``limits=clean.C4``.
    Counts: ``lines-removed``, and one for each thing wrong with them (``lines-unfinished`` …).
    """

    service: ClassVar[Service] = Service.CLEANING

    column: str
    language: str = ""
    rules: LineRules = field(default_factory=LineRules)
    minimum_sentences: int = 3
    removed: str = ""

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, text for the language, and a free name for the number of lines."""
        columns = (self.column, *((self.language,) if self.language else ()))
        require_text(schema, columns, step=self.name)
        added = {self.removed: pl.UInt32()} if self.removed else {}
        refuse_existing(schema, added, step=self.name)
        derivations = {self.column: Derivation(columns, description="lines that are no sentences removed")}
        derivations |= dict.fromkeys(added, Derivation(columns, description="number of lines removed"))
        return Bound(pl.Schema({**schema, **added}), derivations, frozenset(columns))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Remove the lines, and name the texts of which too little is left."""
        languages = primary(frame.get_column(self.language)) if self.language else None
        text, lines = filter_lines(frame.get_column(self.column), languages, self.rules)
        gone = lines.select(pl.sum_horizontal(*FAULTS).cast(pl.UInt32)).to_series()
        changed = frame.with_columns(text, *([gone.alias(self.removed)] if self.removed else []))
        faults = Counter({f"lines-{fault}": int(lines.get_column(fault).sum()) for fault in FAULTS})
        counts = +Counter({"lines-removed": faults.total(), **faults})
        return Outcome(changed, self._reasons(lines.with_columns(text.alias("text"), gone.alias("gone"))), counts=dict(counts))

    def _reasons(self, lines: pl.DataFrame) -> pl.Series | None:
        if self.minimum_sentences <= 0:
            return None
        none = pl.col("kept") == 0
        left = pl.max_horizontal("kept", sentence_ends(pl.col("text"))) < self.minimum_sentences
        return first_reason(lines, {"no-text": none & (pl.col("gone") == 0), "no-lines-left": none, "few-sentences": left})
