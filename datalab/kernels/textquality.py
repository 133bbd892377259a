"""From signals to a verdict: which rule of text quality, if any, a text breaks. Facts are made in `textsignals` and `repetition`.

The limits are those of Gopher (Rae et al. 2021, appendix A1.1), with the mean word length widened where a language builds longer
words; ``C4`` and ``FINEWEB`` add the rules of Raffel et al. 2020 and Penedo et al. 2024. Texts mostly of scripts without spaces (Han, kana,
Thai …) are counted as two characters a word, and rules about words do not hold for them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import polars as pl

LONG_WORDS = ("da", "de", "el", "et", "fi", "hu", "lt", "lv", "nl", "sv")
"""Languages that compound or agglutinate: their plain prose comes near ten letters a word."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may be. Shares run from 0 to 1; words are counted per text, word length in characters."""

    minimum_words: int = 50
    maximum_words: int = 100_000
    shortest_mean_word: float = 3.0
    longest_mean_word: float = 10.0
    longest_mean_word_compounding: float = 12.0
    symbols_per_word: float = 0.1
    bullet_lines: float = 0.9
    ellipsis_lines: float = 0.3
    repeated_lines: float = 0.3
    repeated_line_text: float = 0.2
    """Gopher, table A1: the share of the text that may stand in repeated lines."""
    letters: float = 0.8
    stop_words: int = 2
    """How many different stop words of its language a text must hold; asked of texts of 50 words or more whose language has a list."""
    sentences: int = 0
    """C4 asks for three."""
    terminal_lines: float = 0.0
    """How many lines at least must end as a sentence does; FineWeb drops texts with a share of 0.12 or less."""
    short_lines: float = 1.0
    """How many lines may be shorter than 30 characters; FineWeb drops texts with a share of 0.67 or more."""
    braces: bool = True
    """Whether a text may contain ``{``; C4 drops such texts as code."""


GOPHER = Limits()
C4 = Limits(sentences=3, braces=False)
FINEWEB = Limits(sentences=3, braces=False, terminal_lines=0.12, short_lines=0.67, repeated_line_text=0.1)


def reasons(signals: pl.DataFrame, languages: pl.Series | None = None, limits: Limits | None = None) -> pl.Series:
    """Return the reason for which a text falls, null where it stays; the first broken rule counts. A null text is ``no-text``.

    ``languages`` gives the ISO 639-1 code of each text, or null where it is not known.
    """
    limit = limits or GOPHER
    compounding = pl.lit(value=False) if languages is None else languages.is_in(LONG_WORDS).fill_null(value=False)
    unspaced = pl.col("unspaced_share") > 0.5
    words = pl.when(unspaced).then(pl.col("characters") / 2).otherwise("words")
    frame = signals.with_columns(compounding.alias("long_words"), words.alias("words"))
    longest = pl.when("long_words").then(limit.longest_mean_word_compounding).otherwise(limit.longest_mean_word)
    word = pl.col("mean_word_length")
    rules = {
        "no-text": pl.col("words").is_null() | (pl.col("words") == 0),
        "too-few-words": pl.col("words") < limit.minimum_words,
        "too-many-words": pl.col("words") > limit.maximum_words,
        "words-too-short": (word < limit.shortest_mean_word) & ~unspaced,
        "words-too-long": (word > longest) & ~unspaced,
        "many-hashes": pl.col("hash_share") > limit.symbols_per_word,
        "many-ellipses": pl.col("ellipsis_share") > limit.symbols_per_word,
        "mostly-bullets": pl.col("bullet_lines") > limit.bullet_lines,
        "cut-off-lines": pl.col("ellipsis_lines") > limit.ellipsis_lines,
        "repeated-lines": (pl.col("repeated_lines") > limit.repeated_lines)
        | (pl.col("repeated_line_text") > limit.repeated_line_text),
        "few-letters": (pl.col("alpha_share") < limit.letters) & ~unspaced,
        "few-stop-words": (pl.col("stop_words") < limit.stop_words) & (pl.col("words") >= GOPHER.minimum_words),
        "few-sentences": pl.col("sentences") < limit.sentences,
        "unfinished-lines": (pl.col("terminal_lines") <= limit.terminal_lines) & (limit.terminal_lines > 0),
        "short-lines": (pl.col("short_lines") >= limit.short_lines) & (limit.short_lines < 1),
        "placeholder-text": pl.col("placeholder") > 0,
        "code": (pl.col("braces") > 0) if not limit.braces else pl.lit(value=False),
    }
    return (
        frame.select(pl.coalesce(*(pl.when(broken).then(pl.lit(reason)) for reason, broken in rules.items())))
        .to_series()
        .alias("reason")
    )


@dataclass(frozen=True, slots=True)
class RepetitionLimits:
    """How much of a text may repeat itself: shares from 0 to 1, and 1 allows everything.

    Every limit bears the name of its fact in `datalab.kernels.repetition.REPETITION`. The defaults are table A1 of Gopher (Rae et al. 2021); the two
    limits of that table for lines are in `Limits`.
    """

    repeated_paragraphs: float = 0.30
    repeated_paragraph_text: float = 0.20
    top_2_words: float = 0.20
    top_3_words: float = 0.18
    top_4_words: float = 0.16
    repeated_5_words: float = 0.15
    repeated_6_words: float = 0.14
    repeated_7_words: float = 0.13
    repeated_8_words: float = 0.12
    repeated_9_words: float = 0.11
    repeated_10_words: float = 0.10


GOPHER_REPETITION = RepetitionLimits()


def repetition_reasons(facts: pl.DataFrame, limits: RepetitionLimits = GOPHER_REPETITION) -> pl.Series:
    """Return the reason for which a text falls (``repeated-paragraphs``, ``top-2-words`` …), null where it stays; the first in the order of the limits counts.

    A null text stays, and so does one without a word.
    """
    names = [limit.name for limit in fields(limits)]
    broken = (pl.when(pl.col(name) > getattr(limits, name)).then(pl.lit(name.replace("_", "-"))) for name in names)
    return facts.select(pl.coalesce(*broken).alias("reason")).to_series()
