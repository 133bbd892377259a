"""Unicode form of text columns: NFC, white space, control characters. A cheap mask finds the few rows that a costly kernel must touch.

Every function takes a String series and returns it with the number of values that changed; null stays null.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.characters import code_points
from datalab.kernels.hashing import text_buffers
from datalab.kernels.spans import Bytes, Ints

NFC_RELEVANT = (
    "300-34E 350-36F 374 37E 387 483-487 591-5BD 5BF 5C1-5C2 5C4-5C5 5C7 610-61A 64B-65F 670 6D6-6DC 6DF-6E4 6E7-6E8 "
    "6EA-6ED 711 730-74A 7EB-7F3 7FD 816-819 81B-823 825-827 829-82D 859-85B 897-89F 8CA-8E1 8E3-8FF 93C 94D 951-954 "
    "958-95F 9BC 9BE 9CD 9D7 9DC-9DD 9DF 9FE A33 A36 A3C A4D A59-A5B A5E ABC ACD B3C B3E B4D B56-B57 B5C-B5D BBE BCD BD7 "
    "C3C C4D C55-C56 CBC CC2 CCD CD5-CD6 D3B-D3C D3E D4D D57 DCA DCF DDF E38-E3A E48-E4B EB8-EBA EC8-ECB F18-F19 F35 F37 "
    "F39 F43 F4D F52 F57 F5C F69 F71-F76 F78 F7A-F7D F80-F84 F86-F87 F93 F9D FA2 FA7 FAC FB9 FC6 102E 1037 1039-103A 108D "
    "1161-1175 11A8-11C2 135D-135F 1714-1715 1734 17D2 17DD 18A9 1939-193B 1A17-1A18 1A60 1A75-1A7C 1A7F 1AB0-1ABD "
    "1ABF-1ADD 1AE0-1AEB 1B34-1B35 1B44 1B6B-1B73 1BAA-1BAB 1BE6 1BF2-1BF3 1C37 1CD0-1CD2 1CD4-1CE0 1CE2-1CE8 1CED 1CF4 "
    "1CF8-1CF9 1DC0-1DFF 1F71 1F73 1F75 1F77 1F79 1F7B 1F7D 1FBB 1FBE 1FC9 1FCB 1FD3 1FDB 1FE3 1FEB 1FEE-1FEF 1FF9 1FFB "
    "1FFD 2000-2001 20D0-20DC 20E1 20E5-20F0 2126 212A-212B 2329-232A 2ADC 2CEF-2CF1 2D7F 2DE0-2DFF 302A-302F 3099-309A "
    "A66F A674-A67D A69E-A69F A6F0-A6F1 A806 A82C A8C4 A8E0-A8F1 A92B-A92D A953 A9B3 A9C0 AAB0 AAB2-AAB4 AAB7-AAB8 AABE- "
    "AABF AAC1 AAF6 ABED F900-FA0D FA10 FA12 FA15-FA1E FA20 FA22 FA25-FA26 FA2A-FA6D FA70-FAD9 FB1D-FB1F FB2A-FB36 "
    "FB38-FB3C FB3E FB40-FB41 FB43-FB44 FB46-FB4E FE20-FE2F 101FD 102E0 10376-1037A 10A0D 10A0F 10A38-10A3A 10A3F "
    "10AE5-10AE6 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFA-10EFB 10EFD-10EFF 10F46-10F50 10F82-10F85 11046 11070 1107F "
    "110B9-110BA 11100-11102 11127 11133-11134 11173 111C0 111CA 11235-11236 112E9-112EA 1133B-1133C 1133E 1134D 11357 "
    "11366-1136C 11370-11374 113B8 113BB 113C2 113C9 113CE-113D0 11442 11446 1145E 114B0 114BA 114BD 114C2-114C3 115AF "
    "115BF-115C0 1163F 116B6-116B7 1172B 11839-1183A 11930 1193D-1193E 11943 119E0 11A34 11A47 11A99 11C3F 11D42 "
    "11D44-11D45 11D97 11F41-11F42 1611E-16120 16129 1612F 16AF0-16AF4 16B30-16B36 16D67 16FF0-16FF1 1BC9E 1D15E-1D169 "
    "1D16D-1D172 1D17B-1D182 1D185-1D18B 1D1AA-1D1AD 1D1BB-1D1C0 1D242-1D244 1E000-1E006 1E008-1E018 1E01B-1E021 "
    "1E023-1E024 1E026-1E02A 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF 1E6E3 1E6E6 1E6EE-1E6EF 1E6F5 "
    "1E8D0-1E8D6 1E944-1E94A 2F800-2FA1D "
)
"""All code points with NFC_Quick_Check other than Yes or a combining class other than 0, in hex (Unicode 14 to that of polars 2.1).

