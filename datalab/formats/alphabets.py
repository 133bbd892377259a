"""Which 8-bit encoding a text is in: the one under which a single European language explains most of its letters.

Byte statistics alone cannot tell cp1250 from cp1252: every Czech letter read as cp1252 is some letter, only never all of one language.
"""

from __future__ import annotations

import codecs
import itertools
from collections import Counter

# ruff: noqa: RUF001 - alphabets look alike, that is the point
_WEST = (
    "æøåé",
    "äöüß",
    "åäöé",
    "éëïèöüáó",
    "àâæçéèêëîïôœùûüÿ",
    "áéíñóúü¿¡ªº",
    "áàâãçéêíóôõúªº",
    "àèéìíòóùú",
    "áðéíóúýþæö",
    "çàèéíïòóúü·",
)
_CENTRAL = ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "čćđšž", "ăâîşţ", "äöüß")
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņōŗšūž", "äõöšüž")
_GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",)
_CYRILLIC = ("абвгдежзийклмнопрстуфхцчшщъьюя", "абвгдежзийклмнопрстуфхцчшщъыьэюяё", "абвгдеєжзиіїйклмнопрстуфхцчшщьюяґ")
_TURKISH = ("çğıöşüâîİ",)
_CANDIDATES = (
    ("cp1252", _WEST),
    ("cp1250", _CENTRAL),
    ("iso8859-2", _CENTRAL),
    ("cp1257", _BALTIC),
    ("iso8859-13", _BALTIC),
    ("cp1253", _GREEK),
    ("iso8859-7", _GREEK),
    ("cp1251", _CYRILLIC),
    ("iso8859-5", _CYRILLIC),
    ("koi8-r", _CYRILLIC),
    ("iso8859-3", ("ċġħżàèìòù",)),
    ("cp1254", _TURKISH),
)
_LATIN = frozenset({"cp1252", "cp1250", "iso8859-2", "cp1257", "iso8859-13", "iso8859-3", "cp1254"})
_NEUTRAL = frozenset("\u00a0€‚„…†‡‰‹›‘’“”•–—™¢£§©«»°±²³´µ¶·¹¼½¾")  # they say nothing about the language


def european_encoding(lines: bytes) -> str:
    """Return the Python name of the most likely encoding of ``lines``, "" where no language explains half of the letters.

    cp1252 holds all of Latin-1 and wins ties, as it does in the WHATWG encoding standard. Greek and Cyrillic fill the same bytes
    with letters: there charset-normalizer decides.
    """
    seen = Counter(byte for byte in lines if byte >= 0x80)
    scores = {encoding: _score(seen, lines, encoding, alphabets) for encoding, alphabets in _CANDIDATES}
    top = max(scores.values())
    tied = [encoding for encoding, score in scores.items() if score > top - 0.02]
    if top < 0.5 or tied[0] in _LATIN:
        return tied[0] if top >= 0.5 else ""
    import charset_normalizer

    best = charset_normalizer.from_bytes(lines, cp_isolation=[name.replace("-", "_") for name in tied]).best()
    return codecs.lookup(best.encoding).name if best is not None else tied[0]


def _score(seen: Counter[int], lines: bytes, encoding: str, alphabets: tuple[str, ...]) -> float:
    """Return the share of letters that the best alphabet has, less the share of what cannot be; 1 where there is nothing to tell."""
    letters: Counter[str] = Counter()
    misses = 0
    for byte, count in seen.items():
        char = bytes([byte]).decode(encoding, "replace")
        if char in _NEUTRAL:
            continue
        if char.isalpha() or char in "¿¡":
            letters[char.lower()] += count
        else:
            misses += count
    total = sum(letters.values()) + misses
    if not total:
        return 1.0 if encoding == "cp1252" else 0.0
    hits = max(sum(letters[char] for char in alphabet) for alphabet in alphabets)
    return (hits - misses - _ill_joined(lines, encoding)) / total


def _ill_joined(lines: bytes, encoding: str) -> float:
    """Count neighbours that no word has: a foreign capital after a small letter, a Greek or Cyrillic letter beside a Latin one."""
    text = lines[:8192].decode(encoding, "replace")
    share = max(len(lines), 1) / max(min(len(lines), 8192), 1)
    other = encoding not in _LATIN
    found = 0
    for left, right in itertools.pairwise(text):
        if left.isalpha() and right.isalpha() and not (left.isascii() and right.isascii()):
            found += (left.islower() and right.isupper()) or (other and left.isascii() != right.isascii())
    return found * share
