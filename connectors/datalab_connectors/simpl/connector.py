"""The connector to a Simpl-Open participant node: search, agree and fetch through the interfaces of its own users (tier 1)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from datalab.errors import NotFound, PolicyRefusal, ProtocolError, SettingsError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer, Query
from datalab.policy import valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Progress
from datalab.ports.http import Limits, Reach
from datalab.ports.landing import Landed, Landing
from datalab.ports.tls import TLS_KEYS
from datalab_connectors.grants import granted, in_force, lasting, look_again_at_bans
from datalab_connectors.landing.bucket import open_bucket
from datalab_connectors.landing.granted import GrantedClient
from datalab_connectors.objects import landed_before, limit_of, object_of
from datalab_connectors.records import Records
from datalab_connectors.simpl.catalogue import DIALECTS, Catalogue
from datalab_connectors.simpl.client import NodeClient
from datalab_connectors.simpl.contracts import Contracts
from datalab_connectors.simpl.credential import Description, read_description
from datalab_connectors.simpl.documents import check_documents
from datalab_connectors.simpl.node import Node, Paths
from datalab_connectors.simpl.reading import offer_of
from datalab_connectors.simpl.tokens import Provider, Wallet
from datalab_connectors.simpl.transfers import METHODS, NodeOrder, NodeTransfers
from datalab_connectors.table import MAX_BYTES, PARTICIPANT, Table

log = logging.getLogger(__name__)
_BY_METHOD = {"HTTPDATA_PUSH": "push", "REST_API": "pull"}


class SimplConnector:
    """One participant node. Its table in ``datalab.toml`` is explained in docs/how-to/connect-simpl.md."""

    keys: ClassVar[Mapping[str, type]] = {
        "url": str, "hosts": list, "participant": str, "attributes": list, "search_path": str, "contracts_path": str,
        "catalogue_path": str, "dialect": str, "issuer": str, "client_id": str, "client_secret_env": str, "scope": str,
        "redirect_port": int, "transport": str, "template": str, "destination": dict, "bucket": dict, "listen": str, "callback": str,
        "documents": bool, "max_bytes": int, "patience": int, **TLS_KEYS,
    }  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        self._state = state
        self._table = Table.of(name, table, self.keys)
        self._url = self._table.needed("url", "https://the-gateway-of-the-node").rstrip("/")
        self._table.read_tls(*self._named())
        self._participant = self._table.text("participant", PARTICIPANT)
        self._attributes = frozenset(self._table.texts("attributes", ("CONSUMER",)))
        self._transport = self._table.among("transport", METHODS)
        self._max_bytes = self._table.number("max_bytes", MAX_BYTES)
        self._patience = self._table.number("patience", 120)
        self._door = self._table.doorstep(8766)
        paths = {field: self._table.text(key) for field, key in _PATHS.items() if key in table}
        self._node = Node(self._url, Paths(**paths), self._client, self._wallet(), name)
        self._catalogue = Catalogue(self._node, self._table.among("dialect", DIALECTS))
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
        order = NodeOrder(
            agreement=agreement.id,
            dataset=agreement.dataset_id,
            endpoint=described.word("edcConnector", "providerEndpointURL"),
            method=method,
            template=self._table.text("template"),
            extra=self._table.table("destination"),
            wanted=wanted,
            limit=limit_of(wanted, self._max_bytes),
        )
        transfers = NodeTransfers(self._node, self._table.where, self._patience, self._limits())
        if transport == "push":
            return transfers.push(order, self._door, landing, progress)
        if transport == "pull":
            return transfers.pull(order, self._granted, landing, progress)
        return transfers.collect(order, open_bucket(self._table.table("bucket"), self._table.where), landing, progress)

    def _found(self, text: str) -> Iterator[Offer]:
        for identifier in self._catalogue.hits(text):
            try:
                found = self.offer(identifier)
            except (ProtocolError, NotFound) as error:
                log.warning("%s: a self-description is left out: %s", self.name, error.what)
                continue
            yield found

    def _checked(self, description: Description) -> list[dict[str, str]]:
        if not self._table.flag("documents", True):
            return []
        return check_documents(description.documents, self._client)

    def _wallet(self) -> Wallet | None:
        issuer = self._table.text("issuer").rstrip("/")
        if not issuer:
            return None
        provider = Provider(
            issuer,
            self._table.text("client_id", "frontend-cli"),
            self._table.from_environment("client_secret_env", "set it to the client's secret"),
            self._table.text("scope", "openid"),
            self._table.number("redirect_port", 0, least=0),
        )
        return Wallet(provider, self._state, self._client, self.name)

    def _needed(self) -> Wallet:
        found = self._wallet()
        if found is None:
            raise SettingsError(
                "this connector has no login", where=self._table.where, next='write issuer = "https://…/realms/participant"'
            )
        return found

    def _reach(self) -> Reach:
        return self._table.reach(*self._named())

    def _named(self) -> list[str]:
        """Return the addresses of the node and of its login."""
        return [self._url, *map(self._table.text, ("issuer", *_PATHS.values()))]

    def _client(self) -> NodeClient:
        return NodeClient(self._reach(), self._limits())

    def _granted(self) -> GrantedClient:
        return GrantedClient(self._reach(), dataclasses.replace(self._limits(), redirects=0))

    def _limits(self) -> Limits:
        usual = Limits()
        return dataclasses.replace(usual, seconds=min(usual.seconds, self._patience), idle=min(usual.idle, self._patience))


_PATHS = {"search": "search_path", "contracts": "contracts_path", "catalogue": "catalogue_path"}
