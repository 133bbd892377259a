"""Searching a node's catalogue, in whichever of its dialects the node speaks; which one is found out once, by asking.

The search service (v1, v2), the query mapper before it, or the federated catalogue itself, whose ``/self-descriptions``
became ``/assets`` upstream in March 2026.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from datalab.errors import NotFound, ProtocolError, SourceError, UsageError
from datalab.ports.http import HttpRefused
from datalab_connectors.simpl.credential import Description, read_description
from datalab_connectors.simpl.node import Node

DIALECTS = ("v1", "v2", "mapper", "self-descriptions", "assets")
_PAGE = 20
_MOST_PAGES = 500
_ABSENT = frozenset((404, 405, 501))
_SERVICE = "simpl:GeneralServiceProperties"
_CONDITION = re.compile(r"(?:simpl:)?([A-Za-z]{2,60})\.([A-Za-z-]{2,60})(>=|<=|=|>|<)(.{1,200})")


class Catalogue:
    """The catalogue of one node. ``dialect`` is one of `DIALECTS`, or "" to find out."""

    def __init__(self, node: Node, dialect: str = "") -> None:
        self._node = node
        self._dialect = dialect

    def hits(self, text: str) -> Iterator[str]:
        """Yield the ids of the data offerings that match ``text``, best first, each once.

        Words are searched for. ``Section.property=value`` (also ``<``, ``<=``, ``>``, ``>=`` for numbers) is a condition of the
        advanced search. Without either, the catalogue is listed.
        """
        seen = set[str]()
        for page in self._pages(text):
            fresh = [name for name in page if name not in seen]
            if page and not fresh:
                return  # a catalogue that repeats itself for ever
            seen.update(fresh)
            yield from fresh

    def describe(self, identifier: str) -> Description:
        """Return one self-description; raise ``NotFound``, or ``ProtocolError`` for one that is about something else."""
        dialect = self._spoken()
        name = quote(identifier, safe="")
        url = {
            "v1": self._node.search(f"/v1/selfDescriptions/{name}"),
            "v2": self._node.search(f"/v2/selfDescriptions/{name}"),
            "mapper": self._node.search(f"/v1/selfDescriptions/{name}"),
        }.get(dialect, self._node.catalogue(f"/{dialect}/{name}"))
        try:
            answer = self._node.get(url)
        except HttpRefused as error:
            if error.status not in {400, 404}:
                raise
            hint = "datalab discover lists the ids that this catalogue has"
            raise NotFound(f"no dataset named {identifier!r}", where=f"connector of {self._node.url}", next=hint) from None
        try:
            found = read_description(answer.text)
        except ProtocolError as error:
            error.where = error.where or identifier[:200]
            raise
        if found.id != identifier:
            raise ProtocolError("the catalogue answered with another self-description", where=identifier[:200])
        return found

    def _pages(self, text: str) -> Iterator[list[str]]:
        dialect = self._spoken()
        if dialect in {"self-descriptions", "assets"}:
            return self._listed(dialect, text)
        conditions, words = asked(text)
        if conditions or not words:
            return iter([self._advanced(dialect, conditions, words)])
        return self._quick(dialect, words)

    def _quick(self, dialect: str, words: list[str]) -> Iterator[list[str]]:
        for page in range(1, _MOST_PAGES + 1):
            if dialect == "mapper":
                query = urlencode({"searchString": " ".join(words), "page": page, "pageSize": _PAGE})
            else:
                query = urlencode({"q": ",".join(words), "page": page, "pageSize": _PAGE})
            version = "v1" if dialect == "mapper" else dialect
            body = self._node.get(self._node.search(f"/{version}/selfDescriptions?{query}")).body
            items = _items(body, self._node.url)
            yield [name for name in map(hit_id, items) if name]
            total = body.get("totalCount")
            if len(items) < _PAGE or (isinstance(total, int) and page * _PAGE >= total):
                return

    def _advanced(self, dialect: str, conditions: dict[str, dict[str, Any]], words: list[str]) -> list[str]:
        sections = {name: {"@type": name, **values} for name, values in conditions.items()}
        general = sections.setdefault(_SERVICE, {"@type": _SERVICE})
        if words:
            general["name"] = " ".join(words)
        general.setdefault("offeringType", "data")
        version, path = ("v1", "advancedSearch") if dialect == "mapper" else (dialect, "advanced")
        body = self._node.post(self._node.search(f"/{version}/selfDescriptions/{path}"), sections, repeat=True).body
        return [name for name in map(hit_id, _items(body, self._node.url)) if name]

    def _listed(self, dialect: str, text: str) -> Iterator[list[str]]:
        """List the federated catalogue, which has no words to search by, and look for the words here."""
        words = text.casefold().split()
        for page in range(_MOST_PAGES):
            query = urlencode({"offset": page * _PAGE, "limit": _PAGE, "withContent": "true", "withMeta": "true"})
            items = _items(self._node.get(self._node.catalogue(f"/{dialect}?{query}")).body, self._node.url)
            yield [name for name in (_listed_id(item, words) for item in items) if name]
            if len(items) < _PAGE:
                return

    def _spoken(self) -> str:
        """Return the dialect of this node: the first one that is there."""
        if self._dialect:
            return self._dialect
        probe = urlencode({"q": "data", "page": 1, "pageSize": 1})
        addresses = {
            "v1": self._node.search(f"/v1/selfDescriptions?{probe}"),
            "v2": self._node.search(f"/v2/selfDescriptions?{probe}"),
            "mapper": self._node.search(f"/v1/selfDescriptions?{urlencode({'searchString': 'data'})}"),
            "self-descriptions": self._node.catalogue("/self-descriptions?limit=1"),
            "assets": self._node.catalogue("/assets?limit=1"),
        }
        for dialect, url in addresses.items():
            try:
                answer = self._node.get(url)
            except HttpRefused as error:
                # The query mapper answers 400 to a search in the other's words; it stands at the same address.
                if error.status in _ABSENT or (error.status == 400 and dialect in {"v1", "v2"}):
                    continue
                raise
            _items(answer.body, self._node.url)
            self._dialect = dialect
            return dialect
        raise SourceError(
            "no catalogue answers at this node",
            where=self._node.url,
            next="set search_path or catalogue_path in datalab.toml to where the gateway routes to it",
        )


def asked(text: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the conditions and the words of a search text; raise ``UsageError`` for a condition that nobody can answer."""
    sections: dict[str, dict[str, Any]] = {}
    words = []
    for part in text.split():
        match = _CONDITION.fullmatch(part)
        if match is None:
            words += [word for word in part.split(",") if word]
            continue
        section, name, operator, value = match.groups()
        found = sections.setdefault(f"simpl:{section[0].upper()}{section[1:]}", {})
        if operator == "=":
            found[name] = value
            continue
        try:
            number = float(value)
        except ValueError:
            raise UsageError(f"{part!r} compares with something that is no number", next="write Section.property>=15") from None
        bounds = found.setdefault(name, {})
        if not isinstance(bounds, dict) or "op2" in bounds:
            raise UsageError(f"too many conditions on {section}.{name}", next="give one, or a lower and an upper bound")
        place = 2 if "op1" in bounds else 1
        bounds |= {f"op{place}": operator, f"value{place}": int(number) if number.is_integer() else number}
    return sections, words


