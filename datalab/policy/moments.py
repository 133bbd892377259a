"""Moments: dates and times as terms write them, as half-open intervals in UTC."""

from __future__ import annotations

import datetime as dt
import re

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_END = dt.datetime.max.replace(tzinfo=dt.UTC)


def interval(text: str) -> tuple[dt.datetime, dt.datetime] | None:
    """Return the first moment of ``text`` and the first moment after it; None where it cannot be read.

    A date is its whole day, a time is one instant (xsd:date, xsd:dateTime). Without a time zone it is read as UTC.
    """
    text = text.strip()
    try:
        start = dt.datetime.fromisoformat(text)
        start = start.replace(tzinfo=dt.UTC) if start.tzinfo is None else start.astimezone(dt.UTC)
        length = dt.timedelta(days=1) if _DATE.fullmatch(text) else dt.timedelta(microseconds=1)
        return start, min(start, _END - length) + length
    except (ValueError, OverflowError):
        return None


def rfc3339(moment: dt.datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
