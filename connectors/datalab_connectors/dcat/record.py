"""A record: one dataset of a catalogue with all that hangs on it, cut out of a graph, as JSON-LD in expanded form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datalab_connectors.dcat.rdf import Graph, Node
from datalab_connectors.dcat.vocabulary import ADMS, DATASET, DCT, FOAF, NOT_PARTS, RDF, SKOS, TYPE, VCARD

_MOST_NODES = 5_000
_NAMING = (FOAF + "name", VCARD + "fn", VCARD + "organization-name", SKOS + "prefLabel", DCT + "title", RDF + "value",
           "http://www.w3.org/2000/01/rdf-schema#label", SKOS + "notation", DCT + "identifier")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as the catalogue has it: ``id`` is stable, ``body`` the record to the letter (JSON text), ``kind`` how to read it."""

    id: str
    body: str
    kind: str = "rdf"
    modified: str = ""


def records(graph: Graph) -> Iterator[Raw]:
    """Yield the datasets of a graph, in the order of the document; a dataset without an IRI is named by its identifier."""
    for name, node in graph.items():
        if any(value.get("@id") == DATASET for value in node.get(TYPE, ())):
            cut = _cut(graph, name)
            found = identity(name, node)
            body = json.dumps(cut, ensure_ascii=False, separators=(",", ":"))
            yield Raw(found, body, modified=literal(node, DCT + "modified"))


def identity(name: str, node: Node) -> str:
    """Return the id of a dataset: its IRI, else its identifier, else a digest of its title and description."""
    if not name.startswith("_:"):
        return name
    if stated := literal(node, DCT + "identifier") or _first_id(node, ADMS + "identifier"):
        return stated
    told = json.dumps([sorted(map(str, node.get(DCT + word, ()))) for word in ("title", "description")])
    return f"urn:datalab:dataset:{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _cut(graph: Graph, root: str) -> list[dict[str, Any]]:
    """Return the node and what it refers to, but no other entry of the catalogue; blank nodes are numbered in the order they come."""
    names: dict[str, str] = {}
    order: list[str] = []
    waiting = [root]
    seen = {root}
    while waiting and len(order) < _MOST_NODES:
        name = waiting.pop(0)
        order.append(name)
        names[name] = f"_:b{len(order) - 1}" if name.startswith("_:") else name
        for values in graph[name].values():
            for value in values:
                target = value.get("@id")
                if target is None or target in seen or target not in graph:
                    continue
                if not target.startswith("_:") and any(kind.get("@id") in NOT_PARTS for kind in graph[target].get(TYPE, ())):
                    continue
                seen.add(target)
                waiting.append(target)
    return [_written(names[name], graph[name], names) for name in order]


def _written(name: str, node: Node, names: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {"@id": name}
    if kinds := [value["@id"] for value in node.get(TYPE, ()) if "@id" in value]:
        body["@type"] = kinds
    for key, values in node.items():
        if key != TYPE:
            body[key] = [{"@id": names.get(value["@id"], value["@id"])} if "@id" in value else value for value in values]
    return body


@dataclass(frozen=True, slots=True)
class Record:
    """A record ready to be read: its nodes by id, and the dataset itself."""

    root: str
    nodes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, nodes: Sequence[Mapping[str, Any]]) -> Record:
        """Take the first node as the dataset."""
        return cls(str(nodes[0]["@id"]), {str(node["@id"]): node for node in nodes})

    @property
    def dataset(self) -> Mapping[str, Any]:
        """The node of the dataset."""
        return self.nodes[self.root]

    def parts(self, node: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        """Return the nodes that a property leads to; a bare IRI is a node with nothing but its id, a literal one with a value."""
        return [self.nodes.get(value["@id"], value) if "@id" in value else value for value in node.get(key, ())]

    def names(self, value: Mapping[str, Any]) -> list[str]:
        """Return all that a node calls itself: its IRI, its labels, the literal."""
        if "@value" in value:
            return [value["@value"]]
        node = self.nodes.get(value["@id"], value)
        own = [] if value["@id"].startswith("_:") else [value["@id"]]
        return own + [item["@value"] for key in _NAMING for item in node.get(key, ()) if "@value" in item]

    def label(self, node: Mapping[str, Any], key: str, languages: Sequence[str]) -> str:
        """Return how a thing is called to people: a name in the first of the languages, else any, else its IRI."""
        for part in self.parts(node, key):
            if "@value" in part:
                return str(part["@value"])
            for name in _NAMING:
                if found := spoken(part, name, languages):
                    return found
            if not str(part["@id"]).startswith("_:"):
                return str(part["@id"])
        return ""


def spoken(node: Mapping[str, Any], key: str, languages: Sequence[str]) -> str:
    """Return a text in the first of the languages that there is, else one without a language, else the first."""
    texts = [value for value in node.get(key, ()) if "@value" in value]
    for language in (*languages, ""):
        for value in texts:
            if value.get("@language", "").partition("-")[0].lower() == language:
                return str(value["@value"]).strip()
    return str(texts[0]["@value"]).strip() if texts else ""


def literal(node: Mapping[str, Any], key: str) -> str:
    """Return the first value of a property as text, literal or IRI."""
    for value in node.get(key, ()):
        return str(value.get("@value", value.get("@id", ""))).strip()
    return ""


def texts(node: Mapping[str, Any], key: str) -> list[str]:
    """Return all values of a property as text."""
    return [str(value.get("@value", value.get("@id", ""))).strip() for value in node.get(key, ())]


def _first_id(node: Node, key: str) -> str:
    return next((value["@id"] for value in node.get(key, ()) if "@id" in value and not value["@id"].startswith("_:")), "")
