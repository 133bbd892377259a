"""Country codes (ISO 3166-1) from what people write: codes, names in the 24 EU languages, former names, usual aliases.

Data: the CLDR names in babel and the ISO lists in pycountry, loaded on first use and kept for the process.
"""

from __future__ import annotations

import functools
import re
import unicodedata

import polars as pl

EU_LANGUAGES = (
    "bg",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "fi",
    "fr",
    "ga",
    "hr",
    "hu",
    "it",
    "lt",
    "lv",
    "mt",
    "nl",
    "pl",
    "pt",
    "ro",
    "sk",
    "sl",
    "sv",
)
"""The 24 official languages of the European Union, ISO 639-1."""

_ALIASES = {
    "EL": "GR",  # the EU's own code for Greece
    "UK": "GB",  # exceptionally reserved in ISO 3166-1
    "XI": "GB",  # VAT code of Northern Ireland
    "SU": "",
    "YU": "",
    "CS": "",
    "AN": "",  # dissolved into several countries: nobody can say which
    "DD": "DE",
    "BU": "MM",
    "ZR": "CD",
    "TP": "TL",
    "FX": "FR",
    "USA": "US",
    "America": "US",
    "United States of America": "US",
    "U.K.": "GB",
    "Great Britain": "GB",
    "Großbritannien": "GB",
    "Grande-Bretagne": "GB",
    "Gran Bretagna": "GB",
    "Gran Bretaña": "GB",
    "Grã-Bretanha": "GB",
    "Groot-Brittannië": "GB",
    "Storbritannien": "GB",
    "Wielka Brytania": "GB",
    "Velká Británie": "GB",
    "Iso-Britannia": "GB",
    "Suurbritannia": "GB",
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Northern Ireland": "GB",
    "Holland": "NL",
    "The Netherlands": "NL",
    "Republic of Ireland": "IE",
    "Eire": "IE",
    "Czech Republic": "CZ",
    "Tschechische Republik": "CZ",
    "République tchèque": "CZ",
    "Slovak Republic": "SK",
    "Slowakische Republik": "SK",
    "Hellas": "GR",
    "Hellenic Republic": "GR",
    "FYROM": "MK",
    "Macedonia": "MK",
    "Republic of Macedonia": "MK",
    "Burma": "MM",
    "Ceylon": "LK",
    "Persia": "IR",
    "Siam": "TH",
    "Swaziland": "SZ",
    "Zaire": "CD",
    "Cape Verde": "CV",
    "East Timor": "TL",
    "Upper Volta": "BF",
    "Rhodesia": "ZW",
    "Dahomey": "BJ",
    "Ivory Coast": "CI",
    "Turkey": "TR",
    "Türkiye": "TR",
    "East Germany": "DE",
    "West Germany": "DE",
    "Federal Republic of Germany": "DE",
    "BRD": "DE",
    "DDR": "DE",
    "German Democratic Republic": "DE",
    "Russia": "RU",
    "South Korea": "KR",
    "North Korea": "KP",
    "Vatican": "VA",
    "Palestine": "PS",
    "Taiwan": "TW",
    "Kosovo": "XK",
    "XKX": "XK",
}
_LEADING = re.compile(r"^(?:the|la|le|les|el|los|il|lo|gli|die|der|das|de|den|det|o|a|as|os|l) (?=.)")


def country_codes(text: pl.Series, to: str = "alpha-2", language: str = "en") -> pl.Series:
    """Return the code (``alpha-2``, ``alpha-3``) or the CLDR name in ``language`` of every country; null where unknown.

    A code of a part of a country (ISO 3166-2, ``US-DE``) counts as the country. Kosovo is XK / XKX, as the EU writes it.
    """
    distinct = text.drop_nulls().unique(maintain_order=True)
    found = pl.Series([_answer(value, to, language) for value in distinct.to_list()], dtype=pl.String)
    return text.replace_strict(distinct, found, default=None, return_dtype=pl.String)


def country(value: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code that ``value`` means, None where it means none or more than one."""
    upper = value.strip().upper()
    codes = _codes()
    if upper in codes:
        return codes[upper] or None
    if re.fullmatch(r"[A-Z]{2}-[A-Z0-9]{1,3}", upper) and upper in _subdivisions():
        return upper[:2]
    names = _names()
    key = name_key(value)
    found = names.get(key)
    if found is None:
        found = names.get(_LEADING.sub("", key))
    return found or None


@functools.lru_cache(maxsize=4096)
def name_key(value: str) -> str:
    """Return what two spellings of a name share: letters and digits without accents and case, one space between words."""
    decomposed = unicodedata.normalize("NFKD", value.casefold())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    letters = letters.replace("&", " and ").replace("ł", "l").replace("đ", "d").replace("ø", "o").replace("ħ", "h")
    return " ".join(re.sub(r"[^\w]+", " ", letters.replace(".", "")).split())


def _answer(value: str, to: str, language: str) -> str | None:
    code = country(value)
    if code is None or to == "alpha-2":
        return code
    return _alpha3()[code] if to == "alpha-3" else country_name(code, language)


def country_name(code: str, language: str = "en") -> str:
    """Return the CLDR name of an alpha-2 code."""
    return _territories(language)[code]


@functools.cache
def _territories(language: str) -> dict[str, str]:
    from babel import Locale

    return {str(code): str(name) for code, name in Locale.parse(language).territories.items()}


@functools.cache
def _alpha3() -> dict[str, str]:
    import pycountry

    return {item.alpha_2: item.alpha_3 for item in pycountry.countries} | {"XK": "XKX"}


@functools.cache
def _subdivisions() -> frozenset[str]:
    import pycountry

    return frozenset(item.code for item in pycountry.subdivisions)


@functools.cache
def _codes() -> dict[str, str]:
    import pycountry

    table = {key: code for key, code in _ALIASES.items() if key.isupper() and len(key) <= 3}
    for item in pycountry.countries:
        table |= {item.alpha_2: item.alpha_2, item.alpha_3: item.alpha_2, item.numeric: item.alpha_2}
    return table | {"XK": "XK"}


@functools.cache
def _names() -> dict[str, str]:
    """Map name keys to codes. A name that means two countries in two languages maps to "" and is unknown."""
    import pycountry

    known = _alpha3()
    table: dict[str, str] = {}
    for item in pycountry.countries:
        for name in (item.name, getattr(item, "official_name", ""), getattr(item, "common_name", "")):
            if name:
                table[name_key(name)] = item.alpha_2
                head, comma, tail = name.partition(", ")
                if comma:
                    table.setdefault(name_key(f"{tail} {head}"), item.alpha_2)
    english = {name_key(name): code for code, name in _territories("en").items() if code in known}
    table = {**table, **english, **{name_key(key): code for key, code in _ALIASES.items() if code and len(key) > 3}}
    settled = set(table)
    for language in EU_LANGUAGES:
        for code, name in _territories(language).items():
            key = name_key(name)
            if code in known and key not in settled:
                table[key] = code if table.get(key, code) == code else ""
    return table
