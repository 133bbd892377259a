"""The connector port: what a data space, catalogue or store must be able to do for the lab.

A connector is registered under the entry point group ``datalab.connectors`` as a class that is called with its table of
``datalab.toml`` and a state folder of its own. Connectors import `datalab.model`, `datalab.errors` and `datalab.ports` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from datalab.errors import NotFound
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Offer, Query
from datalab.ports.landing import Landing

Progress = Callable[[str, int, int | None], None]
"""Called with (what, bytes or items so far, total if known)."""


class Connector(Protocol):
    """One configured data space. Every method may raise ``SourceError``; none retries for ever."""

    name: str

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that match, best first."""

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer; raise ``NotFound`` with the closest ids otherwise."""

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Conclude an agreement for ``offer``. ``decision`` must be a permit for Door.ACQUIRE of exactly this.

        Idempotent: asked again for the same offer and intent, it continues an unfinished negotiation.
        """

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Bring the objects of one distribution into the landing folder, verified; what is there already is not fetched again.

        Ordinals count from 0 within the call; the lab renumbers them.
        """


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a harvested catalogue. ``number`` grows with every change; ``offer`` is None where the dataset is gone."""

    number: int
    dataset_id: str
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a harvest came to: datasets in the catalogue now, and how many were new, changed, gone or could not be read."""

    datasets: int
    new: int = 0
    changed: int = 0
    gone: int = 0
    unreadable: int = 0


@runtime_checkable
class Harvester(Connector, Protocol):
    """A connector that keeps a copy of its catalogue, so that it can be searched without asking it."""

    @property
    def harvests(self) -> bool:
        """Whether this one does: a catalogue of millions is asked instead."""

    def harvest(self, progress: Progress) -> Harvest:
        """Bring the copy up to date; a harvest that was cut goes on where it was."""

    def changes(self, after: int) -> Iterator[Change]:
        """Yield what changed since the change ``after``, in order; 0 is the beginning."""

    def state(self) -> tuple[str, int, str]:
        """Return the name of the copy (a new one where it was made anew), its last change, and when (RFC 3339) a harvest ended."""

    def listed(self, dataset_id: str) -> Offer:
        """Return an offer from the copy, without asking the catalogue; raise ``NotFound`` where it is not there."""


def open_connector(name: str, table: Mapping[str, Any], state: Path) -> Connector:
    """Build the connector ``name`` from its settings table; its ``kind`` chooses the plug-in."""
    from importlib.metadata import entry_points

    kind = str(table.get("kind", name))
    found = {point.name: point for point in entry_points(group="datalab.connectors")}
    if kind not in found:
        raise NotFound.among("kind of connector", kind, found, where=f"datalab.toml, [connectors.{name}]")
    connector: Connector = found[kind].load()(name, table, state)
    return connector
