"""The evidence of one run: all that the exports and the report are made from, and nothing they would have to look up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datalab.model.agreement import Agreement, SourceObject
from datalab.model.event import Event
from datalab.model.manifest import Shard
from datalab.model.offer import Offer
from datalab.model.pipeline import Pipeline
from datalab.model.receipt import Rows


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run, from offer to gate and, for a release, approval.

    ``version`` is "" for a candidate. ``lineage`` has one entry per released column: {column, inputs, steps, kind, masked,
    description}. ``steps`` has one per step: {label, service, name, why, parameters}. ``events`` are the ledger's events of this run in
    order; every figure that is shown must be found in one of them. ``checks`` is the suite's result in Great Expectations'
    shape, or None. ``terms`` are the policies in words.
    """

    pipeline: Pipeline
    version: str
    digest: str
    plan: str
    schema: tuple[Mapping[str, Any], ...]
    shards: tuple[Shard, ...]
    rows: Rows
    lineage: tuple[Mapping[str, Any], ...]
    steps: tuple[Mapping[str, Any], ...]
    offers: tuple[Offer, ...]
    agreements: tuple[Agreement, ...]
    objects: tuple[SourceObject, ...]
    events: tuple[Event, ...]
    checks: Mapping[str, Any] | None
    terms: tuple[str, ...]
    valid_until: str
    lab: str
    lab_id: str

    @property
    def synthetic(self) -> bool:
        """Whether the released rows were generated."""
        return self.rows.generated > 0

    @property
    def scrubbed(self) -> bool:
        """Whether a scrubbing step worked on the rows."""
        return any(step["service"] == "scrubbing" for step in self.steps)

    @property
    def personal_data(self) -> bool:
        """Whether any source holds personal data by its holder's own statement."""
        return any(offer.personal_data for offer in self.offers)

    def of_type(self, *types: str) -> Iterator[Event]:
        """Yield the events of these types, in order."""
        return (event for event in self.events if event.type in types)

    def last(self, type: str) -> Event | None:
        """Return the last event of a type."""
        found = None
        for event in self.of_type(type):
            found = event
        return found