A text without any of them is in NFC (UAX #15, section 9). The test derives the list again from ``unicodedata`` and from polars.
"""
WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""The White_Space property (PropList.txt), the same that ``\\s`` means in the Rust regex engine."""
CONTROLS = r"[\x00-\x08\x0e-\x1f\x7f-\u{84}\u{86}-\u{9f}\u{feff}]"
"""C0 and C1 controls that are no white space, DEL, and the byte order mark in the middle of text."""


_FIRST_LEAD = 0xCC
"""The first byte of U+0300 in UTF-8."""
_BLOCK = 1 << 18
_EXOTIC_SPACES = [char for char in WHITE_SPACE if char > "\x7f"]
_ODD_SPACES = ["  ", *(char for char in WHITE_SPACE if char != " ")]
_ASCII_SPACES = ["\t", "\r", "\x0b", "\x0c"]
_LINE_BREAKS = r"\r\n|[\r\x0b\x0c\u{85}\u{2028}\u{2029}]"
_ODD_BREAKS = ["\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
_SPACES_IN_LINE = [char for char in _EXOTIC_SPACES if char not in _ODD_BREAKS]
_SPACES = "[" + "".join(f"\\u{{{ord(char):x}}}" for char in _SPACES_IN_LINE) + "]"


def where_needed(text: pl.Series, mask: pl.Series, kernel: Callable[[pl.Series], pl.Series]) -> tuple[pl.Series, int]:
    """Apply ``kernel`` to the rows under ``mask`` only; return the series and how many of its values changed."""
    rows = mask.fill_null(value=False).arg_true()
    if not rows.len():
        return text, 0
    before = text.gather(rows)
    after = kernel(before)
    changed = int((before != after).sum())
    # scatter writes into the series it is called on: the caller's must stay as it is
    return (
        after.alias(text.name) if rows.len() == text.len() else text.clone().scatter(rows, after)
    ) if changed else text, changed


def nfc(text: pl.Series) -> tuple[pl.Series, int]:
    """Bring text to Normalization Form C."""
    return where_needed(text, _rows_with(text, _nfc_relevant), lambda rows: rows.str.normalize("NFC"))


def collapse_white_space(text: pl.Series) -> tuple[pl.Series, int]:
    """Make every run of white space one space, and none at the ends."""

    def kernel(rows: pl.Series) -> pl.Series:
        rows = _replaced(rows, _EXOTIC_SPACES, r"[^\S\x00-\x7f]", " ")
        rows = _replaced(rows, _ASCII_SPACES, r"[\t\r\x0b\x0c]", " ").str.replace_all("\n", " ", literal=True)
        return _single_spaces(rows).str.strip_chars(" ")

    odd = text.str.contains_any(_ODD_SPACES)
    edges = (text.str.starts_with(" ") | text.str.ends_with(" ")) & ~odd
    text, collapsed = where_needed(text, odd, kernel)
    text, stripped = where_needed(text, edges, lambda rows: rows.str.strip_chars(" "))
    return text, collapsed + stripped


def collapse_spaces_in_lines(text: pl.Series) -> tuple[pl.Series, int]:
    """Collapse white space inside lines, make every line break one newline, and at most two of them in a row."""

    def kernel(rows: pl.Series) -> pl.Series:
        rows = _replaced(rows, _ODD_BREAKS, _LINE_BREAKS, "\n")
        rows = _replaced(rows, _SPACES_IN_LINE, _SPACES, " ").str.replace_all("\t", " ", literal=True)
        rows = _replaced(_single_spaces(rows), [" \n", "\n "], r" ?\n ?", "\n")
        return _replaced(rows, ["\n\n\n"], r"\n{3,}", "\n\n").str.strip_chars(" \n")

    edges = functools.reduce(operator.or_, (text.str.starts_with(end) | text.str.ends_with(end) for end in " \n"))
    odd = text.str.contains_any(["  ", " \n", "\n ", "\n\n\n", *(char for char in WHITE_SPACE if char not in " \n")])
    return where_needed(text, odd | edges, kernel)


def _holds(text: pl.Series, signs: list[str]) -> pl.Series:
    """Return which rows hold one of ``signs``, looked for in groups that begin with at most three different bytes.

    So many the search skips to with vector instructions; with all signs at once it took up to ten times as long.
    """
    plain = [sign for sign in signs if sign < "\x80"]
    general = [sign for sign in signs if "\u2000" <= sign < "\u3000"]
    others = [sign for sign in signs if sign >= "\x80" and sign not in general]
    groups = [*(plain[place : place + 3] for place in range(0, len(plain), 3)), general, others]
    return functools.reduce(operator.or_, (text.str.contains_any(group) for group in groups if group))


def _replaced(text: pl.Series, signs: list[str], pattern: str, by: str) -> pl.Series:
    """Replace ``pattern`` in the rows that hold one of ``signs``: looking for literals is ten times faster than matching."""
    return where_needed(text, _holds(text, signs), lambda rows: rows.str.replace_all(pattern, by))[0]


def _single_spaces(text: pl.Series) -> pl.Series:
    return where_needed(text, text.str.contains("  ", literal=True), lambda rows: rows.str.replace_all(" {2,}", " "))[0]


def remove_controls(text: pl.Series) -> tuple[pl.Series, int]:
    """Remove control characters other than white space."""
    return where_needed(text, _rows_with(text, _controls), lambda rows: rows.str.replace_all(CONTROLS, ""))


def _rows_with(text: pl.Series, find: Callable[[Bytes, int], Ints]) -> pl.Series:
    """Return the rows in which ``find`` sees something: of a piece of the column's bytes, to places among its first ``size``."""
    data, offsets = text_buffers(text)
    found = np.zeros(len(text), dtype=np.bool_)
    for start in range(int(offsets[0]), int(offsets[-1]), _BLOCK):
        piece = data[start : min(start + _BLOCK + 3, offsets[-1])]  # the last character may reach into the next block
        places = find(piece, min(_BLOCK, len(piece)))
        found[np.searchsorted(offsets, places + start, side="right") - 1] = True
    return pl.Series(found)


def _nfc_relevant(data: Bytes, size: int) -> Ints:
    """Return where characters begin that NFC may change: none of them below U+0300, few of them in plain text."""
    places = np.flatnonzero(data[:size] >= _FIRST_LEAD)
    return places[_relevant()[code_points(data, places)]]


def _controls(data: Bytes, size: int) -> Ints:
    own = data[:size]
    plain = (own < 9) | ((own - np.uint8(14)) < 18) | (own == 0x7F)
    latin = np.flatnonzero(own == 0xC2)
    second = data[latin + 1]
    marks = np.flatnonzero(own == 0xEF)
    return np.concatenate(
        [
            np.flatnonzero(plain),
            latin[(second < 0xA0) & (second != 0x85)],
            marks[code_points(data, marks) == 0xFEFF],
        ]
    )


@functools.cache
def _relevant() -> np.ndarray[Any, np.dtype[np.bool_]]:
    table = np.zeros(0x110000, dtype=np.bool_)
    for item in NFC_RELEVANT.split():
        first, _, last = item.partition("-")
        table[int(first, 16) : int(last or first, 16) + 1] = True
    return table
