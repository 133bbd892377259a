"""Names of people in text: after a title (no gazetteer needed), and those that stand in other columns of the same row.

A name in a column of its own is easy to remove; it leaks through the narrative beside it. Matching folds case and accents, knows
possessives, and respects word boundaries; numbers are matched by their digits, dates in the ways people write them.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from datalab.kernels.countries import EU_LANGUAGES
from datalab.kernels.spans import Column, Span
from datalab.services.scrubbing.catalogue import ATTRIBUTE, BIRTH_DATE, NAME, PHONE

_PARTICLES = "van|von|vom|zu|zur|de|der|den|des|del|della|di|da|do|dos|du|la|le|los|las|el|al|bin|ibn|ter|ten|te|af|av|und|y|e|i|of|the|st"
_PARTICLE = re.compile(rf"(?:{_PARTICLES})\Z")
_TITLES = (
    r"Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Doctor|Sir|Herr|Herrn|Frau|Mme|Mlle|MM|Monsieur|Madame|Mademoiselle|Docteur|Sig|Sig\.ra|Sig\.na|"
    r"Signor|Signora|Signorina|Dott|Dott\.ssa|Dottor|Dottoressa|Sra|Srta|Señor|Señora|Señorita|Doña|Dhr|Mevr|Mw|Meneer|Mevrouw|De heer|"
    r"Senhor|Senhora|Dra|Ing|Dipl\.-Ing|Hr|Fr|Paní|Pán|Κος|Κα|Κύριος|Κυρία|Г-н|Г-жа|Д-р"  # noqa: RUF001
)
_LABELS = (
    r"(?:[Pp]atient(?:in|e|en|ka)?|[Pp]atiënt|[Pp]aciente|[Pp]aziente|[Pp]acjent(?:ka)?|[Nn]ame|[Ff]ull [Nn]ame|[Nn]om|[Nn]ombre|[Nn]ombre completo|[Nn]aam|"
    r"[Ii]mię i nazwisko|[Nn]ome|[Nn]ome e cognome|[Cc]lient|[Cc]ustomer|[Cc]ontact [Nn]ame|[Ss]igned|[Ss]incerely)\s?:"
)
_PLAIN_LABEL = re.compile(r"(?:\\[nrt])?(?!(?i:pati|paci|pazi|pacj))[^:.]*:")
_UPPER = r"A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĞĠĢĤĦĨĪĬĮİĴĶĹĻĽĿŁŃŅŇŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽȘȚΑ-ΫА-Я"
_WORD = rf"(?:[DLdl]['’]|O['’]|Mc|Mac)?[{_UPPER}](?:[\w’'\-]*[^\W\d_]|\.|(?![\w]))"  # noqa: RUF001
_TITLED = re.compile(
    rf"(?:(?:\b|\\[nrt])(?:{_TITLES})\b\.?(?: (?:{_TITLES})\b\.?){{0,2}}|(?:\b|\\[nrt]){_LABELS})[ \u00a0]{{1,2}}((?:(?:{_PARTICLES}) ){{0,2}}{_WORD}(?: (?:(?:{_PARTICLES}) ){{0,2}}{_WORD}){{0,3}})"
)
_GUARD = rf"(?:{_TITLES})[. ]|{_LABELS}"
_POSSESSIVE = re.compile(r"['’]s?\Z")  # noqa: RUF001
_DIGITS = re.compile(r"[0-9]")
_NUMBER = re.compile(r"[0-9+()][0-9 ().\-/\u00a0\u202f]{4,30}[0-9]")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?\Z")
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")  # noqa: RUF001
_ODD = {ord("ł"): "l", ord("ø"): "o", ord("đ"): "d", ord("ħ"): "h", ord("ı"): "i", ord("’"): "'"}  # noqa: RUF001


def after_titles(texts: pl.Series, column: Column) -> Iterator[Span]:
    """Yield the names that follow a title or a label: ``Dr. Anna Müller``, ``Patient: J. van Dijk``; the title stays."""
    guard = texts.str.contains(_GUARD).fill_null(value=False)
    rows = np.flatnonzero(guard.to_numpy())
    for row, text in zip(rows.tolist(), texts.filter(guard), strict=True):
        for match in _TITLED.finditer(text):
            if _PLAIN_LABEL.match(match[0]) and " " not in match[1].strip():
                continue  # "Name: Click" is a program; "Name: Ann Lee" is a person
            start, end = match.span(1)
            end -= len(match[1]) - len(_POSSESSIVE.sub("", match[1]).rstrip("-'’"))  # noqa: RUF001
            if end > start:
                yield _placed(column, row, text, start, end, NAME)


def of_same_row(texts: pl.Series, column: Column, others: Sequence[pl.Series]) -> Iterator[Span]:
    """Yield the places in each text where a value of the same row in ``others`` stands again."""
    folded = pl.select(_folded_expression(pl.lit(texts))).to_series()
    for other in others:
        values = other.cast(pl.String)
        distinct = values.unique().drop_nulls()
        keys = pl.DataFrame(
            {"value": distinct, "key": [_guard(value) for value in distinct.to_list()]},
            schema={"value": pl.String, "key": pl.List(pl.String)},
        )
        guards = values.to_frame("value").join(keys, on="value", how="left", maintain_order="left")["key"]
        hits = np.zeros(len(texts), dtype=bool)
        for place in range(int(guards.list.len().max() or 0)):  # type: ignore[arg-type]
            literal = guards.list.get(place, null_on_oob=True)
            frame = pl.DataFrame({"text": folded, "literal": literal})
            hits |= (
                frame.select(pl.col("text").str.contains(pl.col("literal"), literal=True).fill_null(value=False))
                .to_series()
                .to_numpy()
            )
        chosen = pl.Series(hits)
        for row, text, value in zip(np.flatnonzero(hits).tolist(), texts.filter(chosen), values.filter(chosen), strict=True):
            for start, end, kind in _occurrences(text, value):
                yield _placed(column, row, text, start, end, kind)


def fold(text: str) -> str:
    """Return ``text`` without case and accents, one character for one: places in it are places in ``text``."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_one(char) for char in text)


