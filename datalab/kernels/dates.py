"""Dates and moments from text columns, by formats that are told. A value that fits none is null; so is one that two read differently.

Formats are those of strftime: ``%Y-%m-%d``, ``%d.%m.%Y`` …
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

ISO_DATE = "%Y-%m-%d"
_ISO_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|z|[+-][0-9]{2}:?[0-9]{2})?$"
)
_OFFSET = r"(?:Z|z|[+-][0-9]{2}:?[0-9]{2})$"


def dates(text: pl.Series, formats: Sequence[str] = (ISO_DATE,)) -> tuple[pl.Series, pl.Series]:
    """Return (Date, ambiguous): where two of ``formats`` read one text as different days, the date is null and ambiguous is True."""
    trimmed = text.str.strip_chars()
    found = [trimmed.str.to_date(form, strict=False) for form in formats]
    frame = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(found)])
    differ = frame.select(pl.min_horizontal(pl.all()) != pl.max_horizontal(pl.all())).to_series().fill_null(value=False)
    date = frame.select(pl.coalesce(pl.all())).to_series().set(differ, None)
    plausible = date.dt.year().is_between(1, 9999)
    return date.set(~plausible.fill_null(value=True), None).alias(text.name), differ


def moments(text: pl.Series, formats: Sequence[str] = (), zone: str = "UTC") -> pl.Series:
    """Return Datetime in microseconds, UTC. ISO 8601 is always read; ``formats`` come after it.

    A text with an offset is converted; one without is local time in ``zone``. Local times that do not exist there (spring) or
    happen twice (autumn) do not fit, a date alone is midnight.
    """
    trimmed = text.str.strip_chars()
    iso = trimmed.set(~trimmed.str.contains(_ISO_MOMENT).fill_null(value=False), None)
    with_offset = iso.str.contains(_OFFSET)
    plain = iso.str.replace(" ", "T", literal=True).str.replace(",", ".", literal=True).str.replace(r"[zZ]$", "+00:00")
    plain = plain.str.replace(r"(T[0-9]{2}:[0-9]{2})($|[+-])", "${1}:00${2}")
    plain = plain.str.replace(r"([+-][0-9]{2})([0-9]{2})$", "${1}:${2}")
    aware = plain.set(~with_offset.fill_null(value=False), None).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC"
    )
    local = [
        plain.set(with_offset.fill_null(value=False), None).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us"
        )
    ]
    local.append(trimmed.str.to_date(ISO_DATE, strict=False).cast(pl.Datetime("us")))
    for form in formats:
        if "%H" in form or "%I" in form:
            local.append(trimmed.str.to_datetime(form, strict=False, time_unit="us"))
        else:
            local.append(trimmed.str.to_date(form, strict=False).cast(pl.Datetime("us")))
    frame = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(local)])
    naive = frame.select(pl.coalesce(pl.all())).to_series()
    placed = naive.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.convert_time_zone("UTC")
    return pl.DataFrame({"a": aware, "b": placed}).select(pl.coalesce("a", "b")).to_series().alias(text.name)
