"""Dates of birth: a date counts only where the text before it says that somebody was born then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from datalab.kernels.spans import Span
from datalab.services.scrubbing.catalogue import BIRTH_DATE, BIRTH_WORDS

_MONTH = rb"[A-Za-z\x80-\xff]{3,16}\.?"
_DATE = re.compile(
    rb"\b(?:(?:18|19|20)[0-9]{2}[./\-][0-9]{1,2}[./\-][0-9]{1,2}"
    rb"|[0-9]{1,2}(?: ?[./\-] ?)[0-9]{1,2}(?: ?[./\-] ?)(?:(?:18|19|20)[0-9]{2}|[0-9]{2})"
    rb"|[0-9]{1,2} [0-9]{1,2} (?:18|19|20)[0-9]{2}"
    rb"|[0-9]{1,2}(?:st|nd|rd|th|er|\.|\xc2\xba|-)?[ \-]?(?:de |of |d')?"
    + _MONTH
    + rb",?[ \-](?:de |del )?(?:18|19|20)[0-9]{2}"
    rb"|[A-Za-z\x80-\xff]{3,16}\.? [0-9]{1,2}(?:st|nd|rd|th)?,? (?:18|19|20)[0-9]{2}"
    rb")\b"
)
_BORN = re.compile(rf"(?:\b(?:{BIRTH_WORDS})(?![^\W\d_])|\*)[^!?\n]{{0,44}}\Z")
_NEXT_SENTENCE = re.compile(r"[.!?]\s+\w+\s+\w+\s+\w+")


def birth_dates(text: bytes, before: Callable[[int], str]) -> Iterator[Span]:
    """Yield dates that ``before(start)``, the lower-case text up to them, makes dates of birth."""
    for match in _DATE.finditer(text):
        said = _BORN.search(before(match.start()))
        if said and not _NEXT_SENTENCE.search(said[0]):
            yield Span(match.start(), match.end(), BIRTH_DATE, 5)
