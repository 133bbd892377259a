"""Facts about texts: counts and shares, one row per text, made in a few passes over the column and free of any judgement.

A word is a run without space, tab or line end; a sentence end is ``.``, ``!``, ``?`` or ``…`` before white space or the end (also the
Greek question mark). Counts of a null text are null.
"""

from __future__ import annotations

import polars as pl

SCRIPTS = {"Latn": r"\p{Latin}", "Grek": r"\p{Greek}", "Cyrl": r"\p{Cyrillic}"}
"""Scripts of the official EU languages, by ISO 15924 code."""

_WORD = r"[^ \n\t\r]+"
_ALPHA_WORD = r"[^ \n\t\r]*\p{L}[^ \n\t\r]*"
_SENTENCE_END = "[.!?…\u037e][.!?…\u037e\"'»\u201d\u2019)]*(?:[ \n\t\r]|$)"
_HEAD = 1000


def statistics(texts: pl.Series) -> pl.DataFrame:
    """Return characters, words, sentences, lines (UInt32), mean_word_length, letter_share (Float64, three decimals) and script.

    ``script`` is the ISO 15924 code of most letters in the first 1,000 characters, ``Zyyy`` without letters of an EU script.
    ``sentences`` is at least 1 for a text with a word.
    """
    text, head = pl.col("t"), pl.col("t").str.slice(0, _HEAD)
    counted = texts.to_frame("t").select(
        text.str.len_chars().alias("characters"),
        text.str.count_matches(_WORD).alias("words"),
        text.str.count_matches(_SENTENCE_END).alias("sentences"),
        _lines(text).alias("lines"),
        _ink(text).alias("ink"),
        head.str.count_matches(r"\p{L}").alias("letters"),
        head.str.len_chars().alias("head"),
        *(head.str.count_matches(pattern).alias(script) for script, pattern in SCRIPTS.items()),
    )
    most = pl.max_horizontal(*SCRIPTS)
    script = pl.coalesce(
        pl.when(most == 0).then(pl.lit("Zyyy")), *(pl.when(pl.col(name) == most).then(pl.lit(name)) for name in SCRIPTS)
    )
    return counted.select(
        "characters",
        "words",
        pl.max_horizontal("sentences", (pl.col("words") > 0).cast(pl.UInt32)).alias("sentences"),
        "lines",
        _ratio("ink", "words").round(3).alias("mean_word_length"),
        _ratio("letters", "head").round(3).alias("letter_share"),
        script.alias("script"),
    )


def signals(texts: pl.Series) -> pl.DataFrame:
    """Return the signals of the Gopher rules (Rae et al. 2021, table A1) and some of C4's (Raffel et al. 2020), as Float64.

    words · mean_word_length · hash_share and ellipsis_share (marks per word) · alpha_share (words with a letter) · bullet_lines
    and ellipsis_lines (shares of lines) · repeated_lines (share of non-blank lines seen before in the text) · braces and
    placeholder (1.0 where the text has ``{`` or "lorem ipsum").
    """
    text = pl.col("t")
    counted = texts.to_frame("t").select(
        text.str.count_matches(_WORD).alias("words"),
        text.str.count_matches(_ALPHA_WORD).alias("alpha"),
        _ink(text).alias("ink"),
        text.str.count_matches("#", literal=True).alias("hash"),
        (text.str.count_matches("...", literal=True) + text.str.count_matches("…", literal=True)).alias("ellipsis"),
        _lines(text).alias("lines"),
        text.str.count_matches(r"(?m)^[ \t]*[-•*●▪]").alias("bullets"),
        text.str.count_matches(r"(?m)(?:\.\.\.|…)[ \t\r]*$").alias("trailing"),
        _repeated(text).alias("repeated_lines"),
        text.str.contains("{", literal=True).cast(pl.Float64).alias("braces"),
        text.str.contains("(?i)lorem ipsum").cast(pl.Float64).alias("placeholder"),
    )
    return counted.select(
        pl.col("words").cast(pl.Float64),
        _ratio("ink", "words").alias("mean_word_length"),
        _ratio("hash", "words").alias("hash_share"),
        _ratio("ellipsis", "words").alias("ellipsis_share"),
        _ratio("alpha", "words").alias("alpha_share"),
        _ratio("bullets", "lines").alias("bullet_lines"),
        _ratio("trailing", "lines").alias("ellipsis_lines"),
        "repeated_lines",
        "braces",
        "placeholder",
    )


def _lines(text: pl.Expr) -> pl.Expr:
    return text.str.count_matches("\n", literal=True) + 1


def _ink(text: pl.Expr) -> pl.Expr:
    """Characters that belong to words."""
    return text.str.len_chars() - text.str.count_matches(r"[ \n\t\r]")


def _repeated(text: pl.Expr) -> pl.Expr:
    lines = pl.when(text.str.contains("\n", literal=True)).then(text.str.split("\n"))
    inked = lines.list.eval(pl.element().str.strip_chars().filter(pl.element().str.contains(r"[^ \t\r]")))
    share = 1 - inked.list.n_unique() / inked.list.len()
    return pl.when(text.is_not_null()).then(share.fill_nan(0.0).fill_null(0.0))


def _ratio(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) == 0).then(0.0).otherwise(pl.col(part) / pl.col(whole))
