"""piveau hub search, as data.europa.eu runs it: its JSON records as DCAT nodes, and its search page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from datalab.errors import NotFound, ProtocolError
from datalab.ports.documents import DocumentClient
from datalab.ports.http import HttpRefused
from datalab_connectors.dcat.pages import Page
from datalab_connectors.dcat.record import Raw
from datalab_connectors.dcat.vocabulary import ADMS, DCAT, DCATAP, DCT, FOAF, OWL, SPDX, VCARD

_RDFS_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
_DATASET = {
    "title": DCT + "title", "description": DCT + "description", "issued": DCT + "issued", "modified": DCT + "modified",
    "landing_page": DCAT + "landingPage", "identifier": DCT + "identifier", "access_right": DCT + "accessRights",
    "accrual_periodicity": DCT + "accrualPeriodicity", "language": DCT + "language", "spatial": DCT + "spatial",
    "temporal": DCT + "temporal", "provenance": DCT + "provenance", "conforms_to": DCT + "conformsTo", "page": FOAF + "page",
    "same_as": OWL + "sameAs", "other_identifier": ADMS + "identifier", "applicable_legislation": DCATAP + "applicableLegislation",
}  # fmt: skip
_FILE = {
    "title": DCT + "title", "description": DCT + "description", "access_url": DCAT + "accessURL", "download_url": DCAT + "downloadURL",
    "media_type": DCAT + "mediaType", "byte_size": DCAT + "byteSize", "rights": DCT + "rights", "issued": DCT + "issued",
    "modified": DCT + "modified", "availability": DCATAP + "availability",
}  # fmt: skip


def is_record(body: Mapping[str, Any]) -> bool:
    """Whether a JSON record is one of piveau's: a package of CKAN always has resources."""
    return "resources" not in body


