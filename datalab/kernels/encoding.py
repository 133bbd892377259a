"""Mojibake: UTF-8 that somebody read as an 8-bit encoding (``Ã©`` for ``é``), once or several times. Repaired only when certain."""

# ruff: noqa: RUF001 - marks that look alike are the subject
from __future__ import annotations

import functools
import re
import unicodedata

import polars as pl

_CODECS = ("cp1252", "cp1250", "cp1251")
_ROUNDS = 3
_RUN = 3
"""So many Greek or Cyrillic letters in a row prove it: single pairs occur in capitals (Polish ``ÓŁ`` spells a Cyrillic letter)."""
_C1 = re.compile("[\x80-\x9f]")
_QUOTES = frozenset('«»‹›“”„‘’‚"–—…·• \xa0º´ª¡¿')
"""Characters that may really follow a letter in a text: as the second half of a pair they prove nothing."""


def repair_mojibake(text: pl.Series) -> tuple[pl.Series, int, int]:
    """Return the text with certain repairs, how many values were repaired, and how many look broken but were left alone.

    A repair is certain where a sequence of characters is exactly what UTF-8 bytes look like in cp1252 (or Latin-1), cp1250 or
    cp1251, decodes to a letter or mark of a European language, and no text could hold that sequence on purpose. Bytes that were lost on
    the way (``Ã?``, U+FFFD) are counted as left alone.
    """
    mask = text.str.contains(_suspicious()).fill_null(value=False)
    rows = mask.arg_true()
    lost = int(text.str.contains("\ufffd", literal=True).sum() or 0)
    if not rows.len():
        return text, 0, lost
    suspects = text.gather(rows)
    distinct = suspects.unique(maintain_order=True)
    fixed = pl.Series([repaired(value) for value in distinct.to_list()], dtype=pl.String)
    after = suspects.replace_strict(distinct, fixed, return_dtype=pl.String)
    changed = int((after != suspects).sum())
    left = int(after.str.contains(_certain_signs()).sum()) + lost
    return text.clone().scatter(rows, after) if changed else text, changed, left


def repaired(value: str) -> str:
    """Repair one value, as many times as it was broken (three at the most)."""
    best = value
    for _ in range(_ROUNDS):
        before = value
        for codec in _CODECS:
            value = _once(value, codec)
            if value != before:
                break
        if value == before:
            break
        if len(_C1.findall(value)) <= len(_C1.findall(best)):
            best = value  # else controls came out: half of another round, worth nothing alone
    return best


def _once(value: str, codec: str) -> str:
    pattern, to_byte = _sequences(codec)
    found = [(match, _decoded(match.group(), to_byte)) for match in pattern.finditer(value)]
    foreign = _longest_run([match for match, char in found if char and not _is_latin(char)]) >= _RUN
    if codec != "cp1252" and any(ord(char) >= 0x80 and char not in to_byte for char in value):
        return value  # a character that this encoding lacks: the text was not read with it
    if codec == "cp1251" and any(0x400 <= ord(char) < 0x530 for char in pattern.sub("", value)):
        return value  # letters outside the pairs: this is a Cyrillic text
    if not foreign and not any(char and _is_certain(match.group(), char, codec) for match, char in found):
        return value

    def spelled(match: re.Match[str]) -> str:
        char = _decoded(match.group(), to_byte)
        return char if char and (foreign or _is_latin(char)) else match.group()

    return pattern.sub(spelled, value)


def _longest_run(matches: list[re.Match[str]]) -> int:
    """Return how many sequences follow one another without a gap, at the most: Greek and Cyrillic words are made of them."""
    longest = run = 0
    last = -1
    for match in matches:
        run = run + 1 if match.start() == last else 1
        last = match.end()
        longest = max(longest, run)
    return longest


def _is_certain(sequence: str, char: str, codec: str) -> bool:
    """Three characters or more prove it; a pair does when its second half cannot follow a capital letter in real text."""
    if len(sequence) >= 3:
        return True
    if codec == "cp1251":
        return False  # a Cyrillic pair may be a word: only whole runs of them count
    return _is_latin(char) and sequence[1] not in _QUOTES


def _is_latin(char: str) -> bool:
    """Whether this is a Latin letter or a mark, and not Greek or Cyrillic."""
    return not 0x370 <= ord(char) < 0x530


def _decoded(sequence: str, to_byte: dict[str, int]) -> str:
    """Return the European letter or mark that the bytes of ``sequence`` spell, "" if they spell anything else."""
    try:
        char = bytes(to_byte[item] for item in sequence).decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return char if _is_european(ord(char)) else ""


def _is_european(point: int) -> bool:
    letters = 0x80 <= point < 0x250 or 0x1E00 <= point < 0x1F00 or 0x370 <= point < 0x400 or 0x400 <= point < 0x460
    marks = (
        0x2010 <= point <= 0x2044
        or 0x20A0 <= point <= 0x20BF
        or point in {0x2116, 0x2122, 0x2212, 0xFB01, 0xFB02, 0x300, 0x301}
    )
    return (letters and unicodedata.category(chr(point)) != "Cn") or marks


@functools.cache
def _to_byte(codec: str) -> dict[str, int]:
    """Map characters to the byte they were read from; the holes of cp1252 hold C1 controls, as browsers read them."""
    table = {}
    for byte in range(0x80, 0x100):
        char = bytes([byte]).decode(codec, "replace")
        table[chr(byte) if char == "\ufffd" else char] = byte
        if codec == "cp1252":
            table.setdefault(chr(byte), byte)
    return table


@functools.cache
def _classes(codec: str) -> tuple[str, str, str, str]:
    table = _to_byte(codec)

    def among(first: int, last: int) -> str:
        return "[" + "".join(re.escape(char) for char, byte in table.items() if first <= byte <= last) + "]"

    return among(0xC2, 0xDF), among(0xE1, 0xEF), among(0xF0, 0xF4), among(0x80, 0xBF)


@functools.cache
def _sequences(codec: str) -> tuple[re.Pattern[str], dict[str, int]]:
    two, three, four, follow = _classes(codec)
    return re.compile(f"{three}{follow}{follow}|{four}{follow}{follow}{follow}|{two}{follow}"), _to_byte(codec)


@functools.cache
def _suspicious() -> str:
    """Return the mask for whole columns: any lead character followed by a continuation, in one of the encodings."""
    return "|".join(f"(?:{two}|{three}){follow}" for two, three, _, follow in (_classes(codec) for codec in _CODECS))


def _certain_signs() -> str:
    return r"Ã[\u{80}-\u{bf}?]|â€|Â[\u{a1}-\u{bf}]|Ð[\u{b0}-\u{bf}]"
