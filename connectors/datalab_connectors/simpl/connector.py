"""The connector to a Simpl-Open participant node: search, agree and fetch through the interfaces of its own users (tier 1)."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import itertools
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from datalab.errors import NotFound, PolicyRefusal, ProtocolError, SettingsError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer, Query
from datalab.policy import valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Progress
from datalab.ports.http import Limits, Reach
from datalab.ports.landing import Landed, Landing
from datalab.ports.tls import TLS_KEYS, Tls
from datalab_connectors.dsp.callbacks import Doorstep
from datalab_connectors.grants import granted, in_force, lasting, look_again_at_bans
from datalab_connectors.objects import landed_before, limit_of, object_of
from datalab_connectors.simpl.bucket import open_bucket
from datalab_connectors.simpl.catalogue import DIALECTS, Catalogue
from datalab_connectors.simpl.client import GrantedClient, NodeClient
from datalab_connectors.simpl.contracts import Contracts
from datalab_connectors.simpl.credential import Description, read_description
from datalab_connectors.simpl.documents import check_documents
from datalab_connectors.simpl.node import Node, Paths
from datalab_connectors.simpl.reading import offer_of
from datalab_connectors.simpl.records import Records
from datalab_connectors.simpl.tokens import Provider, Wallet
from datalab_connectors.simpl.transfers import METHODS, Order, Transfers

log = logging.getLogger(__name__)
_PARTICIPANT = "did:web:datalab.example"
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_BY_METHOD = {"HTTPDATA_PUSH": "push", "REST_API": "pull"}


class SimplConnector:
    """One participant node. Its table in ``datalab.toml`` is explained in docs/how-to/connect-simpl.md."""

    keys: ClassVar[frozenset[str]] = frozenset(
        (
            "kind", "url", "hosts", "participant", "attributes", "search_path", "contracts_path", "catalogue_path", "dialect",
            "issuer", "client_id", "client_secret_env", "scope", "redirect_port", "transport", "template", "destination", "bucket",
            "listen", "callback", "documents", "max_bytes", "patience", *TLS_KEYS,
        )
    )  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self._where = f"datalab.toml, [connectors.{name}]"
        for key in table:
            if key not in self.keys:
                raise NotFound.among("key", key, self.keys, where=self._where)
        self.name = name
        self._table = table
        self._state = state
        self._url = str(table.get("url", "")).rstrip("/")
        if not self._url:
            raise SettingsError(
                "the connector has no url", where=self._where, next='write url = "https://…", the node\'s gateway'
            )
        self._participant = str(table.get("participant", _PARTICIPANT))
        self._attributes = frozenset(map(str, table.get("attributes", ("CONSUMER",))))
        self._transport = self._among("transport", ("", *METHODS))
        self._max_bytes = self._number("max_bytes", 64 << 30)
        self._patience = self._number("patience", 120)
        self._door = self._doorstep()
        self._tls = Tls.read(table, self._named(), self._where)
        paths = {field: str(table[key]) for field, key in _PATHS.items() if key in table}
        self._node = Node(self._url, Paths(**paths), self._client, self._wallet(), name)
        self._catalogue = Catalogue(self._node, self._among("dialect", ("", *DIALECTS)))
        self._records = Records(state / "contracts")

    @property
    def node(self) -> Node:
        """The node, for what lies beside the port: its schemas."""
        return self._node

    def log_in(self, show: Callable[[str], None]) -> float:
        """Log a person in at the node; ``show`` gets the address to open in a browser. Return the seconds that it holds."""
        return self._needed().log_in(show)

    def log_out(self) -> bool:
        """Forget the login; False: there was none."""
        return self._needed().log_out()

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the data offerings that match, best first; see `Catalogue.hits` for what may be searched for.

        One that cannot be read is left out and named in the log: it must not hide the others.
        """
        return itertools.islice(self._found(query.text), max(0, query.limit))

    def offer(self, dataset_id: str) -> Offer:
        """Return one offering, by the id of its self-description."""
        return offer_of(self.name, self._catalogue.describe(dataset_id), self._attributes)

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Return the contract that stands for this offer and intent, or conclude one."""
        subject = granted(decision, offer, intent)
        look_again_at_bans(offer, intent, actor=decision.actor, participant=self._participant)
        description = read_description(offer.catalogue_record)
        if not description.negotiable:
            raise PolicyRefusal("no contract can be concluded for this offering", where=offer.dataset_id)
        asked = {
            "providerEndpoint": description.word("edcConnector", "providerEndpointURL"),
            "contractDefinitionId": description.word("edcRegistration", "contractDefinitionId"),
            "assetId": description.word("edcRegistration", "assetId"),
        }
        with self._records.alone(subject):
            contracts = Contracts(self._node, self._records, self._patience)
            record = contracts.conclude(subject, asked, offer.policy, lambda: self._checked(description))
        agreed = dt.datetime.fromtimestamp(record["at"], dt.UTC)
        agreement = Agreement(
            id=record["agreement"],
            kind="contract",
            connector=self.name,
            dataset_id=offer.dataset_id,
            offer_id=offer.offer_id,
            provider=record["provider"],
            consumer=self._participant,
            intent=intent,
            policy=offer.policy,
            agreed_at=rfc3339(agreed),
            valid_until=valid_until(offer.policy),
            verbatim=json.dumps({key: record[key] for key in ("negotiation", "offer", "documents")}, ensure_ascii=False),
        )
        return lasting(agreement)

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Have one distribution brought into the landing folder; what stands there under its announced hash is not moved again."""
        in_force(agreement, offer, decision)
        wanted = offer.distribution(distribution)
        landed = landed_before(landing, wanted)
        landed = landed or self._bring(agreement, read_description(offer.catalogue_record), wanted, landing, progress)
        return [object_of(agreement, offer, wanted, landed)]

    def _bring(
        self, agreement: Agreement, described: Description, wanted: Distribution, landing: Landing, progress: Progress
    ) -> Landed:
        said = described.word("generalServiceProperties", "sharingMethodId")
        transport = self._transport or (_BY_METHOD.get(said, "bucket") if said else "push")
        method = said if said and _BY_METHOD.get(said, "bucket") == transport else METHODS[transport]
        order = Order(
            contract=agreement.id,
            endpoint=described.word("edcConnector", "providerEndpointURL"),
            method=method,
            template=str(self._table.get("template", "")),
            extra=dict(self._table.get("destination", {})),
            wanted=wanted,
            limit=limit_of(wanted, self._max_bytes),
        )
        transfers = Transfers(self._node, self._where, self._patience, self._limits())
        if transport == "push":
            return transfers.push(order, self._door, landing, progress)
        if transport == "pull":
            return transfers.pull(order, self._granted, landing, progress)
        return transfers.collect(order, open_bucket(self._table.get("bucket", {}), self._where), landing, progress)

    def _found(self, text: str) -> Iterator[Offer]:
        for identifier in self._catalogue.hits(text):
            try:
                found = self.offer(identifier)
            except (ProtocolError, NotFound) as error:
                log.warning("%s: a self-description is left out: %s", self.name, error.what)
                continue
            yield found

    def _checked(self, description: Description) -> list[dict[str, str]]:
        if self._table.get("documents", True) is False:
            return []
        return check_documents(description.documents, self._client)

    def _wallet(self) -> Wallet | None:
        issuer = str(self._table.get("issuer", "")).rstrip("/")
        if not issuer:
            return None
        name = str(self._table.get("client_secret_env", ""))
        secret = os.environ.get(name, "") if name else ""
        if name and not secret:
            raise SettingsError(f"the environment has no {name}", where=self._where, next="set it to the client's secret")
        provider = Provider(
            issuer,
            str(self._table.get("client_id", "frontend-cli")),
            secret,
            str(self._table.get("scope", "openid")),
            self._number("redirect_port", 0, least=0),
        )
        return Wallet(provider, self._state, self._client, self.name)

    def _needed(self) -> Wallet:
        found = self._wallet()
        if found is None:
            raise SettingsError(
                "this connector has no login", where=self._where, next='write issuer = "https://…/realms/participant"'
            )
        return found

    def _reach(self) -> Reach:
        hosts = frozenset(urlsplit(address).hostname or "" for address in self._named()) - {""}
        further = set(map(str, self._table.get("hosts", ())))
        return Reach(hosts | further, loopback=bool(hosts & _LOOPBACK), tls=self._tls)

    def _named(self) -> list[str]:
        """Return the addresses of the node and of its login."""
        return [self._url, *(str(self._table.get(key, "")) for key in ("issuer", *_PATHS.values()))]

    def _client(self) -> NodeClient:
        return NodeClient(self._reach(), self._limits())

    def _granted(self) -> GrantedClient:
        return GrantedClient(self._reach(), dataclasses.replace(self._limits(), redirects=0))

    def _limits(self) -> Limits:
        usual = Limits()
        return dataclasses.replace(usual, seconds=min(usual.seconds, self._patience), idle=min(usual.idle, self._patience))

    def _doorstep(self) -> Doorstep:
        listen, address = str(self._table.get("listen", "")), str(self._table.get("callback", ""))
        if not listen:
            return Doorstep(address=address)
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"listen is {listen!r}", where=self._where, next='write it as "0.0.0.0:8766"')
        return Doorstep(host.strip("[]"), int(port), address)

    def _among(self, key: str, known: tuple[str, ...]) -> str:
        value = str(self._table.get(key, ""))
        if value not in known:
            raise NotFound.among(key, value, filter(None, known), where=self._where)
        return value

    def _number(self, key: str, default: int, *, least: int = 1) -> int:
        value = self._table.get(key, default)
        with contextlib.suppress(TypeError, ValueError):
            if int(value) >= least:
                return int(value)
        raise SettingsError(f"{key} is {value!r}", where=self._where, next=f"give a whole number from {least}")


_PATHS = {"search": "search_path", "contracts": "contracts_path", "catalogue": "catalogue_path"}
