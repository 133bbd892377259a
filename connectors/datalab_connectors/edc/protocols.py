"""The names under which EDC speaks the versions of the Dataspace Protocol, and where a provider's connector answers to each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datalab_connectors.dsp.versions import V2024_1, V2025_1

EDC = "https://w3id.org/edc/v0.0.1/ns/"
_FIRST = "dataspace-protocol-http"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol of EDC's and the address of the provider's connector for it."""

    protocol: str
    address: str


PROTOCOLS = {
    f"{_FIRST}:{V2025_1.name}": f"/{V2025_1.name}",
    f"{_FIRST}:{V2024_1.name.replace('-', '/')}": f"/{V2024_1.name.replace('-', '/')}",
    _FIRST: "",
}
"""EDC's names, newest first, and the path under the protocol address (EDC 0.10 to 0.15 speak the older two, 0.14 all, 0.16 and later the newest)."""


def candidates(address: str, wanted: str = "") -> Iterator[Spoken]:
    """Yield what may work, newest first: under EDC's path of a version, and with one protocol ``wanted`` also at the address itself.

    An address that ends with the path of a version is taken as it is, for that version.
    """
    base = address.rstrip("/")
    for protocol, path in PROTOCOLS.items():
        if path and base.endswith(path):
            if wanted in {"", protocol}:
                yield Spoken(protocol, base)
            return
    for protocol, path in PROTOCOLS.items():
        if wanted in {"", protocol}:
            yield Spoken(protocol, f"{base}{path}")
            if wanted and path:
                yield Spoken(protocol, base)
