"""From signals to a verdict: which rule of text quality, if any, a text breaks. Facts are made in `textstats`.

The limits are those of Gopher (Rae et al. 2021, appendix A1.1), with the mean word length widened where a language builds longer
words. Languages written without spaces are not covered: the Union has none.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    letters: float = 0.8
    braces: bool = True
    """Whether a text may contain ``{``; C4 drops such texts as code."""


def reasons(signals: pl.DataFrame, languages: pl.Series | None = None, limits: Limits | None = None) -> pl.Series:
    """Return the reason for which a text falls, null where it stays; the first broken rule counts. A null text is ``no-text``.

    ``languages`` gives the ISO 639-1 code of each text, or null where it is not known.
    """
    limit = limits or Limits()
    compounding = pl.lit(value=False) if languages is None else languages.is_in(LONG_WORDS).fill_null(value=False)
    frame = signals.with_columns(compounding.alias("long_words"))
    longest = pl.when("long_words").then(limit.longest_mean_word_compounding).otherwise(limit.longest_mean_word)
    word = pl.col("mean_word_length")
    rules = {
        "no-text": pl.col("words").is_null() | (pl.col("words") == 0),
        "too-few-words": pl.col("words") < limit.minimum_words,
        "too-many-words": pl.col("words") > limit.maximum_words,
        "words-too-short": word < limit.shortest_mean_word,
        "words-too-long": word > longest,
        "many-hashes": pl.col("hash_share") > limit.symbols_per_word,
        "many-ellipses": pl.col("ellipsis_share") > limit.symbols_per_word,
        "mostly-bullets": pl.col("bullet_lines") > limit.bullet_lines,
        "cut-off-lines": pl.col("ellipsis_lines") > limit.ellipsis_lines,
        "repeated-lines": pl.col("repeated_lines") > limit.repeated_lines,
        "few-letters": pl.col("alpha_share") < limit.letters,
        "placeholder-text": pl.col("placeholder") > 0,
        "code": (pl.col("braces") > 0) if not limit.braces else pl.lit(value=False),
    }
    return (
        frame.select(pl.coalesce(*(pl.when(broken).then(pl.lit(reason)) for reason, broken in rules.items())))
        .to_series()
        .alias("reason")
    )