def nodes(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a record as nodes, the dataset first."""
    root = str(body.get("resource") or f"urn:piveau:{body['id']}")
    dataset: dict[str, Any] = {"@id": root, "@type": [DCAT + "Dataset"]}
    for key, path in _DATASET.items():
        _add(dataset, path, body.get(key))
    _add(dataset, DCT + "identifier", None if DCT + "identifier" in dataset else body["id"])
    for theme in _list(body.get("categories")):
        _add(dataset, DCAT + "theme", theme.get("resource") or theme.get("id") if isinstance(theme, Mapping) else theme)
    for word in _list(body.get("keywords")):
        _add(dataset, DCAT + "keyword", (word.get("label") or word.get("id")) if isinstance(word, Mapping) else word)
    made = [dataset]
    for key, path, kind, name in (
        ("publisher", DCT + "publisher", FOAF + "Agent", FOAF + "name"),
        ("contact_point", DCAT + "contactPoint", VCARD + "Kind", VCARD + "fn"),
    ):
        for place, agent in enumerate(item for item in _list(body.get(key)) if isinstance(item, Mapping)):
            node: dict[str, Any] = {"@id": f"_:{key}{place}", "@type": [kind]}
            _add(node, name, agent.get("name") or agent.get("organisation_name"))
            dataset.setdefault(path, []).append({"@id": node["@id"]})
            made.append(node)
    for place, item in enumerate(item for item in _list(body.get("distributions")) if isinstance(item, Mapping)):
        made += _distribution(dataset, item, place)
    return made


def _distribution(dataset: dict[str, Any], item: Mapping[str, Any], place: int) -> list[dict[str, Any]]:
    name = f"urn:piveau:distribution/{item.get('id') or place}"
    node: dict[str, Any] = {"@id": name, "@type": [DCAT + "Distribution"]}
    dataset.setdefault(DCAT + "distribution", []).append({"@id": name})
    for key, path in _FILE.items():
        _add(node, path, item.get(key), iri=key.endswith("_url"))
    kind = item.get("format")
    _add(
        node,
        DCT + "format",
        (kind.get("resource") or kind.get("label") or kind.get("id")) if isinstance(kind, Mapping) else kind,
    )
    made = [node]
    licence = item.get("license")
    stated = [licence.get(key) for key in ("resource", "la_url", "id", "label")] if isinstance(licence, Mapping) else [licence]
    if names := [str(text) for text in stated if text]:
        node[DCT + "license"] = [{"@id": f"_:licence{place}"}]
        made.append({"@id": f"_:licence{place}", _RDFS_LABEL: [{"@value": text} for text in dict.fromkeys(names)]})
    checksum = item.get("checksum")
    if isinstance(checksum, Mapping) and checksum.get("checksum_value"):
        node[SPDX + "checksum"] = [{"@id": f"_:checksum{place}"}]
        held: dict[str, Any] = {"@id": f"_:checksum{place}", "@type": [SPDX + "Checksum"]}
        _add(held, SPDX + "algorithm", checksum.get("algorithm"))
        _add(held, SPDX + "checksumValue", checksum.get("checksum_value"))
        made.append(held)
    return made


def _add(node: dict[str, Any], path: str, value: Any, *, iri: bool = False) -> None:
    """Add a value as piveau writes it: text, a list, texts by language, an object with its address or label."""
    if value in (None, "", [], {}):
        return
    if isinstance(value, list):
        for item in value:
            _add(node, path, item, iri=iri)
    elif isinstance(value, Mapping):
        if found := value.get("resource") or value.get("id") or value.get("label") or value.get("uri"):
            _add(node, path, found, iri=iri)
        elif all(isinstance(text, str) for text in value.values()):
            node.setdefault(path, []).extend({"@value": text, "@language": str(language)} for language, text in value.items())
        else:
            node.setdefault(path, []).append({"@value": json.dumps(value, ensure_ascii=False)})
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        node.setdefault(path, []).append({"@id": text} if iri or text.startswith(("http://", "https://")) else {"@value": text})


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


class PiveauSource:
    """Hub search below ``url``, for example ``https://data.europa.eu/api/hub/search``. ``query`` is added to what is searched.

    A harvest scrolls (``scroll=true``, then ``/scroll?scrollId=``) where the hub does, since page by page it ends at 10,000.
    """

    conditional = False

    def __init__(self, url: str, *, rows: int, query: str = "") -> None:
        self._base = url.rstrip("/").removesuffix("/search/search") + (
            "/search" if url.rstrip("/").endswith("/search/search") else ""
        )
        self._rows, self._query = rows, query

    def pages(self, client: DocumentClient, cursor: str, token: str) -> Iterator[Page]:
        """Yield the datasets; ``cursor`` is the number of a page, or ``scroll:`` and the id of a scroll that may have expired."""
        if cursor.startswith("scroll:"):
            try:
                yield from self._scrolled(client, cursor, token)
            except HttpRefused:
                cursor = ""  # the scroll has expired: from the beginning; what is there already is recognised
            else:
                return
        number, seen = int(cursor or 0), 0
        while True:
            raws, total, scroll, bad = self._search(client, self._query, number, self._rows, token, scroll=number == 0)
            if number == 0 and scroll:
                yield Page(raws, f"scroll:{scroll}" if raws else "", total, unreadable=bad)
                yield from self._scrolled(client, f"scroll:{scroll}", token)
                return
            seen = (number + 1) * self._rows
            over = not (raws or bad) or seen >= (total or 0)
            yield Page(raws, "" if over else str(number + 1), total, unreadable=bad)
            if over:
                return
            number += 1

    def search(self, client: DocumentClient, text: str, limit: int, token: str) -> list[Raw]:
        """Return what the hub finds for ``text``."""
        return self._search(client, f"{text} {self._query}".strip(), 0, limit, token)[0]

    def one(self, client: DocumentClient, dataset_id: str, token: str) -> Raw:
        """Return one dataset by its id in the hub."""
        try:
            body = client.get(f"{self._base}/datasets/{quote(dataset_id, safe='')}", token=token).body
        except HttpRefused as error:
            if error.status != 404:
                raise
            raise NotFound(f"no dataset named {dataset_id!r}", where=self._base, next="datalab discover lists them") from None
        result = body.get("result", body) if isinstance(body, dict) else None
        if not isinstance(result, Mapping) or not result.get("id"):
            raise ProtocolError("the hub answered without a dataset", where=self._base)
        return _raw(result)

    def _scrolled(self, client: DocumentClient, cursor: str, token: str) -> Iterator[Page]:
        while cursor:
            found = cursor.removeprefix("scroll:")
            raws, total, scroll, bad = self._results(
                client.get(f"{self._base}/scroll?{urlencode({'scrollId': found})}", token=token).body
            )
            cursor = f"scroll:{scroll or found}" if raws or bad else ""
            yield Page(raws, cursor, total, unreadable=bad)

    def _search(
        self, client: DocumentClient, text: str, page: int, limit: int, token: str, *, scroll: bool = False
    ) -> tuple[list[Raw], int | None, str, int]:
        asked = {"q": text, "filter": "dataset", "limit": limit, "page": page, **({"scroll": "true"} if scroll else {})}
        return self._results(client.get(f"{self._base}/search?{urlencode(asked)}", token=token).body)

    def _results(self, body: Any) -> tuple[list[Raw], int | None, str, int]:
        result = body.get("result") if isinstance(body, dict) else None
        items = result.get("results") if isinstance(result, Mapping) else None
        if not isinstance(result, Mapping) or not isinstance(items, list):
            raise ProtocolError("the hub answered without results", where=self._base)
        raws = [_raw(item) for item in items if isinstance(item, Mapping) and item.get("id")]
        total = result.get("count")
        return raws, total if isinstance(total, int) else None, str(result.get("scrollId") or ""), len(items) - len(raws)


def _raw(body: Mapping[str, Any]) -> Raw:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Raw(str(body["id"]), text, "piveau", str(body.get("modified") or ""))
