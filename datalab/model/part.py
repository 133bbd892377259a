"""The part: the unit of work, retry and resume."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``first … first + rows - 1`` of one source object, in one phase. ``index`` is the part's place in the phase: the order.

    Parts are cut when the plan is made, by rows and never by the number of workers.
    """

    index: int
    source: int
    first: int
    rows: int
