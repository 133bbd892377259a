"""The connector to a REST catalogue: search, licence as agreement, files by the hardened client. A profile says how it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from datalab.errors import NotFound, ProtocolError, SettingsError, SourceError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Offer, Query
from datalab.ports.connector import Progress
from datalab.ports.http import HttpClient, HttpRefused, Limits, Reach
from datalab.ports.landing import Landed, Landing
from datalab.ports.reach import shown
from datalab.ports.tls import TLS_KEYS
from datalab_connectors.grants import in_force
from datalab_connectors.kinds import shown_name
from datalab_connectors.objects import landed_before, object_of, refuse_web_page
from datalab_connectors.rest.pages import hits
from datalab_connectors.rest.pointer import values
from datalab_connectors.rest.profile import load_profile
from datalab_connectors.rest.reading import id_of, offer_of
from datalab_connectors.standing import agree
from datalab_connectors.table import LOOPBACK, MAX_BYTES, PARTICIPANT, Table

_ANY = "*"


class RestConnector:
    """One catalogue. ``profile`` names how it speaks, ``url`` where it is; see docs/how-to/connect-rest.md.

    Files are fetched from the catalogue's own host and from ``hosts`` (``"*"``: any public one), and the key is told to
    the catalogue alone. Without a word to the contrary (``personal_data = false``) data is treated as personal.
    """

    keys: ClassVar[Mapping[str, type]] = {
        "profile": str, "url": str, "key": str, "hosts": list, "personal_data": bool, "participant": str, "max_bytes": int,
        "patience": int, **TLS_KEYS,
    }  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        self._table = Table.of(name, table, self.keys)
        where = self._table.where
        self._profile = load_profile(self._table.needed("profile", "stac"), where=where)
        self._url = (self._table.text("url") or self._profile[""]["url"] or self._table.needed("url", "https://…")).rstrip("/")
        self._keyed = bool(self._table.text("key"))
        if self._profile["auth"]["style"] == "query" and not self._keyed:
            raise SettingsError(
                f"{self._profile['']['title']} wants a key", where=where, next='write key = "env:…" or key = "file:…"'
            )
        self._table.read_tls(self._url)
        parts = urlsplit(self._url)
        if self._keyed and parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise SettingsError("the key would travel without TLS", where=where, next='write url = "https://…"')
        self._personal = self._table.flag("personal_data", True)
        self._participant = self._table.text("participant", PARTICIPANT)
        self._max_bytes = self._table.number("max_bytes", MAX_BYTES)
        seconds = float(self._table.number("patience", 60))
        self._limits = Limits(seconds=seconds, idle=min(20.0, seconds))
        self._parents: dict[str, Any] = {}

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that the catalogue finds; where it takes no words, those whose record contains all of them."""
        if query.limit <= 0:
            return
        profile, found = self._profile, 0
        words = [] if profile["search"]["text"] else query.text.casefold().split()
        with self._client() as client:
            ask = self._asking(client)
            for item, place in hits(profile, self._url, query.text.strip(), query.limit, ask):
                dataset_id = id_of(profile, item)
                if not dataset_id or (words and not all(word in str(item).casefold() for word in words)):
                    continue
                offer, _ = self._read(ask, dataset_id, (item, place) if profile["search"]["whole"] else None)
                yield offer
                found += 1
                if found >= query.limit:
                    return

    def offer(self, dataset_id: str) -> Offer:
        """Return one record as an offer whose terms are its licence."""
        with self._client() as client:
            return self._read(self._asking(client), dataset_id)[0]

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Take the published licence as the agreement."""
        return agree(offer, intent, decision, provider=offer.holder, consumer=self._participant)

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Bring one file into the landing folder; what stands there under its announced hash is not moved again."""
        in_force(agreement, offer, decision)
        wanted = offer.distribution(distribution)
        landed = landed_before(landing, wanted)
        if landed is None:
            with self._client() as client:
                now, addresses = self._read(self._asking(client), offer.dataset_id)
            if now.policy.sha256 != offer.policy.sha256 or wanted not in now.distributions:
                raise SourceError("the record differs from the one that was offered", where=offer.dataset, next="begin again")
            landed = self._download(addresses[wanted.id], landing, wanted.name, wanted.sha256, progress)
        return [object_of(agreement, offer, wanted, landed)]

    def _download(self, address: str, landing: Landing, name: str, sha256: str | None, progress: Progress) -> Landed:
        home = urlsplit(self._url)[:2] == urlsplit(address)[:2]
        with HttpClient(self._reach(home=home), self._limits) as client:
            return client.download(
                address,
                landing,
                name,
                limit=self._max_bytes,
                sha256=sha256,
                token=self._token() if home else "",
                progress=progress,
                check=None if sha256 else lambda path: refuse_web_page(path, address),
            )

    def _read(
        self, ask: Callable[[str], Any], dataset_id: str, known: tuple[Any, str] | None = None
    ) -> tuple[Offer, dict[str, str]]:
        """Return the offer of a dataset and the addresses of its files, from its record and what that inherits."""
        profile = self._profile
        record, place = known or self._record(ask, dataset_id)
        above = None
        if profile["inherit"]["path"]:
            above = self._parents.get(parent := self._filled(profile["inherit"]["path"], dataset_id))
            if above is None:
                above = self._parents[parent] = ask(parent)
        offer, addresses = offer_of(
            self.name, profile, record, above, place, personal_data=self._personal, hidden=self._secret()
        )
        if offer.dataset_id != dataset_id.strip("/"):
            raise ProtocolError("the catalogue answered with another dataset", where=shown_name(dataset_id)[:200])
        return offer, addresses

    def _record(self, ask: Callable[[str], Any], dataset_id: str) -> tuple[Any, str]:
        place = self._filled(self._profile["record"]["path"], dataset_id)
        try:
            body = ask(place)
        except HttpRefused as error:
            if error.status not in {400, 404, 410}:
                raise
            raise NotFound.among("dataset", shown_name(dataset_id), (), where=f"connector {self.name}") from None
        record = next(values(body, self._profile["record"]["item"]), None)
        if not isinstance(record, dict):
            raise ProtocolError("the catalogue answered without a record", where=shown(place))
        return record, place

    def _filled(self, path: str, dataset_id: str) -> str:
        """Return the address of a record: the places of the path filled with the parts of the id."""
        places = self._profile["record"]["path"].count("{")
        whole = places < 2
        parts = [dataset_id.strip("/")] if whole else dataset_id.strip("/").split("/", places - 1)
        if any(part in {".", ".."} for part in dataset_id.split("/")) or len(parts) < path.count("{"):
            raise NotFound.among("dataset", shown_name(dataset_id), (), where=f"connector {self.name}")
        filled = path
        for number, part in enumerate(parts):
            filled = filled.replace(f"{{{number}}}", quote(part, safe="/" if whole else ""))
        return urljoin(f"{self._url}/", filled.lstrip("/"))

    def _asking(self, client: HttpClient) -> Callable[[str], Any]:
        auth = self._profile["auth"]

        def ask(url: str) -> Any:
            parts = urlsplit(url)
            if auth["style"] == "query":
                kept = [(name, value) for name, value in parse_qsl(parts.query) if name != auth["name"]]
                url = parts._replace(query=urlencode([*kept, (auth["name"], self._secret())])).geturl()
            return client.get(url, token=self._token()).body

        return ask

    def _secret(self) -> str:
        return self._table.secret("key")

    def _token(self) -> str:
        return self._secret() if self._profile["auth"]["style"] == "bearer" else ""

    def _client(self) -> HttpClient:
        client = HttpClient(self._reach(home=True), self._limits)
        if self._keyed:
            client.hide(self._secret())
        return client

    def _reach(self, *, home: bool) -> Reach:
        """Return where to go: the catalogue's host, and for files the hosts of the table besides."""
        return Reach(tls=self._table.tls) if not home and _ANY in self._table.texts("hosts") else self._table.reach(self._url)
