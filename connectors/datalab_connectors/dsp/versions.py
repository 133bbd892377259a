"""The versions of the Dataspace Protocol that are spoken here, newest first, and how a peer says which it speaks.

Inside, a message always has the form of 2025-1; a version says how it is written and read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from datalab.errors import ProtocolError
from datalab.ports.http import HttpClient, HttpRefused
from datalab_connectors.dsp import prefixed
from datalab_connectors.dsp.messages import CONTEXT, received
from datalab_connectors.dsp.terms import spelt_out

WELL_KNOWN = "/.well-known/dspace-version"


@dataclass(frozen=True, slots=True)
class Version:
    """One version: its name, and with that the path under a provider's address."""

    name: str
    older: bool = False

    def write(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message as it goes over the wire."""
        return prefixed.encode(message) if self.older else dict(spelt_out(message))

    def read(self, body: Any, *kinds: str) -> dict[str, Any]:
        """Return a message from the wire, checked; raise ``ProtocolError`` naming what is wrong and where."""
        return received(prefixed.decode(body, CONTEXT) if self.older else body, *kinds, older=self.older)


V2025_1 = Version("2025-1")
V2024_1 = Version("2024-1", older=True)
SPOKEN = (V2025_1, V2024_1)


def named(name: str) -> Version:
    """Return a version by its name, however it writes the stroke; raise ``ProtocolError`` for one that is not spoken here."""
    for version in SPOKEN:
        if version.name == name.replace("/", "-"):
            return version
    raise ProtocolError(f"version {name[:20]!r} of the Dataspace Protocol is not spoken here")


def recognise(body: Any) -> Version:
    """Return the version that a kept message is written in."""
    context = body.get("@context") if isinstance(body, Mapping) else None
    return V2025_1 if isinstance(context, list) and CONTEXT in context else V2024_1


def announced() -> dict[str, Any]:
    """Return what a provider answers at its well-known address."""
    return {
        "protocolVersions": [{"version": version.name, "path": f"/{version.name}", "binding": "HTTPS"} for version in SPOKEN]
    }


def choose(body: Any, wanted: str = "") -> tuple[Version, str]:
    """Return the newest version that both sides speak, or the one ``wanted``, with its path; raise ``ProtocolError`` for none."""
    plain = {key.removeprefix("dspace:"): value for key, value in body.items()} if isinstance(body, Mapping) else {}
    entries = plain.get("protocolVersions")
    offered = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            fields = {str(key).removeprefix("dspace:"): value for key, value in entry.items()}
            if isinstance(fields.get("version"), str) and isinstance(fields.get("path"), str):
                offered[fields["version"].replace("/", "-")] = fields["path"].rstrip("/")
    for version in SPOKEN:
        if version.name in offered and wanted.replace("/", "-") in {"", version.name}:
            path = offered[version.name]
            return version, path if path.startswith("/") or not path else f"/{path}"
    ours = wanted or " or ".join(version.name for version in SPOKEN)
    raise ProtocolError(
        f"the provider does not speak version {ours} of the Dataspace Protocol", next=f"it offers {_listed(offered)}"
    )


def discover(client: HttpClient, base: str, wanted: str = "") -> tuple[Version, str]:
    """Ask a provider at ``base`` which versions it speaks; return the chosen one and the address of its endpoints.

    A provider without the well-known address (it is optional before 2025-1) is taken at its word where ``wanted`` is given.
    """
    try:
        version, path = choose(client.get(base + WELL_KNOWN).body, wanted)
    except HttpRefused as error:
        if error.status == 404 and wanted:
            return named(wanted), base
        raise
    except ProtocolError as error:
        error.where = error.where or base
        raise
    return version, base + path


def _listed(offered: Iterable[str]) -> str:
    return ", ".join(name[:20] for name in offered) or "nothing"


__all__ = ["SPOKEN", "V2024_1", "V2025_1", "WELL_KNOWN", "Version", "announced", "choose", "discover", "named", "recognise"]
