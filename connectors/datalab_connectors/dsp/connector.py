"""The connector to a provider of the Dataspace Protocol: its catalogue, agreements, and data by pull or by push."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from datalab.errors import NotFound, ProtocolError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.canonical import describe
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer, Query
from datalab.policy import parse, valid_until
from datalab.ports.connector import Progress
from datalab.ports.http import HttpClient, HttpRefused, Reach
from datalab.ports.landing import Landed, Landing
from datalab.ports.reach import shown
from datalab.ports.tls import TLS_KEYS
from datalab_connectors.dsp.callers import identity_token
from datalab_connectors.dsp.consumer import Consumer, agreement_in
from datalab_connectors.dsp.messages import message
from datalab_connectors.dsp.reading import datasets_in, offer_in
from datalab_connectors.dsp.versions import Version, discover
from datalab_connectors.grants import ended, granted, in_force
from datalab_connectors.objects import landed_before, limit_of, object_of
from datalab_connectors.ranking import best_first
from datalab_connectors.table import MAX_BYTES, PARTICIPANT, Table

_MOST_PAGES = 10_000
_TEMPORARY = frozenset((401, 403))
_GIVEN = "set it to what the provider gave you"
_TRANSPORTS = ("pull", "push")


class DspConnector:
    """One provider. Its table in ``datalab.toml`` says where it is (``url``) and how it is spoken to; see docs/how-to/connect-dsp.md."""

    keys: ClassVar[Mapping[str, type]] = {
        "url": str, "hosts": list, "participant": str, "token_env": str, "key_env": str, "version": str, "transport": str,
        "listen": str, "callback": str, "rounds": int, "max_bytes": int, "patience": int, **TLS_KEYS,
    }  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        self._state = state
        self._table = Table.of(name, table, self.keys)
        self._table.read_tls(self._table.text("url"))
        self._participant = self._table.text("participant", PARTICIPANT)
        self._transport = self._table.among("transport", _TRANSPORTS, "pull")
        self._door = self._table.doorstep(8765)
        self._rounds = self._table.number("rounds", 1, least=0)
        self._max_bytes = self._table.number("max_bytes", MAX_BYTES)
        self._patience = self._table.number("patience", 30)
        self._spoken: tuple[Version, str] | None = None

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that match all words, best first; without words, the whole catalogue."""
        words = query.text.casefold().split()
        yield from itertools.islice(best_first(self._offers(), words), max(0, query.limit))

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer, from its entry in the catalogue."""
        version, endpoint = self._protocol()
        with self._client() as client:
            try:
                entry = client.get(f"{endpoint}/catalog/datasets/{quote(dataset_id, safe='')}", token=self._token())
            except HttpRefused as error:
                if error.status != 404:
                    raise
                raise NotFound.among("dataset", dataset_id, self._catalogue(), where=f"connector {self.name}") from None
        dataset = version.read(entry.body, "Dataset")
        if dataset.get("@id") != dataset_id:
            raise ProtocolError("the catalogue answered with another dataset", where=dataset_id)
        return offer_in(self.name, dataset, "")

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Return the agreement still valid for this offer and intent, or conclude one."""
        subject = granted(decision, offer, intent)
        consumer = self._consumer(intent)
        for text in consumer.agreed(subject):
            agreement = self._agreement(offer, intent, text)
            if not ended(agreement):
                self._keep(subject, agreement)
                return agreement
        terms = {**json.loads(offer.policy.verbatim), "target": offer.dataset_id}
        agreement = self._agreement(offer, intent, consumer.negotiate(subject, terms))
        self._keep(subject, agreement)
        return agreement

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Bring one distribution into the landing folder; what stands there under its announced hash is not moved again."""
        in_force(agreement, offer, decision)
        wanted = offer.distribution(distribution)
        landed = landed_before(landing, wanted)
        if landed is not None:
            self._consumer(agreement.intent).settle()
        else:
            landed = self._pull(agreement, wanted, landing, progress)
        return [object_of(agreement, offer, wanted, landed)]

    def _pull(self, agreement: Agreement, wanted: Distribution, landing: Landing, progress: Progress) -> Landed:
        """Fetch a file; a token that died on the way is replaced once, by a new transfer."""
        consumer = self._consumer(agreement.intent)
        limit = limit_of(wanted, self._max_bytes)
        if self._transport == "push":
            return consumer.take(agreement.id, wanted.id, landing, limit=limit, sha256=wanted.sha256, progress=progress)
        for last in (False, True):
            try:
                with consumer.transfer(agreement.id, wanted.id) as source, self._client() as client:
                    return client.download(
                        source.url,
                        landing,
                        wanted.id,
                        limit=limit,
                        sha256=wanted.sha256,
                        token=source.token,
                        renew=source.renew,
                        progress=progress,
                    )
            except HttpRefused as error:
                if last or error.status not in _TEMPORARY:
                    raise
        raise AssertionError("unreachable")

    def _agreement(self, offer: Offer, intent: Intent, text: str) -> Agreement:
        agreed = agreement_in(text)
        policy = parse(json.dumps(agreed))
        return Agreement(
            id=agreed["@id"],
            kind="contract",
            connector=self.name,
            dataset_id=offer.dataset_id,
            offer_id=offer.offer_id,
            provider=agreed["assigner"],
            consumer=agreed["assignee"],
            intent=intent,
            policy=policy,
            agreed_at=agreed.get("timestamp", ""),
            valid_until=valid_until(policy),
            verbatim=text,
        )

    def _keep(self, subject: str, agreement: Agreement) -> None:
        """Write the agreement beside the state, for people: message and policy to the letter, each with its digest."""
        folder = self._state / "agreements"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{subject}.json"
        body = {
            "subject": subject,
            "agreement": describe(agreement),
            "policy_sha256": agreement.policy.sha256,
            "verbatim_sha256": hashlib.sha256(agreement.verbatim.encode()).hexdigest(),
        }
        temporary = path.with_suffix(f".{os.getpid()}.new")
        temporary.write_text(json.dumps(body, indent=1, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)

    def _offers(self) -> Iterator[Offer]:
        for entry, holder in self._entries():
            yield offer_in(self.name, entry, holder)

    def _catalogue(self) -> Iterator[str]:
        return (str(entry["@id"]) for entry, _ in self._entries())

    def _entries(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Yield all datasets and who offers them, following the pages of the catalogue (RFC 8288 links)."""
        version, endpoint = self._protocol()
        url, seen = f"{endpoint}/catalog/request", set[str]()
        asked = version.write(message("CatalogRequestMessage"))
        with self._client() as client:
            while url and url not in seen and len(seen) < _MOST_PAGES:
                if urlsplit(url)[:2] != urlsplit(endpoint)[:2]:  # it would be told who we are, and our token
                    raise ProtocolError(
                        "the next page is said to be on another server", where=f"{shown(endpoint)} -> {shown(url)}"
                    )
                seen.add(url)
                answer = client.post(url, asked, token=self._token(), repeat=True)
                catalogue = version.read(answer.body, "Catalog")
                for entry in datasets_in(catalogue):
                    yield entry, str(catalogue.get("participantId", ""))
                url = _next(answer.headers.get("link", ""))

    def _protocol(self) -> tuple[Version, str]:
        """Return the protocol version that is spoken with this provider, and where."""
        if self._spoken is None:
            with self._client() as client:
                self._spoken = discover(client, self._base(), self._table.text("version"))
        return self._spoken

    def _base(self) -> str:
        return self._table.needed("url", "https://…").rstrip("/")

    def _reach(self) -> Reach:
        return self._table.reach(self._base())

    def _client(self) -> HttpClient:
        return HttpClient(self._reach())

    def _consumer(self, intent: Intent) -> Consumer:
        version, endpoint = self._protocol()
        return Consumer(
            self._state,
            endpoint,
            self._reach(),
            self._token(intent),
            patience=float(self._patience),
            version=version,
            door=self._door,
            rounds=self._rounds,
        )

    def _token(self, intent: Intent | None = None) -> str:
        """Return the token that the provider gave this lab, or else who it says it is and what for: signed where it has a key."""
        if found := self._table.from_environment("token_env", _GIVEN):
            return found
        return identity_token(self._participant, intent, self._table.from_environment("key_env", _GIVEN).encode())


def _next(link: str) -> str:
    for part in link.split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation.replace(" ", ""):
            return address.strip().strip("<>")
    return ""
