"""A connector's table in ``datalab.toml``, read strictly: what is unknown, of another type or out of range is told with the remedy."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from datalab.errors import NotFound, SettingsError
from datalab.ports.reach import Reach
from datalab.ports.secrets import secret
from datalab.ports.tls import Tls
from datalab_connectors.doorstep import Doorstep

PARTICIPANT = "did:web:datalab.example"
"""Who the lab says it is where its table does not name it."""
MAX_BYTES = 64 << 30
"""The largest file that is fetched where the table sets no ``max_bytes``."""
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_WORDS = {
    str: ("text in quotes", '"…"'),
    bool: ("true or false", "true"),
    int: ("a whole number", "60"),
    list: ("a list of texts", '["…"]'),
    dict: ("a table of its own", '{ … = "…" }'),
}


class Table:
    """What a table says. ``kinds`` are the keys it may have and their types: str, bool, int, list (of texts) or dict."""

    def __init__(self, values: Mapping[str, Any], kinds: Mapping[str, type], *, where: str) -> None:
        self.where = where
        self.values = values
        self.tls = Tls()
        known = {"kind": str, **kinds}
        for key, value in values.items():
            if key not in known:
                raise NotFound.among("key", key, known, where=where)
            if not _is(value, known[key]):
                words, example = _WORDS[known[key]]
                raise SettingsError(f"{key!r} must be {words}", where=where, next=f"write {key} = {example}")

    @classmethod
    def of(cls, name: str, values: Mapping[str, Any], kinds: Mapping[str, type]) -> Table:
        """Read the table of the connector ``name``."""
        return cls(values, kinds, where=f"datalab.toml, [connectors.{name}]")

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        return str(self.values.get(key, default))

    def needed(self, key: str, example: str) -> str:
        """Return a text that has to be there."""
        if not (value := self.text(key)):
            raise SettingsError(f"the connector has no {key}", where=self.where, next=f'write {key} = "{example}"')
        return value

    def among(self, key: str, known: Collection[str], default: str = "") -> str:
        """Return one of the ``known`` words, or the default where none is written."""
        value = self.text(key, default)
        if value != default and value not in known:
            raise NotFound.among(key, value, known, where=self.where)
        return value

    def number(self, key: str, default: int, *, least: int = 1) -> int:
        """Return a whole number from ``least`` on."""
        value = int(self.values.get(key, default))
        if value < least:
            raise SettingsError(f"{key} is {value}", where=self.where, next=f"give a whole number from {least}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Return a yes or no."""
        return bool(self.values.get(key, default))

    def texts(self, key: str, default: Collection[str] = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(self.values.get(key, default))

    def table(self, key: str) -> Mapping[str, Any]:
        """Return a table within this one; empty where there is none."""
        found: Mapping[str, Any] = self.values.get(key, {})
        return found

    def secret(self, key: str) -> str:
        """Return what a reference (`datalab.ports.secrets`) stands for now, "" where none is written."""
        reference = self.text(key)
        return secret(reference, f"{self.where}, {key}") if reference else ""

    def from_environment(self, key: str, remedy: str) -> str:
        """Return what stands in the variable of the environment that ``key`` names, "" where it names none."""
        name = self.text(key)
        if not name:
            return ""
        if not (value := os.environ.get(name, "")):
            raise SettingsError(f"the environment has no {name}", where=self.where, next=remedy)
        return value

    def doorstep(self, port: int) -> Doorstep:
        """Return where others reach the lab: ``listen`` and ``callback``. ``port`` is that of the example in the error."""
        listen, address = self.text("listen"), self.text("callback")
        if not listen:
            return Doorstep(address=address)
        host, _, number = listen.rpartition(":")
        if not host or not number.isdecimal() or int(number) > 65535:
            raise SettingsError(f"listen is {listen!r}", where=self.where, next=f'write it as "0.0.0.0:{port}"')
        return Doorstep(host.strip("[]"), int(number), address)

    def read_tls(self, *addresses: str) -> None:
        """Read what is said about TLS; it counts for the hosts of these addresses, the connector's own, and for ``tls_hosts``."""
        self.tls = Tls.read(self.values, addresses, self.where)

    def reach(self, address: str, *others: str) -> Reach:
        """Return a reach to the hosts of these addresses and to ``hosts``, and to no other.

        This machine itself is within reach only where one of the addresses is on it. One without a host adds none: nothing is then
        reached, where a reach without hosts would be one to all.
        """
        try:
            named = frozenset(urlsplit(found).hostname or "" for found in (address, *others))
        except ValueError:
            raise SettingsError("an address cannot be read", where=self.where, next='write it as "https://host/path"') from None
        return Reach(named.union(self.texts("hosts")), loopback=bool(named & LOOPBACK), tls=self.tls)


def _is(value: Any, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return isinstance(value, Mapping) if kind is dict else type(value) is kind
