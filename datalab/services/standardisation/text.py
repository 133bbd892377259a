"""Text in one form: UTF-8 in NFC, without control characters and stray white space, and without mojibake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from datalab.kernels.distinct import distinct, repeats
from datalab.kernels.encoding import repair_mojibake
from datalab.kernels.unicode import collapse_spaces_in_lines, collapse_white_space, nfc, remove_controls
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_text
from datalab.services.standardisation.columns import names_of


@dataclass(frozen=True, slots=True)
class Text(MapStep):
    r"""Bring ``columns`` to Unicode NFC, remove control characters, make every run of white space one space, trim the ends.

    With ``lines=True`` line breaks stay (as ``\n``, at most one empty line), for texts with paragraphs.
    Counts: ``controls-removed``, ``normalised-nfc``, ``white-space-collapsed`` (values changed).
    """

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]
    lines: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``: the columns must hold text."""
        require_text(schema, self.columns, step=self.name)
        return Bound(
            schema, {name: Derivation((name,), description="text to NFC, white space collapsed") for name in self.columns}
        )

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Repair the values; no row is dropped."""
        kernels = {
            "controls-removed": remove_controls,
            "normalised-nfc": nfc,
            "white-space-collapsed": collapse_spaces_in_lines if self.lines else collapse_white_space,
        }
        counts: Counter[str] = Counter()
        changed = []
        for name in self.columns:
            apart = distinct(frame[name]) if repeats(frame[name]) else None
            text = apart.values if apart else frame[name]
            for what, kernel in kernels.items():
                before = text
                text, number = kernel(before)
                counts[what] += apart.rows(before != text) if apart and number else number
            changed.append((apart.spread(text) if apart else text).alias(name))
        return Outcome(frame.with_columns(changed), counts=dict(+counts))


@dataclass(frozen=True, slots=True)
class Encoding(MapStep):
    """Repair mojibake in ``columns`` (``Ã©`` to ``é``, once or several times broken), only where the repair is certain.

    Put it before ``Text``: a no-break space is often the second half of a broken letter, and is lost when white space collapses.
    Counts: ``mojibake-repaired``, and ``mojibake-left`` for values that look broken but cannot be repaired with certainty.
    """

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``: the columns must hold text."""
        require_text(schema, self.columns, step=self.name)
        return Bound(schema, {name: Derivation((name,), description="mojibake repaired") for name in self.columns})

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Repair the values; no row is dropped."""
        counts: Counter[str] = Counter()
        changed = []
        for name in self.columns:
            text, fixed, left = repair_mojibake(frame[name])
            counts += Counter({"mojibake-repaired": fixed, "mojibake-left": left})
            changed.append(text.alias(name))
        return Outcome(frame.with_columns(changed), counts=dict(counts))
