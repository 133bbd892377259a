"""CKAN: its packages as DCAT nodes, as ckanext-dcat maps them, and its action API page by page."""

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
from datalab_connectors.dcat.vocabulary import ADMS, DCAT, DCATAP, DCT, FOAF, SPDX, VCARD

_EXTRAS = {
    "identifier": DCT + "identifier", "issued": DCT + "issued", "modified": DCT + "modified", "frequency": DCT + "accrualPeriodicity",
    "access_rights": DCT + "accessRights", "spatial_uri": DCT + "spatial", "provenance": DCT + "provenance",
    "conforms_to": DCT + "conformsTo", "dcat_type": DCT + "type", "alternate_identifier": ADMS + "identifier",
}  # fmt: skip
_LISTS = {
    "theme": DCAT + "theme", "language": DCT + "language", "health_theme": "http://healthdataportal.eu/ns/health#healthTheme",
    "health_category": "http://healthdataportal.eu/ns/health#healthCategory", "hdab": "http://healthdataportal.eu/ns/health#hdab",
    "applicable_legislation": DCATAP + "applicableLegislation",
}  # fmt: skip


def nodes(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a package as nodes, the dataset first."""
    extras = {
        str(item["key"]): item["value"] for item in package.get("extras") or () if isinstance(item, Mapping) and "key" in item
    }
    told = {**extras, **{key: value for key, value in package.items() if value not in (None, "", [])}}
    root = str(told.get("uri") or f"urn:ckan:{package['id']}")
    dataset: dict[str, Any] = {"@id": root, "@type": [DCAT + "Dataset"]}
    for key, path in (
        ("title", DCT + "title"),
        ("notes", DCT + "description"),
        ("url", DCAT + "landingPage"),
        ("version", DCAT + "version"),
    ):
        _add(dataset, path, told.get(key))
    _add(dataset, DCT + "title", None if DCT + "title" in dataset else told.get("name"))
    for key, path in _EXTRAS.items():
        _add(dataset, path, told.get(key))
    for key, path in _LISTS.items():
        for value in _list(told.get(key)):
            _add(dataset, path, value)
    _own_words(dataset, package, told)
    made = [dataset]
    organisation = package.get("organization")
    publisher = told.get("publisher_name") or (
        organisation.get("title") or organisation.get("name") if isinstance(organisation, Mapping) else None
    )
    if publisher:
        dataset[DCT + "publisher"] = [{"@id": "_:publisher"}]
        made.append({"@id": "_:publisher", "@type": [FOAF + "Agent"], FOAF + "name": [{"@value": str(publisher)}]})
    contact = told.get("contact_name") or told.get("maintainer") or told.get("author")
    if contact:
        dataset[DCAT + "contactPoint"] = [{"@id": "_:contact"}]
        made.append({"@id": "_:contact", "@type": [VCARD + "Kind"], VCARD + "fn": [{"@value": str(contact)}]})
    if licence := _licence(told, "_:licence"):
        dataset[DCT + "license"] = [{"@id": licence["@id"]}]
        made.append(licence)
    for place, resource in enumerate(item for item in package.get("resources") or () if isinstance(item, Mapping)):
        made += _resource(dataset, resource, place)
    return made


def _own_words(dataset: dict[str, Any], package: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Add what CKAN itself knows of a package: groups, tags, and what stands in for what the record leaves out."""
    for group in package.get("groups") or ():
        _add(dataset, DCAT + "theme", group.get("name"))
    for tag in package.get("tags") or ():
        _add(dataset, DCAT + "keyword", tag.get("display_name") or tag.get("name"))
    _add(dataset, DCT + "identifier", None if DCT + "identifier" in dataset else package["id"])
    _add(dataset, DCT + "issued", None if DCT + "issued" in dataset else told.get("metadata_created"))
    _add(dataset, DCT + "modified", None if DCT + "modified" in dataset else told.get("metadata_modified"))
    if told.get("private") is True:
        dataset[DCT + "accessRights"] = [{"@value": "RESTRICTED"}]


def _resource(dataset: dict[str, Any], resource: Mapping[str, Any], place: int) -> list[dict[str, Any]]:
    name = f"urn:ckan:resource/{resource.get('id') or place}"
    node: dict[str, Any] = {"@id": name, "@type": [DCAT + "Distribution"]}
    dataset.setdefault(DCAT + "distribution", []).append({"@id": name})
    url = resource.get("access_url") or resource.get("url")
    _add(node, DCAT + "accessURL", url, iri=True)
    if (
        resource.get("download_url")
        or resource.get("url_type") == "upload"
        or resource.get("resource_type") in {"file", "file.upload"}
    ):
        _add(node, DCAT + "downloadURL", resource.get("download_url") or resource.get("url"), iri=True)
    for key, path in (("name", DCT + "title"), ("description", DCT + "description"), ("format", DCT + "format"), ("mimetype", DCAT + "mediaType"),
                      ("size", DCAT + "byteSize"), ("last_modified", DCT + "modified"), ("rights", DCT + "rights"),
                      ("availability", DCATAP + "availability")):  # fmt: skip
        _add(node, path, resource.get(key))
    made = [node]
    if licence := _licence({"license_id": resource.get("license"), **resource}, f"_:licence{place}"):
        node[DCT + "license"] = [{"@id": licence["@id"]}]
        made.append(licence)
    digest = str(resource.get("hash") or "").rpartition(":")[2]
    algorithm = resource.get("hash_algorithm") or {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}.get(len(digest))
    if digest and algorithm:
        node[SPDX + "checksum"] = [{"@id": f"_:checksum{place}"}]
        checksum: dict[str, Any] = {"@id": f"_:checksum{place}", "@type": [SPDX + "Checksum"]}
        _add(checksum, SPDX + "algorithm", algorithm)
        _add(checksum, SPDX + "checksumValue", digest)
        made.append(checksum)
    return made


def _licence(told: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    stated = [str(told[key]) for key in ("license_url", "license_id", "license_title") if told.get(key)]
    if not stated:
        return None
    return {"@id": name, "http://www.w3.org/2000/01/rdf-schema#label": [{"@value": text} for text in dict.fromkeys(stated)]}


def _add(node: dict[str, Any], path: str, value: Any, *, iri: bool = False) -> None:
    if value in (None, "", [], {}):
        return
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    found = (
        {"@id": text}
        if iri or (text.startswith(("http://", "https://")) and " " not in text and path != DCT + "description")
        else {"@value": text}
    )
    node.setdefault(path, []).append(found)


def _list(value: Any) -> list[Any]:
    """Return a list; CKAN keeps lists in extras as JSON text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    return value if isinstance(value, list) else [value]


class CkanSource:
    """The action API below ``url``. ``query`` is a filter in Solr's words (``fq``)."""

    conditional = False

    def __init__(self, url: str, *, rows: int, query: str = "") -> None:
        self._base = (
            url.rstrip("/").removesuffix("/package_search").removesuffix("/action").removesuffix("/api/3").removesuffix("/api")
            + "/api/3/action"
        )
        self._rows, self._query = rows, query

    def pages(self, client: DocumentClient, cursor: str, token: str) -> Iterator[Page]:
        """Yield the packages from the offset ``cursor`` on, in the order of their ids: stable while others change."""
        start = int(cursor or 0)
        while True:
            page = self._search(client, "", start, self._rows, token, sort="id asc")
            start += len(page.raws) + page.unreadable
            over = not (page.raws or page.unreadable) or start >= (page.total or 0)
            yield Page(page.raws, "" if over else str(start), page.total, unreadable=page.unreadable)
            if over:
                return

    def search(self, client: DocumentClient, text: str, limit: int, token: str) -> list[Raw]:
        """Return the packages that CKAN finds for ``text``."""
        return list(self._search(client, text, 0, limit, token).raws)

    def one(self, client: DocumentClient, dataset_id: str, token: str) -> Raw:
        """Return one package by id or name."""
        try:
            result = self._result(client, f"{self._base}/package_show?id={quote(dataset_id, safe='')}", token)
        except HttpRefused as error:
            if error.status not in {403, 404}:
                raise
            raise NotFound(f"no dataset named {dataset_id!r}", where=self._base, next="datalab discover lists them") from None
        return _raw(result)

    def _search(self, client: DocumentClient, text: str, start: int, rows: int, token: str, sort: str = "") -> Page:
        asked = {
            "q": text or "*:*",
            "start": start,
            "rows": rows,
            **({"sort": sort} if sort else {}),
            **({"fq": self._query} if self._query else {}),
        }
        result = self._result(client, f"{self._base}/package_search?{urlencode(asked)}", token)
        packages, total = result.get("results"), result.get("count")
        if not isinstance(packages, list) or not isinstance(total, int):
            raise ProtocolError("the search answered without results and count", where=self._base)
        raws = [_raw(item) for item in packages if isinstance(item, Mapping) and item.get("id")]
        return Page(raws, "", total, unreadable=len(packages) - len(raws))

    def _result(self, client: DocumentClient, url: str, token: str) -> Mapping[str, Any]:
        body = client.get(url, token=token).body
        result = body.get("result") if isinstance(body, dict) and body.get("success") else None
        if not isinstance(result, Mapping):
            raise ProtocolError("the action did not succeed, or this is no CKAN", where=self._base)
        return result


def _raw(package: Mapping[str, Any]) -> Raw:
    body = json.dumps(package, ensure_ascii=False, separators=(",", ":"))
    return Raw(str(package.get("name") or package["id"]), body, "ckan", str(package.get("metadata_modified") or ""))