def hit_id(item: Any) -> str:
    """Return the id of a data offering among the hits, "" for any other; the inner key of a hit is an arbitrary letter."""
    inner = next(iter(item.values()), None) if isinstance(item, Mapping) and len(item) == 1 else item
    if not isinstance(inner, Mapping):
        return ""
    graph = inner.get("claimsGraphUri", inner.get("id"))
    name = graph[0] if isinstance(graph, list) and graph else graph
    kind = inner.get("offeringType", "data")
    return name if isinstance(name, str) and len(name) < 1000 and str(kind).lower() == "data" else ""


def _listed_id(item: Any, words: list[str]) -> str:
    """Return the id of a data offering in the federated catalogue's list that has all the words, "" for any other."""
    meta = item.get("meta", item) if isinstance(item, Mapping) else {}
    name = meta.get("id", "") if isinstance(meta, Mapping) else ""
    content = item.get("content", "") if isinstance(item, Mapping) else ""
    text = (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).casefold()
    data = isinstance(name, str) and "dataoffering" in f"{name} {text}".casefold()
    return name if data and all(word in text for word in words) else ""


def _items(body: Any, where: str) -> list[Any]:
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, list):
        raise ProtocolError("the catalogue answered without items", where=where, next="check search_path in datalab.toml")
    return list(itertools.islice(items, 10_000))
