"""How fast a stage goes and what it leaves out, told from its receipts alone, so that it is the same on every engine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from datalab.model.receipt import Receipt

_SHORTEST = 0.5
"""Seconds before a rate is told: earlier it says more about the start than about the work."""
_MOST_REASONS = 3


@dataclass(slots=True)
class Pace:
    """The pace of one stage of ``tasks`` tasks, ``done`` of which were found finished when it began."""

    tasks: int
    done: int
    started: float = field(default_factory=time.monotonic)
    _found: int = -1
    _rows: int = 0
    _bytes: int = 0

    def __post_init__(self) -> None:
        self._found = self.done

    def take(self, receipt: Receipt) -> None:
        """Count a part that was finished now."""
        self.done += 1
        self._rows += receipt.rows.rows_in + receipt.rows.generated
        self._bytes += sum(ref.bytes for ref in receipt.files.values())

    def in_words(self, now: float | None = None) -> str:
        """Return rows a second, megabytes written a second, and the time that the rest of the stage may take; "" at its start."""
        seconds = (time.monotonic() if now is None else now) - self.started
        done = self.done - self._found
        if not done or seconds < _SHORTEST:
            return ""
        words = [f"{self._rows / seconds:,.0f} rows/s"] if self._rows else []
        words.append(f"{self._bytes / seconds / 1e6:,.1f} MB/s")
        left = seconds / done * (self.tasks - self.done)
        return ", ".join([*words, f"{_clock(left)} left"] if left >= 1 else words)


@dataclass(slots=True)
class LeftOut:
    """Rows dropped and quarantined so far in a run, by reason."""

    _dropped: dict[str, int] = field(default_factory=dict)
    _quarantined: dict[str, int] = field(default_factory=dict)

    def take(self, receipts: Iterable[Receipt]) -> None:
        """Count what the parts left out."""
        for receipt in receipts:
            for total, tally in ((self._dropped, receipt.rows.dropped), (self._quarantined, receipt.rows.quarantined)):
                for reasons in tally.values():
                    for reason, count in reasons.items():
                        total[reason] = total.get(reason, 0) + count

    def in_words(self) -> str:
        """Return the counts with the most frequent reasons; "" where nothing was left out."""
        told = (("dropped", self._dropped), ("quarantined", self._quarantined))
        return "; ".join(f"{sum(total.values()):,} {what} ({_most_frequent(total)})" for what, total in told if total)


def _most_frequent(total: dict[str, int]) -> str:
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{reason} {count:,}" for reason, count in ordered[:_MOST_REASONS]]
    return ", ".join([*words, "…"] if len(ordered) > _MOST_REASONS else words)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
