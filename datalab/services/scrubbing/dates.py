"""Dates of birth: a date counts only where the text before it says that somebody was born then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from datalab.kernels.spans import Span
from datalab.services.scrubbing.catalogue import BIRTH_DATE, BIRTH_WORDS

# Every form starts at a digit, so that the search skips over words; the month before the day is looked for backwards.
_DATE = re.compile(
    rb"\b(?:(?:18|19|20)[0-9]{2}[./\-][0-9]{1,2}[./\-][0-9]{1,2}"
    rb"|[0-9]{1,2}(?: ?[./\-] ?)[0-9]{1,2}(?: ?[./\-] ?)(?:(?:18|19|20)[0-9]{2}|[0-9]{2})"
    rb"|[0-9]{1,2} [0-9]{1,2} (?:18|19|20)[0-9]{2}"
    rb"|[0-9]{1,2}(?:st|nd|rd|th|er|\.|\xc2\xba|-)?[ \-]?(?:de |of |d')?[A-Za-z\x80-\xff]{3,16}\.?,?[ \-](?:de |del )?(?:18|19|20)[0-9]{2}"
    rb"|[0-9]{1,2}(?:st|nd|rd|th)?,? (?:18|19|20)[0-9]{2}"
    rb")\b"
)
_DAY_YEAR = re.compile(rb"[0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4}")
_MONTH_BEFORE = re.compile(rb"[A-Za-z\x80-\xff]{3,16}\.? \Z")
_BORN = re.compile(rf"\b(?:{BIRTH_WORDS})(?![^\W\d_])|\(\*(?=\s?\Z)")
_REACH = 44  # characters between the word and the date
_APART = re.compile(r"[!?\n<*]|(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])|[.!?]\s+\w+\s+\w+\s+\w+")


def birth_dates(text: bytes, before: Callable[[int], str]) -> Iterator[Span]:
    """Yield dates that ``before(start)``, the lower-case text up to them, makes dates of birth."""
    for match in _DATE.finditer(text):
        start = match.start()
        if _DAY_YEAR.fullmatch(match[0]):
            month = _MONTH_BEFORE.search(text[max(start - 18, 0) : start])
            if month is None:
                continue
            start -= len(month[0])
        said = before(start)
        word = max((found.end() for found in _BORN.finditer(said)), default=-1)
        if word >= 0 and len(said) - word <= _REACH and not _APART.search(said, word):
            yield Span(start, match.end(), BIRTH_DATE, 5)
