"""The connector to a DCAT catalogue: it harvests and searches, a known open licence is its agreement, and files come over plain HTTP."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from datalab.errors import NotFound, ProtocolError, SettingsError, SourceError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Offer, Query
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Change, Harvest, Progress
from datalab.ports.documents import DocumentClient
from datalab.ports.http import Limits, Reach
from datalab.ports.landing import Landing
from datalab.ports.tls import TLS_KEYS
from datalab_connectors.dcat.ckan import CkanSource
from datalab_connectors.dcat.fetching import fetch_distribution
from datalab_connectors.dcat.pages import RdfSource, Source
from datalab_connectors.dcat.piveau import PiveauSource
from datalab_connectors.dcat.reading import distributions, offer_of, record_of
from datalab_connectors.dcat.record import Raw
from datalab_connectors.dcat.sparql import SparqlSource
from datalab_connectors.dcat.store import Store
from datalab_connectors.grants import in_force
from datalab_connectors.objects import object_of
from datalab_connectors.ranking import best_first
from datalab_connectors.standing import agree
from datalab_connectors.table import MAX_BYTES, PARTICIPANT, Table

_APIS = ("rdf", "ckan", "piveau", "sparql")


class DcatConnector:
    """One catalogue. Its table in ``datalab.toml`` says where it is (``url``) and how it is asked (``api``); see docs/how-to/connect-dcat.md."""

    keys: ClassVar[Mapping[str, type]] = {
        "url": str, "api": str, "hosts": list, "accept": str, "rows": int, "query": str, "harvest": bool, "max_age_hours": int,
        "languages": list, "personal_data": bool, "participant": str, "token_env": str, "max_bytes": int, "max_page_bytes": int,
        "patience": int, **TLS_KEYS,
    }  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        self._table = Table.of(name, table, self.keys)
        self._table.read_tls(self._table.text("url"))
        self._api = self._table.among("api", _APIS, "rdf")
        self._accept, self._query = self._table.text("accept"), self._table.text("query")
        self._rows = self._table.number("rows", 200 if self._api == "sparql" else 500)
        self._harvests = self._table.flag("harvest", True)
        if self._api == "rdf" and not self._harvests:
            raise SettingsError(
                "a catalogue in RDF cannot be asked, only harvested", where=self._table.where, next="leave harvest out"
            )
        self._max_age = self._table.number("max_age_hours", 24)
        self._languages = self._table.texts("languages", ("en",))
        self._personal = self._table.flag("personal_data", False)
        self._participant = self._table.text("participant", PARTICIPANT)
        self._max_bytes = self._table.number("max_bytes", MAX_BYTES)
        patience, page = self._table.number("patience", 60), self._table.number("max_page_bytes", 64 << 20)
        self._limits = Limits(seconds=patience, idle=min(20, patience), message=page)
        self._store = Store(state / "catalogue.sqlite", json.dumps([self._api, self._table.text("url"), self._query]))

    @property
    def harvests(self) -> bool:
        """Whether a copy of the catalogue is kept; without, the catalogue itself is asked."""
        return self._harvests

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers in which all words occur, those with a word in the title first."""
        words = query.text.casefold().split()
        if query.limit <= 0:
            return
        if not self._harvests:
            with self._client() as client:
                raws = self._source().search(client, query.text, query.limit, self._token())
            for raw in raws[: query.limit]:
                self._store.keep(raw)
                yield self._offer(raw)
            return
        self._ensure()
        offers = (offer for raw in self._store.holding(words) if (offer := self._readable(raw)))
        yield from itertools.islice(best_first(offers, words), query.limit)

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer as the catalogue has it now, or had it no longer than ``max_age_hours`` ago."""
        if not self._harvests:
            with self._client() as client:
                raw = self._source().one(client, dataset_id, self._token())
            self._store.keep(raw)
            return self._offer(raw)
        self._ensure()
        return self.listed(dataset_id)

    def listed(self, dataset_id: str) -> Offer:
        """Return one offer from the copy, however old it is."""
        raw = self._store.get(dataset_id)
        if raw is None:
            raise NotFound.among("dataset", dataset_id, self._store.close_to(dataset_id), where=f"connector {self.name}")
        return self._offer(raw)

    def harvest(self, progress: Progress) -> Harvest:
        """Bring the copy up to date, page by page; what was cut goes on where it was."""
        cursor = self._store.begin()
        source = self._source()
        before = self._store.count()
        with self._client() as client:
            for page in source.pages(client, cursor, self._token()):
                self._store.add(page)
                progress(f"harvesting {self.name}", self._store.seen(), page.total)
        if before and not self._store.seen():
            raise SourceError(
                f"the catalogue is empty, and held {before} datasets before: the copy stays as it was",
                where=self._base(),
                next="look at the catalogue; where it is right, remove the connector's folder in the lab's home",
            )
        return self._store.end()

    def changes(self, after: int) -> Iterator[Change]:
        """Yield what changed in the copy after the change ``after``; a record that cannot be read is no offer."""
        for number, name, raw in self._store.changes(after):
            yield Change(number, name, self._readable(raw) if raw is not None else None)

    def state(self) -> tuple[str, int, str]:
        """Return the name of the copy, its last change, and when a harvest last came to its end ("" for never)."""
        return self._store.state()

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Take the licence for the agreement, where the terms are known and permit this; nothing is sent to anybody."""
        provider = offer.holder or self._base()
        return agree(offer, intent, decision, provider=provider, consumer=self._participant)

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Download one distribution into the landing folder, verified by the checksum that the catalogue announces."""
        in_force(agreement, offer, decision)
        offered = offer.distribution(distribution)
        known = {item.distribution.id: item for item in distributions(record_of(offer.catalogue_record), self._languages)}
        wanted = known.get(offered.id)
        if wanted is None:
            raise SourceError(
                f"the record of the offer holds no distribution {offered.id!r}", where=offer.dataset, next="harvest again"
            )
        with DocumentClient(self._reach(wanted.address.url), self._limits) as client:
            landed = fetch_distribution(
                client, wanted, landing, limit=self._max_bytes, token=self._token_for(wanted.address.url), progress=progress
            )
        return [object_of(agreement, offer, wanted.distribution, landed)]

    def _ensure(self) -> None:
        """Harvest where there is no copy, or none that is young enough to take terms from."""
        _, _, ended = self._store.state()
        oldest = rfc3339(dt.datetime.now(dt.UTC) - dt.timedelta(hours=self._max_age))
        if not ended or ended < oldest:
            self.harvest(lambda *_: None)

    def _offer(self, raw: Raw) -> Offer:
        return offer_of(self.name, raw, languages=self._languages, personal_data=self._personal)

    def _readable(self, raw: Raw) -> Offer | None:
        with contextlib.suppress(ProtocolError):
            return self._offer(raw)
        return None

    def _source(self) -> Source:
        url = self._base()
        if self._api == "ckan":
            return CkanSource(url, rows=self._rows, query=self._query)
        if self._api == "piveau":
            return PiveauSource(url, rows=self._rows, query=self._query)
        if self._api == "sparql":
            return SparqlSource(url, rows=self._rows, query=self._query, known=self._store.modified)
        return RdfSource(url, accept=self._accept, marks=self._store.marks())

    def _base(self) -> str:
        return self._table.needed("url", "https://…/catalog.ttl")

    def _client(self) -> DocumentClient:
        return DocumentClient(self._table.reach(self._base()), self._limits)

    def _reach(self, url: str) -> Reach:
        """Return where files may lie: at the hosts of the settings, or without any at every public host. Catalogues name hosts freely."""
        home = self._table.reach(self._base())
        return home if self._table.texts("hosts") or urlsplit(url).hostname in home.hosts else Reach(tls=self._table.tls)

    def _token(self) -> str:
        return self._table.from_environment("token_env", "set it to what the catalogue gave you")

    def _token_for(self, url: str) -> str:
        """Return the catalogue's token for addresses of the catalogue only: no credential goes to another host."""
        here, there = urlsplit(self._base()), urlsplit(url)
        return self._token() if (here.scheme, here.netloc) == (there.scheme, there.netloc) else ""
