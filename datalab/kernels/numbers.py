"""Numbers, as people in Europe write them, from text columns: the decimal mark and the thousands separator are told, never guessed.

Every function returns a series in which a value that does not fit is null; null and blank stay null. `misfits` tells them apart.
"""

# ruff: noqa: RUF001 - Greek words
from __future__ import annotations

import re

import polars as pl

SPACES = " \u00a0\u2009\u202f"
"""What stands between thousands where the separator is a space."""
_MINUS = "\u2212"


def misfits(text: pl.Series, cast: pl.Series) -> pl.Series:
    """Return True where ``text`` held something that became null in ``cast``."""
    return text.is_not_null() & (text.str.strip_chars() != "") & cast.is_null()


def plain_number(text: pl.Series, *, decimal: str, thousands: str, fraction: bool) -> pl.Series:
    """Return numbers in the plain form ``-1234.56``; null where the text is no number in the form that was told.

    Groups must be whole (``1.234.567``, not ``1.23.4``) and never follow the decimal mark. Exponents only where ``fraction``.
    """
    trimmed = text.str.strip_chars().str.replace(_MINUS, "-", literal=True)
    group = f"[{re.escape(SPACES)}]" if thousands == " " else re.escape(thousands)
    whole = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+" if thousands else "[0-9]+"
    tail = rf"(?:{re.escape(decimal)}[0-9]+)?(?:[eE][+-]?[0-9]{{1,3}})?" if fraction else ""
    lead = rf"|{re.escape(decimal)}[0-9]+" if fraction else ""
    fits = trimmed.str.contains(f"^[+-]?(?:(?:{whole}){tail}{lead})$")
    plain = trimmed.str.replace_all(group, "") if thousands else trimmed
    if fraction and decimal != ".":
        plain = plain.str.replace(decimal, ".", literal=True)
    return plain.str.strip_prefix("+").to_frame("n").select(pl.when(fits).then(pl.col("n"))).to_series().alias(text.name)


def integers(text: pl.Series, *, decimal: str = ".", thousands: str = "") -> pl.Series:
    """Return Int64; a number with a fraction or beyond 64 bits does not fit."""
    return plain_number(text, decimal=decimal, thousands=thousands, fraction=False).cast(pl.Int64, strict=False)


def floats(text: pl.Series, *, decimal: str = ".", thousands: str = "") -> pl.Series:
    """Return Float64; what overflows to infinity does not fit."""
    found = plain_number(text, decimal=decimal, thousands=thousands, fraction=True).cast(pl.Float64, strict=False)
    return found.set(found.is_infinite(), None)


def decimals(text: pl.Series, precision: int, scale: int, *, decimal: str = ".", thousands: str = "") -> pl.Series:
    """Return Decimal(precision, scale), exact: more digits than the type has do not fit; nothing is rounded."""
    plain = plain_number(text, decimal=decimal, thousands=thousands, fraction=True)
    exact = plain.str.contains(rf"^-?0*[0-9]{{0,{precision - scale}}}(?:\.[0-9]{{0,{scale}}}0*)?$").fill_null(value=False)
    kept = plain.set(~exact, None).str.replace(r"^(-?)0*([0-9])", "${1}${2}").str.replace(r"^(-?)\.", "${1}0.")
    return kept.str.to_decimal(scale=scale).cast(pl.Decimal(precision, scale))


_YES = "true yes y 1 on ja j oui o sí si s sì sim tak t да ano áno igen i da jah kyllä joo nai ναι taip jā iva tá"
_NO = "false no n 0 off nein nee non não nie н не ne nem nu ei nej όχι oxi ochi nē le níl"
_AMBIGUOUS = {
    "ne",
    "o",
    "i",
    "s",
    "t",
    "н",
    "nai",
}  # "nai" is yes in Greek written in Latin letters, "ne" no in Czech and yes in Greek
TRUE_WORDS = frozenset(_YES.split()) - _AMBIGUOUS
FALSE_WORDS = (frozenset(_NO.split()) - _AMBIGUOUS) | {"ne"}
"""Yes and no in the official EU languages (lower case), true/false, on/off, 1/0. Words with two meanings are left out; ``ne`` is no
in seven languages, and in Greek only where it is written without Greek letters."""


def booleans(text: pl.Series) -> pl.Series:
    """Return Boolean; words that are neither yes nor no in an EU language do not fit."""
    words = text.str.strip_chars().str.to_lowercase()
    frame = words.to_frame("w").select(
        pl.when(pl.col("w").is_in(list(TRUE_WORDS)))
        .then(statement=True)
        .when(pl.col("w").is_in(list(FALSE_WORDS)))
        .then(statement=False)
    )
    return frame.to_series().alias(text.name)
