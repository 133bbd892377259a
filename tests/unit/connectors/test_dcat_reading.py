"""Records as they come from outside: whatever stands in them, they are an offer or a clear error."""

from __future__ import annotations

import contextlib
import json

import pyoxigraph as ox
from datalab_connectors.dcat.rdf import parse
from datalab_connectors.dcat.reading import offer_of
from datalab_connectors.dcat.record import Raw, records
from datalab_connectors.dcat.vocabulary import ADMS, DCAT, DCT, ODRL, OWL, SPDX, TYPE
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import ProtocolError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
CKAN_KEYS = [
    "name", "title", "notes", "url", "extras", "groups", "tags", "organization", "resources", "license_id", "theme", "language",
    "metadata_modified", "maintainer", "private",
]  # fmt: skip
HUB_KEYS = [
    "title",
    "description",
    "publisher",
    "contact_point",
    "categories",
    "keywords",
    "distributions",
    "language",
    "resource",
    "modified",
]
PATHS = [
    *[DCT + name for name in ("title", "description", "publisher", "license", "rights", "accessRights", "modified", "identifier", "format")],
    *[DCAT + name for name in ("distribution", "accessURL", "downloadURL", "theme", "keyword", "byteSize", "mediaType", "landingPage")],
    ODRL + "hasPolicy", ODRL + "permission", ODRL + "action", ODRL + "constraint", SPDX + "checksum", SPDX + "checksumValue",
    ADMS + "identifier", OWL + "sameAs",
]  # fmt: skip
NODES = [ox.NamedNode("https://x.example/a"), ox.NamedNode("https://x.example/b"), ox.BlankNode("c"), ox.BlankNode("d")]
OBJECTS = st.sampled_from(
    [
        *NODES,
        ox.Literal("x"),
        ox.Literal("x", language="de"),
        ox.Literal("7"),
        ox.NamedNode("https://creativecommons.org/licenses/by/4.0/"),
    ]
)


def read(raw):
    with contextlib.suppress(ProtocolError):
        offer = offer_of("portal", raw)
        assert offer.policy.verbatim
        assert len({item.id for item in offer.distributions}) == len(offer.distributions)


@given(st.dictionaries(st.sampled_from(CKAN_KEYS), JSON))
def test_any_package_of_ckan(package):
    read(Raw("x", json.dumps({"id": "x", "resources": [], **package}), "ckan"))


@given(st.dictionaries(st.sampled_from(HUB_KEYS), JSON))
def test_any_record_of_a_hub(record):
    read(Raw("x", json.dumps({"id": "x", **record}), "piveau"))


@given(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(PATHS), OBJECTS), max_size=25))
def test_any_graph(triples):
    kind = ox.Triple(NODES[0], ox.NamedNode(TYPE), ox.NamedNode(DCAT + "Dataset"))
    graph = [kind, *(ox.Triple(subject, ox.NamedNode(path), target) for subject, path, target in triples)]
    for raw in records(
        parse(ox.serialize(graph, format=ox.RdfFormat.TURTLE), media_type="text/turtle", url="https://x.example/")
    ):
        read(raw)
