"""Language codes (ISO 639) from codes, tags and names in the 24 EU languages. Data: pycountry and babel, on first use."""

from __future__ import annotations

import functools
import re
import unicodedata

import polars as pl

from datalab.kernels.countries import EU_LANGUAGES, name_key

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})+")


def language_codes(text: pl.Series) -> pl.Series:
    """Return the ISO 639-1 code of every language, the ISO 639-3 code where there is no shorter one, null where unknown."""
    distinct = text.drop_nulls().unique(maintain_order=True)
    found = pl.Series([language(value) for value in distinct.to_list()], dtype=pl.String)
    return text.replace_strict(distinct, found, default=None, return_dtype=pl.String)


def primary(tags: pl.Series) -> pl.Series:
    """Return the language of BCP 47 tags (``de-AT``, ``pt_BR``): their first part, in lower case; null where blank."""
    first = pl.col("tag").str.strip_chars().str.to_lowercase().str.extract(r"\A([a-z]+)")
    return tags.to_frame("tag").select(first).to_series()


def language(value: str) -> str | None:
    """Return the code of one language: from ``de``, ``deu``, ``ger``, ``de-AT``, ``German``, ``Deutsch``, ``allemand``."""
    word = value.strip()
    codes = _codes()
    if word.lower() in codes:
        return codes[word.lower()]
    if (tag := _TAG.fullmatch(word)) and tag.group(1).lower() in codes:
        return codes[tag.group(1).lower()]
    names = _names()
    return names.get(_exact(word)) or names.get(name_key(word)) or None


@functools.cache
def _codes() -> dict[str, str]:
    import pycountry

    table: dict[str, str] = {"iw": "he", "in": "id", "ji": "yi", "mo": "ro", "sh": "sh"}  # withdrawn from ISO 639-1
    for item in pycountry.languages:
        short = getattr(item, "alpha_2", item.alpha_3)
        table[item.alpha_3] = short
        table[short] = short
        if hasattr(item, "bibliographic"):
            table[item.bibliographic] = short
    return table


@functools.cache
def _names() -> dict[str, str]:
    """Map name keys to codes: CLDR names in the EU languages and in the language itself. What means two languages maps to ""."""
    from babel import Locale

    codes = _codes()
    table: dict[str, str] = {}
    settled: set[str] = set()
    for place in ("en", *EU_LANGUAGES):
        for tag, name in Locale.parse(place).languages.items():
            code = codes.get(str(tag))
            for key in (name_key(str(name)), _exact(str(name))):
                if code and key not in settled:
                    table[key] = code if table.get(key, code) == code else ""
        if place == "en":
            settled = {key for key, code in table.items() if code}
    for item in _iso_names():
        table.setdefault(*item)
    return table


def _exact(name: str) -> str:
    """Return the key of a name with its accents: in Irish they alone tell Romanian from Romansh."""
    return "=" + unicodedata.normalize("NFC", name.casefold())


def _iso_names() -> list[tuple[str, str]]:
    import pycountry

    return [(name_key(item.name), getattr(item, "alpha_2", item.alpha_3)) for item in pycountry.languages]