@lru_cache(maxsize=4096)
def _fold_one(char: str) -> str:
    base = unicodedata.normalize("NFD", char)[0].translate(_ODD).lower()[:1]
    return base.translate(_ODD) or char


def _folded_expression(text: pl.Expr) -> pl.Expr:
    """Return the same folding for whole columns (it may shorten; only used to choose rows)."""
    plain = text.str.to_lowercase().str.normalize("NFD").str.replace_all(r"\p{Mn}", "")
    return plain.str.replace_many({chr(code): to for code, to in _ODD.items()})


def _guard(value: str) -> list[str]:
    """Return folded literals one of which stands in every text that can hold ``value``."""
    kind, needles = _needles(value)
    if kind in (NAME, ATTRIBUTE):
        return sorted({needle.split()[0] for needle in needles})
    return [""] if needles else []


@lru_cache(maxsize=65_536)
def _needles(value: str) -> tuple[str, tuple[str, ...]]:
    """Return what kind of thing ``value`` is, and the forms to look for (folded, words joined by single spaces)."""
    value = value.strip()
    date = _ISO_DATE.match(value)
    if date:
        return BIRTH_DATE, _date_forms(*date.groups())
    digits = "".join(_DIGITS.findall(value))
    letters = sum(char.isalpha() for char in value)
    if len(digits) >= 6 and letters <= 4:
        return PHONE if letters == 0 and 7 <= len(digits) <= 15 else ATTRIBUTE + "-number", (
            digits.lstrip("0")[-9:] if len(digits) > 9 else digits,
        )
    if digits:
        return ATTRIBUTE, _address_forms(value)
    words = [fold(word) for word in _WORDS.findall(value)]
    forms = {" ".join(words)} if len("".join(words)) >= 2 else set()
    forms |= {word for word in words if len(word) >= 2 and not _PARTICLE.match(word)}
    for old, new in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "ß"), ("ß", "ss")):
        forms |= {form.replace(old, new) for form in tuple(forms) if old in form and len(form) > 3}
    for accented, wide in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("å", "aa"), ("ø", "oe")):
        if accented in value.lower():
            forms |= {fold(word.lower().replace(accented, wide)) for word in _WORDS.findall(value) if accented in word.lower()}
    return NAME, tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _address_forms(value: str) -> tuple[str, ...]:
    """Return the whole and its parts at the commas that tell: "36, rue Mallet" stands as such, and as "rue Mallet 36"."""
    parts = [part.strip() for part in value.split(",")]
    told = [part for part in parts if len(part) >= 6 and (_DIGITS.search(part) or len(_pieces(part)) > 1)]
    whole = [value] if len(value) >= 6 or len(_DIGITS.findall(value)) >= 4 else []  # a postal code has four digits or more
    return tuple(dict.fromkeys(" ".join(pieces) for pieces in map(_pieces, whole + told) if pieces))


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", fold(text))


