"""Check digits over whole columns: ISO 7064 and Luhn; and the identifiers that are made of them.

Every function takes a text series and answers a Boolean series, null where the input is null. Spaces are not removed and case is
not folded: the caller decides what counts as the same identifier. Texts of another shape, or longer than 64 characters, are false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]

LONGEST = 64
"""No identifier with a check digit is longer; it bounds the memory that a hostile cell can ask for."""

_VALUES = np.zeros(256, dtype=np.uint8)
_VALUES[ord("0") : ord("9") + 1] = np.arange(10)
_VALUES[ord("A") : ord("Z") + 1] = np.arange(10, 36)
_VALUES[ord("a") : ord("z") + 1] = np.arange(10, 36)

# Length by country, from the SWIFT IBAN registry (ISO 13616), release 99; BF, CF, CG, CI, CM and DZ, which are not in it, as in use.
_IBAN_LENGTHS = {
    length: countries.split()
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FO FI GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ XK LT LU MN",
        21: "HR LV LI CH",
        22: "BH BG CR GE DE IE ME RS GB VA",
        23: "TL GI IQ IL OM SO AE",
        24: "AD CZ MD PK RO SA SK ES SE TN VG",
        25: "LY PT ST",
        26: "IS TR DZ",
        27: "BI DJ FR GR IT MR MC SM CF CG CM",
        28: "AL AZ BY CY DO SV GT HU LB PL NI HN BF CI",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}


def mod97(texts: pl.Series) -> pl.Series:
    """Whether the text, letters read as 10 to 35, leaves 1 when divided by 97 (ISO 7064 MOD 97-10)."""
    return _checked(texts, rf"\A[0-9A-Za-z]{{2,{LONGEST}}}\z", lambda values: _remainder97(values) == 1)


def lei(texts: pl.Series) -> pl.Series:
    """Whether it is a Legal Entity Identifier (ISO 17442): 18 upper-case letters or digits and two check digits, MOD 97-10."""
    return _checked(texts, r"\A[0-9A-Z]{18}[0-9]{2}\z", lambda values: _remainder97(values) == 1)


def iban(texts: pl.Series) -> pl.Series:
    """Whether it is an IBAN (ISO 13616) without spaces: country and its length, then MOD 97-10 with the first four at the end."""
    shape = "|".join(
        f"(?:{'|'.join(countries)})[0-9]{{2}}[0-9A-Z]{{{length - 4}}}" for length, countries in _IBAN_LENGTHS.items()
    )
    fits = texts.str.contains(rf"\A(?:{shape})\z")
    turned = pl.select(pl.lit(texts).str.slice(4) + pl.lit(texts).str.slice(0, 4)).to_series()
    right = _checked(turned, rf"\A[0-9A-Z]{{2,{LONGEST}}}\z", lambda values: _remainder97(values) == 1)
    return _known(texts, fits.fill_null(value=False) & right.fill_null(value=False))


def luhn(texts: pl.Series) -> pl.Series:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1 annex B)."""
    return _checked(texts, rf"\A[0-9]{{2,{LONGEST}}}\z", _luhn)


def card(texts: pl.Series) -> pl.Series:
    """Whether it can be a payment card number (ISO/IEC 7812-1): 12 to 19 digits, not all zero, Luhn."""
    return _checked(texts, r"\A[0-9]{12,19}\z", lambda values: _luhn(values) & values.any(axis=0))


SCHEMES: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    "card": card,
    "iban": iban,
    "lei": lei,
    "luhn": luhn,
    "mod97": mod97,
}
"""Identifier schemes by name."""


def _checked(texts: pl.Series, shape: str, holds: Callable[[Array], Array]) -> pl.Series:
    """Apply ``holds`` to the values of the texts that match ``shape``: one row per place, one column per text."""
    chosen = texts.str.contains(shape).fill_null(value=False)
    width = max(int(texts.filter(chosen).str.len_bytes().max() or 0), 2)  # type: ignore[arg-type]
    return _known(texts, chosen & pl.Series(holds(_digits(texts, chosen, width)), dtype=pl.Boolean))


def _known(texts: pl.Series, verdict: pl.Series) -> pl.Series:
    """Answer null where nothing was given: an absent number is not a wrong one."""
    return verdict.set(texts.is_null(), None).alias(texts.name)


def _digits(texts: pl.Series, chosen: pl.Series, width: int) -> Array:
    """Return character values, right-aligned over leading zeros, which change neither Luhn nor a remainder.

    Shape (width, rows): place by place is how check digits are computed. Rows not ``chosen`` are all zero.
    """
    safe = pl.select(pl.when(pl.lit(chosen)).then(pl.lit(texts)).otherwise(pl.lit("")).str.pad_start(width, "0")).to_series()
    if not len(safe):
        return np.zeros((width, 0), dtype=np.uint8)
    flat = safe.to_frame("t").select(pl.col("t").str.join("")).item()
    raw = np.frombuffer(flat.encode("ascii"), dtype=np.uint8).reshape(len(safe), width)
    return np.ascontiguousarray(_VALUES[raw].T)


def _remainder97(values: Array) -> Array:
    remainder = np.zeros(values.shape[1], dtype=np.uint32)
    for place in values:
        remainder = (remainder * np.where(place > 9, np.uint32(100), np.uint32(10)) + place) % np.uint32(97)
    return remainder


def _luhn(values: Array) -> Array:
    doubled = values[-2::-2].astype(np.uint16) * 2
    total = values[-1::-2].sum(axis=0, dtype=np.uint16) + np.where(doubled > 9, doubled - 9, doubled).sum(axis=0)
    return np.asarray(total % 10 == 0)
