"""Moments: dates, times and durations as terms write them (XML Schema), as half-open intervals in UTC."""

from __future__ import annotations

import calendar
import datetime as dt
import re

_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_DURATION = re.compile(
    r"P(?:(?P<years>[0-9]{1,6})Y)?(?:(?P<months>[0-9]{1,6})M)?(?:(?P<weeks>[0-9]{1,6})W)?(?:(?P<days>[0-9]{1,7})D)?"
    r"(?P<time>T(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?(?:(?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,6})?)S)?)?"
)
_END = dt.datetime.max.replace(tzinfo=dt.UTC)


def interval(text: str) -> tuple[dt.datetime, dt.datetime] | None:
    """Return the first moment of ``text`` and the first moment after it; None where it cannot be read.

    A date is its whole day, a time is one instant (xsd:date, xsd:dateTime). Without a time zone it is read as UTC. Other
    forms of ISO 8601 (week dates, no separators) are not read: what they end at differs between readers.
    """
    text = text.strip()
    day = _DATE.fullmatch(text)
    if not day and not _TIME.fullmatch(text):
        return None
    try:
        start = dt.datetime.fromisoformat(f"{day[1]}T00:00:00{day[2] or ''}" if day else text)
        start = start.replace(tzinfo=dt.UTC) if start.tzinfo is None else start.astimezone(dt.UTC)
        length = dt.timedelta(days=1) if day else dt.timedelta(microseconds=1)
        return start, min(start, _END - length) + length
    except (ValueError, OverflowError):
        return None


def after(start: dt.datetime, duration: str) -> dt.datetime | None:
    """Return the moment one xsd:duration (weeks allowed too) after ``start``; None where it cannot be read.

    Years and months go by the calendar; a day that the month does not have becomes its last. What lies beyond the year
    9999 is the last moment there is.
    """
    match = _DURATION.fullmatch(duration.strip())
    if not match or duration.strip() == "P" or match["time"] == "T":
        return None
    part = {name: int(value or 0) for name, value in match.groupdict().items() if name not in {"time", "seconds"}}
    months = start.month - 1 + part["months"] + part["years"] * 12
    year, month = start.year + months // 12, months % 12 + 1
    try:
        day = min(start.day, calendar.monthrange(year, month)[1])
        length = dt.timedelta(
            weeks=part["weeks"],
            days=part["days"],
            hours=part["hours"],
            minutes=part["minutes"],
            seconds=float(match["seconds"] or 0),
        )
        return start.replace(year=year, month=month, day=day) + length
    except (ValueError, OverflowError):
        return _END


def rfc3339(moment: dt.datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
