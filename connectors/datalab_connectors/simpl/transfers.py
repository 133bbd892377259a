"""Having data brought: a Simpl transfer is the provider's push into a place of ours, or a reference under which we may pull.

What goes into the request is decided by the node's own template of the destination; we fill in what we know by its field names.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from datalab.errors import ProtocolError, SettingsError, SourceError
from datalab.ports.connector import Progress
from datalab.ports.http import HttpRefused, Limits
from datalab.ports.landing import Landed, Landing
from datalab_connectors.landing.granted import GrantedClient
from datalab_connectors.landing.transfers import Order, Transfers, started
from datalab_connectors.simpl.node import Node

METHODS = {"push": "HTTPDATA_PUSH", "bucket": "IONOS_S3", "pull": "REST_API"}
"""Our transports and the sharing methods that they usually have."""
_KINDS = {"push": {"type": "HttpData"}, "pull": {"type": "HttpData-PULL"}}
_REFUSED = frozenset((401, 403))


@dataclass(frozen=True, slots=True)
class NodeOrder(Order):
    """What the node has to know besides: from whom, by which of the provider's sharing methods, into which template."""

    endpoint: str
    method: str
    template: str
    extra: Mapping[str, Any]


class NodeTransfers(Transfers[NodeOrder]):
    """The transfers of one node. ``where`` its settings stand."""

    speaker = "the node"

    def __init__(
        self, node: Node, where: str, patience: float, limits: Limits, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(patience, limits, sleep)
        self._node = node
        self._where = where

    def pull(self, order: NodeOrder, client: Callable[[], GrantedClient], landing: Landing, progress: Progress) -> Landed:
        """Pull it under a reference of the node's, which is asked for again when its token ends, and then ordered again once."""
        for last in (False, True):
            transfer = self.begin(order, "pull", {"objectName": order.wanted.id})
            self.wait(transfer, started)
            references = _References(functools.partial(self._reference, transfer), progress)
            url, value = references.first()
            try:
                with client() as reader:
                    return reader.download(
                        url,
                        landing,
                        order.wanted.name,
                        limit=order.limit,
                        sha256=order.wanted.sha256,
                        token=value,
                        renew=references.renew,
                        progress=references.progress,
                    )
            except HttpRefused as error:
                if last or error.status not in _REFUSED:
                    raise
        raise AssertionError("unreachable")

    def begin(self, order: NodeOrder, way: str, known: Mapping[str, str]) -> str:
        """Begin a transfer into what the node's template asks for."""
        template, schema = self._template(order)
        body = self._node.post(
            self._node.contracts("/v1/transfers"),
            {
                "providerEndpoint": order.endpoint,
                "contractId": order.agreement,
                "templateId": template,
                "dataDestination": filled(schema, {**_KINDS.get(way, {}), **known, **order.extra}, self._where),
            },
        ).body
        found = body.get("transferProcessId") if isinstance(body, Mapping) else None
        if not isinstance(found, str) or not found:
            raise ProtocolError("the node began a transfer without an id", where=self._node.url)
        return found

    def _template(self, order: NodeOrder) -> tuple[str, Mapping[str, Any]]:
        """Return the id and the JSON schema of the destination template to use."""
        name = order.template
        if not name:
            url = self._node.contracts(f"/v1/resourceAddresses/sharingMethods/{order.method}/templates?offeringType=DATA")
            body = self._node.get(url).body
            # The published document says one template, its example a list.
            listed = body if isinstance(body, list) else [body] if isinstance(body, Mapping) and "id" in body else []
            ids = [str(item["id"]) for item in listed if isinstance(item, Mapping) and item.get("id") not in {None, ""}]
            if not ids:
                raise SourceError(
                    f"the node has no destination template for {order.method}",
                    where=self._node.url,
                    next="ask its operator; or name another transport, or a template, in datalab.toml",
                )
            name = ids[0]
        schema = self._node.get(self._node.contracts(f"/v1/resourceAddresses/templates/{quote(name, safe='')}/schema")).body
        return name, schema if isinstance(schema, Mapping) else {}

    def look(self, transfer: str) -> Mapping[str, Any]:
        """Return a transfer as it stands."""
        url = self._node.contracts(f"/v1/transfers/{quote(transfer, safe='')}")
        told = self._node.get(url).body
        if not isinstance(told, Mapping) or not isinstance(told.get("state"), str):
            raise ProtocolError("the node told a transfer without its state", where=url)
        return told

    def _reference(self, transfer: str) -> tuple[str, str]:
        """Return address and ``Authorization`` value of a pull (CNIE's ``EdrDto``)."""
        url = self._node.contracts(f"/v1/transfers/{quote(transfer, safe='')}/edr")
        body = self._node.get(url).body
        said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        base, value = said.get("baseUrl"), said.get("authorizationHeaderValue")
        if not isinstance(base, str) or not isinstance(value, str) or not value.isprintable() or not value.isascii():
            raise ProtocolError("the node gave a reference without an address or a token", where=url)
        if (ends := said.get("expiresAt")) and _past(ends):
            raise SourceError("the node gave a reference that has ended already", where=url, next="fetch it again")
        return base, value


class _References:
    """The references of one pull. A new one is taken only while bytes come: a node could hand out dead ones for ever."""

    def __init__(self, ask: Callable[[], tuple[str, str]], progress: Progress) -> None:
        self._ask = ask
        self._progress = progress
        self._held: list[tuple[str, str]] = []
        self._size, self._mark = 0, -1

    def first(self) -> tuple[str, str]:
        self._held.append(self._ask())
        return self._held[0]

    def renew(self) -> tuple[str, str] | None:
        if self._size <= self._mark:
            return None
        self._mark = self._size
        with contextlib.suppress(HttpRefused):
            found = self._ask()
            if found not in self._held:
                self._held.append(found)
                return found
        return None

    def progress(self, what: str, done: int, total: int | None) -> None:
        self._size = done
        self._progress(what, done, total)


def filled(schema: Mapping[str, Any], known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a destination as a template asks for it: what is known by its fields' names, its constants and defaults.

    Raise ``SettingsError`` for a required field that nobody filled in.
    """
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return dict(known)
    found: dict[str, Any] = {}
    for name, field in properties.items():
        rule: Mapping[str, Any] = field if isinstance(field, Mapping) else {}
        if "const" in rule:
            found[name] = rule["const"]
        elif name in known:
            found[name] = known[name]
        elif "default" in rule:
            found[name] = rule["default"]
    required = schema.get("required")
    missing = [str(name) for name in required if name not in found] if isinstance(required, list) else []
    if missing:
        raise SettingsError(
            f"the node's template wants {', '.join(missing)}",
            where=where,
            next=f'write destination = {{ {missing[0]} = "…" }} in datalab.toml',
        )
    return found


def _past(moment: Any) -> bool:
    try:
        found = dt.datetime.fromisoformat(str(moment))
    except ValueError:
        return False
    return found.tzinfo is not None and found < dt.datetime.now(dt.UTC)