def _occurrences(text: str, value: str) -> Iterator[tuple[int, int, str]]:
    kind, needles = _needles(value)
    if kind in (PHONE, ATTRIBUTE + "-number"):
        for match in _NUMBER.finditer(text):
            found = "".join(_DIGITS.findall(match[0]))
            if needles[0] in found and len(found) <= len(needles[0]) + 6:
                yield match.start(), match.end(), PHONE if kind == PHONE else ATTRIBUTE
        return
    plain = fold(text)
    for needle in needles:
        for start, end in _whole_words(plain, needle):
            if kind == NAME and len(needle) <= 3 and not text[start].isupper():
                continue  # "May", "Al", "Jo": the short ones are names only with their capital
            if text[start - 1 : start] == "<" and start:
                continue  # a token put there by an earlier step
            yield start, end, kind


def _whole_words(plain: str, needle: str) -> Iterator[tuple[int, int]]:
    words = needle.split()
    numeric = all(word.isdigit() for word in words)  # "1985, 3/2" is the end of one date and the start of another
    at = plain.find(words[0])
    while at >= 0:
        end = at + len(words[0])
        for word in words[1:]:
            gap = end
            while gap < len(plain) and gap - end < 3 and not plain[gap].isalnum() and not (numeric and plain[gap] == ","):
                gap += 1
            if not plain.startswith(word, gap):
                end = -1
                break
            end = gap + len(word)
        if end > 0 and not plain[at - 1 : at].isalnum() and not _inside_word(plain, end):
            yield at, end
        at = plain.find(words[0], at + 1)


def _inside_word(plain: str, end: int) -> bool:
    """Whether a word goes on at ``end``; the s of a German genitive or a possessive is no part of the name."""
    rest = plain[end : end + 2]
    return rest[:1].isalnum() and not (rest[:1] == "s" and not rest[1:].isalnum())


def _date_forms(year: str, month: str, day: str) -> tuple[str, ...]:
    y, m, d = int(year), int(month), int(day)
    try:
        dt.date(y, m, d)
    except ValueError:
        return ()
    numeric = {
        f"{a:{fa}} {b:{fb}} {c}"
        for a, b in ((d, m), (m, d))
        for fa in ("", "02")
        for fb in ("", "02")
        for c in (y, f"{y % 100:02d}")
    }
    numeric |= {f"{y} {m:02d} {d:02d}", f"{y}{m:02d}{d:02d}", f"{y} {m} {d}"}
    named = {f"{d} {name} {y}" for name in _months(m)} | {f"{name} {d} {y}" for name in _months(m)}
    named |= {f"{d}{tail} {name} {y}" for name in _months(m) for tail in ("st", "nd", "rd", "th", "er")}
    named |= {f"{name} {d}{tail} {y}" for name in _months(m) for tail in ("st", "nd", "rd", "th")}
    named |= {f"{d} de {name} de {y}" for name in _months(m)}
    return tuple(sorted(numeric | named))


@lru_cache(maxsize=12)
def _months(month: int) -> tuple[str, ...]:
    """Return the folded names of a month in the languages of the EU, as they stand in a date."""
    from babel import Locale

    found: dict[str, None] = {}
    for language in EU_LANGUAGES:
        months = Locale(language).months["format"]
        for width in ("wide", "abbreviated"):
            found[" ".join(_pieces(str(months[width][month])))] = None
    return tuple(found)


def _placed(column: Column, row: int, text: str, start: int, end: int, kind: str) -> Span:
    base = int(column.offsets[row])
    first = base + (start if text.isascii() else len(text[:start].encode()))
    return Span(first, first + len(text[start:end].encode()), kind, 4)
