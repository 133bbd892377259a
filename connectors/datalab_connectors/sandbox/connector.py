"""The connector to a sandbox: search by the Simpl facade, agree and fetch by the Dataspace Protocol."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from datalab.errors import NotFound, PolicyRefusal, ProtocolError, SettingsError, SourceError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.canonical import describe
from datalab.model.decision import Decision, Door
from datalab.model.offer import Distribution, Offer, Query
from datalab.policy import acquire_subject, acquire_target, check_grant, parse, valid_until
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Progress
from datalab.ports.http import HttpClient, HttpRefused, Reach
from datalab.ports.landing import Landed, Landing
from datalab_connectors.dsp.consumer import Consumer
from datalab_connectors.dsp.messages import VERSION, message, received
from datalab_connectors.sandbox.catalogue import PREFIX
from datalab_connectors.sandbox.identity import identity_token
from datalab_connectors.sandbox.reading import distribution_of, hit_id, offer_of
from datalab_connectors.sandbox.server import start

_KEYS = {"kind", "url", "state", "holdings", "hosts", "participant", "max_bytes", "patience"}
_PARTICIPANT = "did:web:datalab.example"
_PAGE = 20
_TEMPORARY = frozenset((401, 403))


class SandboxConnector:
    """A sandbox as a data space. Without ``url``, the sandbox of the folder ``state`` is used, and started where needed."""

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        for key in table:
            if key not in _KEYS:
                raise NotFound.among("key", key, _KEYS, where=f"datalab.toml, [connectors.{name}]")
        self.name = name
        self._state = state
        self._url = str(table.get("url", "")).rstrip("/")
        self._sandbox = Path(table.get("state", state))
        self._holdings = [Path(folder) for folder in table.get("holdings", ())]
        self._hosts = frozenset(map(str, table.get("hosts", ())))
        self._participant = str(table.get("participant", _PARTICIPANT))
        self._max_bytes = _number(table, "max_bytes", 64 << 30, name)
        self._patience = _number(table, "patience", 30, name)
        self._endpoint = ""

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that match all words, best first; without words, the whole catalogue."""
        ids = self._hits(query.text) if query.text.strip() else self._catalogue()
        for dataset_id in itertools.islice(ids, max(0, query.limit)):
            yield self.offer(dataset_id)

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer, from its self-description and its entry in the catalogue."""
        with self._client() as client:
            try:
                described = client.get(f"{self._base()}/v1/selfDescriptions/{quote(PREFIX + dataset_id, safe='')}")
                entry = client.get(f"{self._protocol()}/catalog/datasets/{quote(dataset_id, safe='')}", token=self._token())
            except HttpRefused as error:
                if error.status != 404:
                    raise
                raise NotFound.among("dataset", dataset_id, self._catalogue(), where=f"connector {self.name}") from None
        return offer_of(self.name, dataset_id, described, entry)

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Return the agreement still valid for this offer and intent, or conclude one."""
        subject = self._check(decision, offer, intent)
        consumer = self._consumer(intent)
        for text in consumer.agreed(subject):
            agreement = self._agreement(offer, intent, text)
            if not _ended(agreement):
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
        self._check(decision, offer, agreement.intent)
        if (agreement.dataset_id, agreement.offer_id) != (offer.dataset_id, offer.offer_id):
            raise PolicyRefusal("the agreement is about another offer", where=agreement.id, next="negotiate this one")
        if _ended(agreement):
            raise PolicyRefusal(f"the agreement ended at {agreement.valid_until}", where=agreement.id, next="negotiate again")
        wanted = distribution_of(offer, distribution)
        landed = landing.find(wanted.sha256) if wanted.sha256 else None
        if landed is None:
            landed = self._pull(agreement, wanted, landing, progress)
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

    def _pull(self, agreement: Agreement, wanted: Distribution, landing: Landing, progress: Progress) -> Landed:
        """Pull a file; a token that died on the way is replaced once, by a new transfer."""
        consumer = self._consumer(agreement.intent)
        for last in (False, True):
            try:
                with consumer.transfer(agreement.id) as source, self._client() as client:
                    return client.download(
                        f"{source.endpoint}/{quote(wanted.id, safe='')}",
                        landing,
                        wanted.id,
                        limit=self._max_bytes if wanted.bytes is None else min(self._max_bytes, wanted.bytes),
                        sha256=wanted.sha256,
                        token=source.token,
                        progress=progress,
                    )
            except HttpRefused as error:
                if last or error.status not in _TEMPORARY:
                    raise
        raise AssertionError("unreachable")

    def _check(self, decision: Decision, offer: Offer, intent: Intent) -> str:
        subject = acquire_subject(offer, intent)
        check_grant(decision, Door.ACQUIRE, subject, acquire_target(offer), intent.recipient)
        return subject

    def _agreement(self, offer: Offer, intent: Intent, text: str) -> Agreement:
        agreed = received(json.loads(text), "ContractAgreementMessage")["agreement"]
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

    def _hits(self, text: str) -> Iterator[str]:
        with self._client() as client:
            for page in itertools.count(1):
                asked = urlencode({"q": text, "page": page, "pageSize": _PAGE})
                body = client.get(f"{self._base()}/v1/selfDescriptions?{asked}").body
                items = body.get("items") if isinstance(body, dict) else None
                if not isinstance(items, list):
                    raise ProtocolError("the search answered without items", where=self._base())
                yield from filter(None, map(hit_id, items))
                total = body.get("totalCount")
                if not items or not isinstance(total, int) or page * _PAGE >= total:
                    return

    def _catalogue(self) -> Iterator[str]:
        """Yield the ids of all datasets, following the pages of the catalogue (RFC 8288 links)."""
        url, seen = f"{self._protocol()}/catalog/request", set[str]()
        with self._client() as client:
            while url and url not in seen:
                seen.add(url)
                answer = client.post(url, message("CatalogRequestMessage", filter=[]), token=self._token(), repeat=True)
                yield from (entry["@id"] for entry in received(answer.body, "Catalog").get("dataset", ()))
                url = _next(answer.headers.get("link", ""))

    def _protocol(self) -> str:
        """Return the endpoint of the protocol version that is spoken here."""
        if not self._endpoint:
            with self._client() as client:
                body = client.get(f"{self._base()}/.well-known/dspace-version").body
            found = body.get("protocolVersions") if isinstance(body, dict) else None
            offered = {entry.get("version"): entry.get("path") for entry in found or () if isinstance(entry, dict)}
            if not isinstance(offered.get(VERSION), str):
                raise SourceError(
                    f"the provider does not speak version {VERSION} of the Dataspace Protocol",
                    where=self._base(),
                    next=f"it offers {', '.join(map(str, offered)) or 'nothing'}",
                )
            self._endpoint = self._base() + str(offered[VERSION])
        return self._endpoint

    def _base(self) -> str:
        if not self._url:
            self._url = start(self._sandbox, holdings=self._holdings).url
        return self._url

    def _reach(self) -> Reach:
        host = urlsplit(self._base()).hostname or ""
        return Reach(self._hosts | {host}, loopback=host in {"127.0.0.1", "localhost", "::1"})

    def _client(self) -> HttpClient:
        return HttpClient(self._reach())

    def _consumer(self, intent: Intent) -> Consumer:
        return Consumer(self._state, self._protocol(), self._reach(), self._token(intent), patience=float(self._patience))

    def _token(self, intent: Intent | None = None) -> str:
        return identity_token(self._participant, intent)


def _ended(agreement: Agreement) -> bool:
    return bool(agreement.valid_until) and agreement.valid_until <= rfc3339(dt.datetime.now(dt.UTC))


def _next(link: str) -> str:
    for part in link.split(","):
        address, _, relation = part.partition(";")
        if 'rel="next"' in relation.replace(" ", ""):
            return address.strip().strip("<>")
    return ""


def _number(table: Mapping[str, Any], key: str, default: int, name: str) -> int:
    value = table.get(key, default)
    with contextlib.suppress(TypeError, ValueError):
        if int(value) > 0:
            return int(value)
    raise SettingsError(f"{key} is {value!r}", where=f"datalab.toml, [connectors.{name}]", next="give a whole number above 0")
