"""The connector port: what a data space, catalogue or store must be able to do for the lab.

A connector is registered under the entry point group ``datalab.connectors`` as a class that is called with its table of
``datalab.toml`` and a state folder of its own. Connectors import `datalab.model`, `datalab.errors` and `datalab.ports` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

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


def open_connector(name: str, table: Mapping[str, Any], state: Path) -> Connector:
    """Build the connector ``name`` from its settings table; its ``kind`` chooses the plug-in."""
    from importlib.metadata import entry_points

    kind = str(table.get("kind", name))
    found = {point.name: point for point in entry_points(group="datalab.connectors")}
    if kind not in found:
        raise NotFound.among("kind of connector", kind, found, where=f"datalab.toml, [connectors.{name}]")
    connector: Connector = found[kind].load()(name, table, state)
    return connector
