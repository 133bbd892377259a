"""The receipt: written last and atomically, it says that a part is done and what became of every row.

Receipts give resume, progress, metrics and conservation on every engine. Workers write receipts and never the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from datalab.errors import ConservationError
from datalab.model.canonical import canonical_json, digest

Tally = Mapping[str, Mapping[str, int]]
"""Counts by step label, then by reason, code or name."""


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that a worker wrote: path relative to the run folder, rows, bytes, and what its bytes are known by.

    What is released or kept as evidence has a SHA-256 (hex). What only goes from one pass to the next has a CRC-32 (hex): it tells
    a torn or damaged file when a run is resumed, at a fraction of the cost.
    """

    path: str
    rows: int
    bytes: int
    sha256: str = ""
    crc32: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """What became of rows: in + generated = kept + dropped + quarantined (law 1), checked on construction."""

    rows_in: int = 0
    generated: int = 0
    kept: int = 0
    dropped: Tally = field(default_factory=dict)
    quarantined: Tally = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = [self.rows_in, self.generated, self.kept]
        counts += [count for tally in (self.dropped, self.quarantined) for names in tally.values() for count in names.values()]
        if min(counts) < 0:
            raise ConservationError(
                "a count of rows is negative", next="this is a defect of a step or of the engine, please report it"
            )
        if self.rows_in + self.generated != self.kept + self.rows_dropped + self.rows_quarantined:
            raise ConservationError(
                f"{self.rows_in} rows in + {self.generated} generated, but {self.kept} kept + {self.rows_dropped} dropped"
                f" + {self.rows_quarantined} quarantined",
                next="this is a defect of a step or of the engine: nothing was released, please report it",
            )

    @property
    def rows_dropped(self) -> int:
        """All dropped rows."""
        return sum(sum(reasons.values()) for reasons in self.dropped.values())

    @property
    def rows_quarantined(self) -> int:
        """All quarantined rows."""
        return sum(sum(codes.values()) for codes in self.quarantined.values())

    @classmethod
    def together(cls, several: Iterable[Rows]) -> Rows:
        """Add up the rows of parts of one phase."""
        items = tuple(several)
        return cls(
            rows_in=sum(item.rows_in for item in items),
            generated=sum(item.generated for item in items),
            kept=sum(item.kept for item in items),
            dropped=add_tallies(item.dropped for item in items),
            quarantined=add_tallies(item.quarantined for item in items),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the counts as plain JSON."""
        return {
            "rows_in": self.rows_in,
            "generated": self.generated,
            "kept": self.kept,
            "dropped": {step: dict(reasons) for step, reasons in self.dropped.items()},
            "quarantined": {step: dict(codes) for step, codes in self.quarantined.items()},
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Rows:
        """Read what `as_json` wrote."""
        return cls(**{key: body[key] for key in ("rows_in", "generated", "kept", "dropped", "quarantined")})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one part, in one phase, came to. ``milliseconds``, ``peak_bytes``, ``attempt`` and ``costs`` are no part of its digest."""

    plan: str
    phase: int
    part: int
    rows: Rows
    files: Mapping[str, FileRef]
    """By role: ``rows``, ``provenance``, ``dropped``, ``quarantine``, ``keys``, ``partial`` …"""
    counts: Tally = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    milliseconds: int = 0
    peak_bytes: int = 0
    attempt: int = 1
    costs: Tally = field(default_factory=dict)
    """Where the time went, by step: ``rows`` and ``bytes`` it was given, ``microseconds`` of processor time it took."""

    def as_json(self) -> dict[str, Any]:
        """Return the receipt as plain JSON, with the digest of what it states."""
        body = self._statement()
        return {
            **body,
            "digest": digest(body),
            "milliseconds": self.milliseconds,
            "peak_bytes": self.peak_bytes,
            "attempt": self.attempt,
            "costs": {step: dict(names) for step, names in self.costs.items()},
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the receipt."""
        return canonical_json(self.as_json())

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Receipt:
        """Read what `as_json` wrote; raise ``ValueError`` where the digest does not fit."""
        receipt = cls(
            plan=body["plan"],
            phase=body["phase"],
            part=body["part"],
            rows=Rows.from_json(body["rows"]),
            files={role: FileRef(**entry) for role, entry in body["files"].items()},
            counts=body["counts"],
            facts=body["facts"],
            milliseconds=body["milliseconds"],
            peak_bytes=body["peak_bytes"],
            attempt=body["attempt"],
            costs=body["costs"],
        )
        if digest(receipt._statement()) != body["digest"]:
            msg = f"receipt of part {receipt.part} does not match its digest"
            raise ValueError(msg)
        return receipt

    def _statement(self) -> dict[str, Any]:
        return {
            "version": 1,
            "plan": self.plan,
            "phase": self.phase,
            "part": self.part,
            "rows": self.rows.as_json(),
            "files": {
                role: {"path": ref.path, "rows": ref.rows, "bytes": ref.bytes, "sha256": ref.sha256, "crc32": ref.crc32}
                for role, ref in sorted(self.files.items())
            },
            "counts": {step: dict(names) for step, names in self.counts.items()},
            "facts": dict(self.facts),
        }


def add_tallies(several: Iterable[Tally]) -> dict[str, dict[str, int]]:
    """Add counts up, keeping the order in which steps and reasons first appear."""
    total: dict[str, dict[str, int]] = {}
    for tally in several:
        for step, reasons in tally.items():
            mine = total.setdefault(step, {})
            for reason, count in reasons.items():
                mine[reason] = mine.get(reason, 0) + count
    return total
