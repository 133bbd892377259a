"""What the characters of UTF-8 text are, found at their bytes: letters, their scripts, scripts written without spaces.

The classes are those of the regex engine in polars, asked once per process: one Unicode version for patterns and for arrays.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import polars as pl

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Array = np.ndarray[Any, np.dtype[Any]]

LETTER, LATIN, GREEK, CYRILLIC, UNSPACED = 1, 2, 4, 8, 16
_CLASSES = {
    LETTER: r"\p{L}",
    LATIN: r"\p{Latin}",
    GREEK: r"\p{Greek}",
    CYRILLIC: r"\p{Cyrillic}",
    UNSPACED: r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]",
}
_PLANE = 0x10000


def ascii_letters(data: Bytes) -> Array:
    """Return which bytes are letters of ASCII."""
    return np.asarray(((data | 32) - np.uint8(97)) < 26)


def beyond_ascii(data: Bytes) -> Array:
    """Return where the characters outside ASCII begin."""
    return np.flatnonzero(data >= 0xC2)


def code_points(data: Bytes, places: Array) -> Array:
    """Return the code points (int32) of the characters outside ASCII that begin at ``places`` of ``data``, which is valid UTF-8."""
    lead, second = data[places].astype(np.int32), data[places + 1].astype(np.int32) & 63
    points = (lead & 31) << 6 | second
    wide = np.flatnonzero(lead >= 0xE0)
    if len(wide):
        third = data[places[wide] + 2].astype(np.int32) & 63
        points[wide] = (lead[wide] & 15) << 12 | second[wide] << 6 | third
        widest = wide[lead[wide] >= 0xF0]
        last = data[places[widest] + 3].astype(np.int32) & 63
        points[widest] = (points[widest] << 6 | last) & 0x1FFFFF | (lead[widest] & 7) << 18
    return np.asarray(points)


def classes_at(data: Bytes, places: Array) -> Array:
    """Return the classes (uint8, sums of ``LETTER``, ``LATIN`` …) of the characters outside ASCII that begin at ``places``."""
    points = code_points(data, places)
    found: Array = _plane(0)[points & (_PLANE - 1)]
    beyond = np.flatnonzero(points >= _PLANE)
    for number in np.unique(points[beyond] >> 16).tolist():
        here = beyond[points[beyond] >> 16 == number]
        found[here] = _plane(number)[points[here] & (_PLANE - 1)]
    return found


@functools.cache
def _plane(number: int) -> Array:
    """Return the classes of the 65,536 code points of a plane; ASCII letters are Latin letters here too."""
    first = number * _PLANE
    points = np.arange(first, first + _PLANE)
    points = points[(points < 0xD800) | (points > 0xDFFF)]
    characters = pl.Series([chr(point) for point in points.tolist()]).to_frame("c")
    found = np.zeros(_PLANE, dtype=np.uint8)
    for bit, pattern in _CLASSES.items():
        within = characters.select(pl.col("c").str.contains(pattern)).to_series().to_numpy()
        found[points[within] - first] |= bit
    return found
