"""An opened lab: settings, ledger, store and connectors in one place, with the actor in whose name things happen."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from datalab.errors import NotFound
from datalab.governance.ledger import Entry, Ledger, open_ledger
from datalab.model.event import Event
from datalab.model.settings import Settings, find_settings
from datalab.ports.connector import Connector, open_connector
from datalab.ports.landing import Landing
from datalab.staging.layout import Store

ENGINE = "engine"
"""Actor of what no person did: receipts, checks, the gate."""


@dataclass(slots=True)
class Lab:
    """The lab in ``settings.home``. Use it as a context manager."""

    settings: Settings
    home: Path
    ledger: Ledger
    store: Store
    actor: str
    _connectors: dict[str, Connector] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger and the connectors that can be closed."""
        for part in (*self._connectors.values(), self.ledger):
            close = getattr(part, "close", None)
            if close:
                close()

    @property
    def landing(self) -> Landing:
        """Where fetched objects arrive."""
        return Landing(self.home / "landing")

    def connector(self, name: str) -> Connector:
        """Return the configured connector ``name``, opened once."""
        if name not in self._connectors:
            tables: Mapping[str, Mapping[str, Any]] = {"files": {"kind": "files"}, **self.settings.connectors}
            if name not in tables:
                raise NotFound.among("connector", name, tables, where="datalab.toml, [connectors]")
            state = self.home / "connectors" / name
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connectors[name] = open_connector(name, tables[name], state)
        return self._connectors[name]

    def record(self, type: str, subject: str, body: Mapping[str, Any], *, actor: str = "") -> Event:
        """Append one event to the ledger, in the name of ``actor`` or of the lab's actor."""
        return self.ledger.append([Entry(type, actor or self.actor, subject, body)])[0]


def open_lab(settings: Settings | None = None, *, actor: str = "") -> Lab:
    """Open the lab found from the current folder, or the one of ``settings``."""
    settings = settings or find_settings()
    home = settings.path(settings.home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Lab(
        settings=settings,
        home=home,
        ledger=open_ledger(settings.ledger_url, home),
        store=Store(home),
        actor=actor or settings.actor or getpass.getuser(),
    )
