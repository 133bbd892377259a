"""The connector to a sandbox: search by the Simpl facade, agree and fetch by the Dataspace Protocol."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from datalab.errors import NotFound, ProtocolError
from datalab.model.offer import Offer, Query
from datalab.ports.http import HttpRefused
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.sandbox.catalogue import PREFIX
from datalab_connectors.sandbox.reading import hit_id, offer_of
from datalab_connectors.sandbox.server import start

_PAGE = 20


class SandboxConnector(DspConnector):
    """A sandbox as a data space. Without ``url``, the sandbox of the folder ``state`` is used, and started where needed."""

    keys: ClassVar[Mapping[str, type]] = {**DspConnector.keys, "state": str, "holdings": list}

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        super().__init__(name, table, state)
        self._sandbox = Path(self._table.text("state", str(state)))
        self._holdings = [Path(folder) for folder in self._table.texts("holdings")]
        self._started = ""

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the offers that match all words, best first; without words, the whole catalogue."""
        ids = self._hits(query.text) if query.text.strip() else self._catalogue()
        for dataset_id in itertools.islice(ids, max(0, query.limit)):
            yield self.offer(dataset_id)

    def offer(self, dataset_id: str) -> Offer:
        """Return one offer, from its self-description and its entry in the catalogue."""
        version, endpoint = self._protocol()
        with self._client() as client:
            try:
                described = client.get(f"{self._base()}/v1/selfDescriptions/{quote(PREFIX + dataset_id, safe='')}")
                entry = client.get(f"{endpoint}/catalog/datasets/{quote(dataset_id, safe='')}", token=self._token())
            except HttpRefused as error:
                if error.status != 404:
                    raise
                raise NotFound.among("dataset", dataset_id, self._catalogue(), where=f"connector {self.name}") from None
        return offer_of(self.name, dataset_id, described, entry, version)

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

    def _base(self) -> str:
        if not self._started:
            named = self._table.text("url").rstrip("/")
            self._started = named or start(self._sandbox, holdings=self._holdings).url
        return self._started
