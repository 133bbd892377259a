"""The connector to an Eclipse EDC connector of one's own: a provider's catalogue, agreements and data through its management API."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from datalab.errors import ProtocolError, SettingsError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer, Query
from datalab.policy import parse, valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Progress
from datalab.ports.http import Limits, Reach
from datalab.ports.landing import Landed, Landing
from datalab.ports.tls import TLS_KEYS
from datalab_connectors.edc.client import ManagementClient
from datalab_connectors.edc.contracts import Contracts
from datalab_connectors.edc.management import Management
from datalab_connectors.edc.protocols import PROTOCOLS, candidates
from datalab_connectors.edc.reading import offer_in, terms_of
from datalab_connectors.edc.transfers import TYPES, EdcTransfers
from datalab_connectors.grants import ended, granted, in_force, lasting, look_again_at_bans
from datalab_connectors.landing.bucket import open_bucket
from datalab_connectors.landing.granted import GrantedClient
from datalab_connectors.landing.transfers import Order
from datalab_connectors.objects import landed_before, limit_of, object_of
from datalab_connectors.ranking import best_first
from datalab_connectors.records import Records
from datalab_connectors.table import LOOPBACK, MAX_BYTES, Table

log = logging.getLogger(__name__)


class EdcConnector:
    """One provider, seen through our EDC connector. Its table in ``datalab.toml`` is explained in docs/how-to/connect-edc.md."""

    keys: ClassVar[Mapping[str, type]] = {
        "url": str, "api_key": str, "token": str, "provider": str, "provider_id": str, "protocol": str, "transport": str,
        "hosts": list, "listen": str, "callback": str, "bucket": dict, "page": int, "max_bytes": int, "patience": int, **TLS_KEYS,
    }  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        self._table = Table.of(name, table, self.keys)
        self._url = self._table.needed("url", "https://…/management").rstrip("/")
        self._table.read_tls(self._url)
        self._provider = self._table.needed("provider", "https://…/protocol")
        self._transport = self._table.among("transport", TYPES)
        self._max_bytes = self._table.number("max_bytes", MAX_BYTES)
        self._patience = self._table.number("patience", 60)
        self._door = self._table.doorstep(8767)
        ways = tuple(candidates(self._provider, self._table.among("protocol", PROTOCOLS)))
        if not ways:
            raise SettingsError(
                "provider ends with the path of another version than protocol names",
                where=self._table.where,
                next="leave protocol out, or write the provider's address without a version",
            )
        identity = self._table.needed("provider_id", "did:web:…")
        self._management = Management(self._url, self._client, identity, ways, self._table.number("page", 100))
        self._contracts = Records(state / "contracts")
        self._transfers = Records(state / "transfers")

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that match all words, best first; one that cannot be read is left out and named in the log."""
        words = query.text.casefold().split()
        return itertools.islice(best_first(self._offers(), words), max(0, query.limit))

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer, by the id of its asset."""
        return offer_in(self.name, self._management.entry(dataset_id), self._management.provider_id)

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Return the agreement that stands for this offer and intent, or conclude one."""
        subject = granted(decision, offer, intent)
        look_again_at_bans(offer, intent, actor=decision.actor)
        contracts = Contracts(self._management, self._contracts, self._patience)
        with self._contracts.alone(subject):
            said = contracts.conclude(subject, offer, lambda text: not ended(self._agreement(offer, intent, text)))
        return lasting(self._agreement(offer, intent, said))

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Have the file brought into the landing folder; what stands there under its announced hash is not moved again."""
        in_force(agreement, offer, decision)
        wanted = offer.distribution(distribution)
        landed = landed_before(landing, wanted)
        landed = landed or self._bring(agreement, offer, wanted, landing, progress)
        return [object_of(agreement, offer, wanted, landed)]

    def _bring(self, agreement: Agreement, offer: Offer, wanted: Distribution, landing: Landing, progress: Progress) -> Landed:
        order = Order(agreement.id, offer.dataset_id, wanted, limit_of(wanted, self._max_bytes))
        transport = self._way(offer)
        transfers = EdcTransfers(self._management, self._transfers, self._patience)
        with transfers.alone(order):
            if transport == "push":
                return transfers.push(order, self._door, landing, progress)
            if transport == "bucket":
                return transfers.collect(order, open_bucket(self._table.table("bucket"), self._table.where), landing, progress)
            return transfers.pull(order, lambda: GrantedClient(self._reach(), Limits(redirects=0)), landing, progress)

    def _way(self, offer: Offer) -> str:
        """Return the transport to use: the one that was set, else the first that the provider offers and that is possible here."""
        offered = json.loads(offer.catalogue_record).get("transferTypes") or []
        possible = [way for way in TYPES if way != "bucket" or self._table.table("bucket")]
        for way in [self._transport] if self._transport else possible:
            if TYPES[way] in offered or not offered:
                return way
        raise SettingsError(
            f"the provider offers {', '.join(map(repr, offered))}, and this connector is set up for"
            f" {TYPES[self._transport] if self._transport else ', '.join(TYPES[way] for way in possible)}",
            where=f"{self._table.where}, dataset {offer.dataset_id}",
            next="set another transport, or a bucket for AmazonS3-PUSH; else ask the provider",
        )

    def _agreement(self, offer: Offer, intent: Intent, said: str) -> Agreement:
        body = json.loads(said)
        policy = parse(json.dumps(terms_of(body["policy"])))
        signed = body.get("contractSigningDate")
        return Agreement(
            id=body["@id"],
            kind="contract",
            connector=self.name,
            dataset_id=offer.dataset_id,
            offer_id=offer.offer_id,
            provider=str(body.get("providerId") or self._management.provider_id),
            consumer=str(body.get("consumerId") or ""),
            intent=intent,
            policy=policy,
            agreed_at=rfc3339(dt.datetime.fromtimestamp(signed, dt.UTC)) if isinstance(signed, int | float) else "",
            valid_until=valid_until(policy),
            verbatim=said,
        )

    def _offers(self) -> Iterator[Offer]:
        for entry in self._management.entries():
            try:
                found = offer_in(self.name, entry, self._management.provider_id)
            except ProtocolError as error:
                log.warning("%s: a dataset is left out: %s", self.name, error.what)
                continue
            yield found

    def _client(self) -> ManagementClient:
        key, token = self._table.secret("api_key"), self._table.secret("token")
        return ManagementClient(self._table.reach(self._url), key, token, min(60.0, float(self._patience)))

    def _reach(self) -> Reach:
        """Where data may be pulled from: the provider's host, and what was allowed beside it, this machine included."""
        found = self._table.reach(self._provider)
        return dataclasses.replace(found, loopback=bool(found.hosts & LOOPBACK))
