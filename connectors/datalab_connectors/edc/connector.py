"""The connector to an Eclipse EDC connector of one's own: a provider's catalogue, agreements and data through its management API."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import itertools
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from datalab.errors import NotFound, PolicyRefusal, ProtocolError, SettingsError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision, Door
from datalab.model.offer import Distribution, Offer, Query
from datalab.model.policy import Rule
from datalab.policy import acquire_subject, acquire_target, check_grant, decide_acquisition, parse, valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Progress
from datalab.ports.http import Limits, Reach
from datalab.ports.landing import Landed, Landing
from datalab.ports.secrets import secret
from datalab.ports.tls import TLS_KEYS, Tls
from datalab_connectors.dsp.callbacks import Doorstep
from datalab_connectors.dsp.reading import rank
from datalab_connectors.edc.client import ManagementClient
from datalab_connectors.edc.contracts import Contracts
from datalab_connectors.edc.management import Management
from datalab_connectors.edc.protocols import PROTOCOLS, candidates
from datalab_connectors.edc.reading import offer_in, terms_of
from datalab_connectors.edc.transfers import TYPES, Order, Transfers
from datalab_connectors.simpl.bucket import open_bucket
from datalab_connectors.simpl.client import GrantedClient
from datalab_connectors.simpl.records import Records

log = logging.getLogger(__name__)
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


class EdcConnector:
    """One provider, seen through our EDC connector. Its table in ``datalab.toml`` is explained in docs/how-to/connect-edc.md."""

    keys: ClassVar[frozenset[str]] = frozenset(
        (
            "kind", "url", "api_key", "token", "provider", "provider_id", "protocol", "transport", "hosts", "listen", "callback",
            "bucket", "page", "max_bytes", "patience", *TLS_KEYS,
        )
    )  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self._where = f"datalab.toml, [connectors.{name}]"
        for key in table:
            if key not in self.keys:
                raise NotFound.among("key", key, self.keys, where=self._where)
        self.name = name
        self._table = table
        self._url = self._needed("url", "https://…/management").rstrip("/")
        self._provider = self._needed("provider", "https://…/protocol")
        self._transport = self._among("transport", TYPES)
        self._max_bytes = self._number("max_bytes", 64 << 30)
        self._patience = self._number("patience", 60)
        self._door = self._doorstep()
        self._tls = Tls.read(table, [self._url], self._where)
        ways = tuple(candidates(self._provider, self._among("protocol", PROTOCOLS)))
        if not ways:
            raise SettingsError("provider ends with the path of another version than protocol names", where=self._where)
        identity = self._needed("provider_id", "did:web:…")
        self._management = Management(self._url, self._client, identity, ways, self._number("page", 100))
        self._contracts = Records(state / "contracts")
        self._transfers = Records(state / "transfers")

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that match all words, best first; one that cannot be read is left out and named in the log."""
        words = query.text.casefold().split()
        entries = self._offers()
        if words:
            entries = iter(sorted((offer for offer in entries if rank(offer, words)), key=lambda offer: -rank(offer, words)))
        return itertools.islice(entries, max(0, query.limit))

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer, by the id of its asset."""
        return offer_in(self.name, self._management.entry(dataset_id), self._management.provider_id)

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Return the agreement that stands for this offer and intent, or conclude one."""
        subject = self._check(decision, offer, intent)
        self._ask_again(offer, intent)
        contracts = Contracts(self._management, self._contracts, self._patience)
        with self._contracts.alone(subject):
            said = contracts.conclude(subject, offer, lambda text: not _ended(self._agreement(offer, intent, text)))
        agreement = self._agreement(offer, intent, said)
        if _ended(agreement):
            raise PolicyRefusal(f"these terms ended at {agreement.valid_until}", where=offer.dataset_id)
        return agreement

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Have the file brought into the landing folder; what stands there under its announced hash is not moved again."""
        self._check(decision, offer, agreement.intent)
        if (agreement.dataset_id, agreement.offer_id) != (offer.dataset_id, offer.offer_id):
            raise PolicyRefusal("the agreement is about another offer", where=agreement.id, next="negotiate this one")
        if _ended(agreement):
            raise PolicyRefusal(f"the agreement ended at {agreement.valid_until}", where=agreement.id, next="negotiate again")
        wanted = next((item for item in offer.distributions if distribution in {"", item.id}), None)
        if wanted is None:
            raise NotFound.among(
                "distribution", distribution, (item.id for item in offer.distributions), where=offer.dataset_id
            )
        landed = landing.find(wanted.sha256) if wanted.sha256 else None
        landed = landed or self._bring(agreement, offer, wanted, landing, progress)
        return [
            SourceObject(
                ordinal=0,
                name=wanted.file or wanted.id,
                path=landed.path,
                format=wanted.format,
                bytes=landed.bytes,
                sha256=landed.sha256,
                dataset_id=offer.dataset_id,
                agreement_id=agreement.id,
                connector=self.name,
            )
        ]

    def _bring(self, agreement: Agreement, offer: Offer, wanted: Distribution, landing: Landing, progress: Progress) -> Landed:
        order = Order(
            agreement=agreement.id,
            dataset=offer.dataset_id,
            wanted=wanted,
            limit=self._max_bytes if wanted.bytes is None else min(self._max_bytes, wanted.bytes),
            record=hashlib.sha256(agreement.id.encode()).hexdigest(),
        )
        transport = self._way(offer)
        transfers = Transfers(self._management, self._transfers, self._patience)
        with self._transfers.alone(order.record):
            if transport == "push":
                return transfers.push(order, self._door, landing, progress)
            if transport == "bucket":
                return transfers.collect(order, open_bucket(self._table.get("bucket", {}), self._where), landing, progress)
            return transfers.pull(order, lambda: GrantedClient(self._reach(), Limits(redirects=0)), landing, progress)

    def _way(self, offer: Offer) -> str:
        """Return the transport to use: the one that was set, else the first that the provider offers and that is possible here."""
        offered = json.loads(offer.catalogue_record).get("transferTypes") or []
        possible = [way for way in TYPES if way != "bucket" or self._table.get("bucket")]
        for way in [self._transport] if self._transport else possible:
            if TYPES[way] in offered or not offered:
                return way
        raise SettingsError(
            f"the provider offers {', '.join(map(repr, offered))}, and this connector is set up for"
            f" {TYPES[self._transport] if self._transport else ', '.join(TYPES[way] for way in possible)}",
            where=f"{self._where}, dataset {offer.dataset_id}",
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

    def _check(self, decision: Decision, offer: Offer, intent: Intent) -> str:
        subject = acquire_subject(offer, intent)
        check_grant(decision, Door.ACQUIRE, subject, acquire_target(offer), intent.recipient)
        return subject

    def _ask_again(self, offer: Offer, intent: Intent) -> None:
        """Ask once more whether the terms that can be read forbid this intent: EDC takes no purpose, so nobody behind it can object.

        What only the lab knows about itself, and what cannot be read, was for the decision to judge.
        """
        bans = dataclasses.replace(offer.policy, permissions=(Rule("use"),), obligations=(), unknown=())
        again = decide_acquisition(
            dataclasses.replace(offer, policy=bans), intent, moment=dt.datetime.now(dt.UTC), actor=self.name
        )
        if not again.permitted:
            raise PolicyRefusal("\n".join(again.reasons), where=offer.dataset_id)

    def _client(self) -> ManagementClient:
        host = urlsplit(self._url).hostname or ""
        reach = Reach(frozenset((host,)), loopback=host in _LOOPBACK, tls=self._tls)
        return ManagementClient(reach, self._secret("api_key"), self._secret("token"), min(60.0, float(self._patience)))

    def _reach(self) -> Reach:
        """Where data may be pulled from: the provider's host, and what was allowed beside it."""
        hosts = frozenset((urlsplit(self._provider).hostname or "", *map(str, self._table.get("hosts", ())))) - {""}
        return Reach(hosts, loopback=bool(hosts & _LOOPBACK), tls=self._tls)

    def _secret(self, key: str) -> str:
        reference = str(self._table.get(key, ""))
        return secret(reference, f"{self._where}, {key}") if reference else ""

    def _doorstep(self) -> Doorstep:
        listen, address = str(self._table.get("listen", "")), str(self._table.get("callback", ""))
        if not listen:
            return Doorstep(address=address)
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"listen is {listen!r}", where=self._where, next='write it as "0.0.0.0:8767"')
        return Doorstep(host.strip("[]"), int(port), address)

    def _needed(self, key: str, example: str) -> str:
        value = str(self._table.get(key, ""))
        if not value:
            raise SettingsError(f"the connector has no {key}", where=self._where, next=f'write {key} = "{example}"')
        return value

    def _among(self, key: str, known: Mapping[str, Any]) -> str:
        value = str(self._table.get(key, ""))
        if value and value not in known:
            raise NotFound.among(key, value, known, where=self._where)
        return value

    def _number(self, key: str, default: int) -> int:
        value = self._table.get(key, default)
        with contextlib.suppress(TypeError, ValueError):
            if int(value) >= 1:
                return int(value)
        raise SettingsError(f"{key} is {value!r}", where=self._where, next="give a whole number from 1")


def _ended(agreement: Agreement) -> bool:
    return bool(agreement.valid_until) and agreement.valid_until <= rfc3339(dt.datetime.now(dt.UTC))
