"""Harvests: every way to ask gives the same catalogue; only what changed travels; what was cut goes on; what is gone is noticed."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import parse_qs

import pytest
from datalab_connectors.dcat import DcatConnector

from datalab.errors import NotFound, ProtocolError, SettingsError, SourceError
from datalab.model.offer import Query
from datalab.ports.connector import Harvester
from tests.conformance.connectors.faulty import site
from tests.unit.connectors.dcat_worlds import ckan, dataset, hydra_pages, piveau, sparql, turtle

NAMES = [f"d{number:02d}" for number in range(7)]


def quiet(*_):
    pass


@pytest.fixture
def web():
    with site() as served:
        yield served


@pytest.fixture
def connector(web, tmp_path):
    def build(path="/catalog.ttl", state="state", **table):
        return DcatConnector("portal", {"url": web.url + path, "rows": 3, "patience": 3, **table}, tmp_path / state)

    return build


def packages(count=7):
    return [
        {
            "id": f"id-{number}", "name": f"d{number:02d}", "title": f"Counts {number}", "notes": "All of it", "metadata_modified": "2026-01-02T00:00:00",
            "license_id": "cc-by", "organization": {"title": "City"}, "tags": [{"name": "traffic"}], "groups": [{"name": "tran"}],
            "extras": [{"key": "language", "value": '["http://publications.europa.eu/resource/authority/language/DEU"]'}],
            "resources": [{"id": f"r{number}", "url": "https://data.example/a.csv", "format": "CSV", "hash": "0" * 64, "url_type": "upload", "size": 5}],
        }
        for number in range(count)
    ]  # fmt: skip


def hub(count=7):
    return [
        {
            "id": f"d{number:02d}", "resource": f"https://data.example/d{number:02d}", "title": {"en": f"Counts {number}", "de": "Zahlen"},
            "description": {"en": "All"}, "publisher": {"name": "City"}, "categories": [{"id": "TRAN", "resource": "http://publications.europa.eu/resource/authority/data-theme/TRAN"}],
            "catalog": {"id": "city"}, "modified": "2026-01-02", "keywords": [{"id": "traffic", "label": "traffic"}],
            "distributions": [{"id": f"r{number}", "access_url": ["https://data.example/a.csv"], "format": {"id": "CSV", "label": "CSV"},
                               "license": {"id": "CC_BY_4_0", "resource": "http://publications.europa.eu/resource/authority/licence/CC_BY_4_0"}}],
        }
        for number in range(count)
    ]  # fmt: skip


def test_it_is_a_harvester(connector, web):
    hydra_pages(web, NAMES, size=3)
    assert isinstance(connector(), Harvester)


@pytest.mark.parametrize("old", [False, True])
def test_pages_are_followed_by_both_vocabularies_of_hydra(connector, web, old):
    hydra_pages(web, NAMES, size=3, old=old)
    told = []
    harvest = connector().harvest(lambda what, done, total: told.append((done, total)))
    assert (harvest.datasets, harvest.new, len(web.asked)) == (7, 7, 3)
    assert told == [(3, 7), (6, 7), (7, 7)]


@pytest.mark.parametrize("way", ["ckan", "piveau", "piveau-scroll", "sparql"])
def test_every_way_of_asking_gives_the_whole_catalogue(connector, web, way):
    if way == "ckan":
        ckan(web, packages())
        one = connector("/", api="ckan")
    elif way == "sparql":
        sparql(web, turtle(*(dataset(name) for name in NAMES)))
        one = connector("/sparql", api="sparql")
    else:
        piveau(web, hub(), scrolls=way.endswith("scroll"))
        one = connector("", api="piveau")
    assert one.harvest(quiet).new == 7
    offers = list(one.search(Query("counts", 50)))
    assert len(offers) == 7
    assert {offer.holder for offer in offers} == {"City"}
    assert {offer.licence for offer in offers} <= {"CC-BY-4.0", "CC-BY"}
    assert {item.format for offer in offers for item in offer.distributions} == {"csv"}
    assert one.harvest(quiet) == type(one.harvest(quiet))(7)
    assert all(json.loads(offer.catalogue_record) for offer in offers)


@pytest.mark.parametrize("way", ["ckan", "piveau", "sparql"])
def test_a_catalogue_that_is_too_large_to_copy_is_asked(connector, web, way):
    if way == "ckan":
        ckan(web, packages())
        one, name = connector("/", api="ckan", harvest=False), "d03"
    elif way == "sparql":
        sparql(web, turtle(*(dataset(name) for name in NAMES)))
        one, name = connector("/sparql", api="sparql", harvest=False), "https://data.example/d03"
    else:
        piveau(web, hub(), scrolls=False)
        web.pages["/datasets/d03"] = ("application/json", json.dumps({"result": hub()[3]}).encode())
        one, name = connector("", api="piveau", harvest=False), "d03"
    assert not one.harvests
    assert len(list(one.search(Query("Counts", 2)))) == 2
    assert one.offer(name).dataset_id == name
    assert one.listed(name) == one.offer(name)


def test_the_union_of_records_of_ckan_holds_what_its_extras_say(connector, web):
    ckan(web, packages(1))
    offer = connector("/", api="ckan").offer("d00")
    assert (offer.languages, offer.fitness.themes, offer.keywords) == (("de",), ("tran",), ("traffic",))
    assert offer.distributions[0].sha256 == "0" * 64
    assert offer.distributions[0].bytes == 5


def test_what_did_not_change_does_not_travel_again(connector, web):
    hydra_pages(web, NAMES, size=3)
    one = connector()
    one.harvest(quiet)
    again = one.harvest(quiet)
    assert (again.datasets, again.new, again.changed, again.gone) == (7, 0, 0, 0)
    assert web.unchanged == 3
    assert not list(one.changes(7))


def test_what_changed_and_what_is_gone_is_noticed(connector, web):
    hydra_pages(web, NAMES, size=3)
    one = connector()
    one.harvest(quiet)
    hydra_pages(web, [*NAMES[:2], *NAMES[3:], "new"], size=3)
    harvest = one.harvest(quiet)
    assert (harvest.datasets, harvest.new, harvest.gone) == (7, 1, 1)
    changes = [(change.dataset_id.rsplit("/")[-1], change.offer is None) for change in one.changes(7)]
    assert changes == [("new", False), ("d02", True)]
    with pytest.raises(NotFound, match="d02"):
        one.offer("https://data.example/d02")


def test_only_records_whose_date_changed_are_asked_of_an_endpoint(connector, web):
    import pyoxigraph as ox

    store = sparql(web, turtle(*(dataset(name) for name in NAMES)))
    one = connector("/sparql", api="sparql")
    one.harvest(quiet)
    quad = next(
        store.quads_for_pattern(
            ox.NamedNode("https://data.example/d04"), ox.NamedNode("http://purl.org/dc/terms/modified"), None
        )
    )
    store.remove(quad)
    store.add(ox.Quad(quad.subject, quad.predicate, ox.Literal("2026-07-07"), quad.graph_name))
    web.asked.clear()
    harvest = one.harvest(quiet)
    assert (harvest.datasets, harvest.changed) == (7, 1)
    asked = [parse_qs(place.partition("?")[2])["query"][0] for place in web.asked]
    assert [query.count("<https://data.example/") for query in asked if "CONSTRUCT" in query] == [1]


def test_a_harvest_that_was_cut_goes_on_where_it_was(connector, web, tmp_path):
    hydra_pages(web, NAMES, size=3)
    one = connector()
    web.trouble("/catalog.ttl", "", "", "500")
    with pytest.raises(SourceError):
        one.harvest(quiet)
    web.asked.clear()
    harvest = connector().harvest(quiet)
    assert (harvest.datasets, harvest.new, harvest.gone) == (7, 7, 0)
    assert web.asked == ["/catalog.ttl?page=3"]


def test_a_catalogue_that_is_suddenly_empty_empties_nothing(connector, web):
    hydra_pages(web, NAMES, size=3)
    one = connector()
    one.harvest(quiet)
    hydra_pages(web, [], size=3)
    with pytest.raises(SourceError, match="stays as it was"):
        one.harvest(quiet)
    assert one.listed("https://data.example/d00").title == "Counts d00"


def test_pages_in_a_circle_end(connector, web):
    web.pages["/catalog.ttl"] = ("text/turtle", turtle("<> hydra:next </catalog.ttl> .").encode())
    with pytest.raises(ProtocolError, match="circle"):
        connector().harvest(quiet)


def test_pages_on_another_host_are_out_of_reach(connector, web):
    web.pages["/catalog.ttl"] = ("text/turtle", turtle("<> hydra:next <http://169.254.169.254/latest> .").encode())
    with pytest.raises(SourceError, match=r"169\.254"):
        connector().harvest(quiet)


def test_another_source_is_another_copy(connector, web):
    hydra_pages(web, NAMES, size=3)
    web.pages["/other.ttl"] = ("text/turtle", turtle(dataset("x")).encode())
    first = connector()
    first.harvest(quiet)
    second = connector("/other.ttl")
    assert second.state()[0] != first.state()[0] or second.state()[1] == 0
    assert second.harvest(quiet).datasets == 1


@pytest.mark.parametrize("table", [{"api": "soap"}, {"rows": 0}, {"harvest": False}, {"colour": "red"}])
def test_settings_that_make_no_sense_are_refused(connector, table):
    with pytest.raises((SettingsError, NotFound)):
        connector(**table)


def test_a_folder_of_files_is_a_catalogue(tmp_path):
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "a.ttl").write_text(turtle(dataset("one")))
    (folder / "b.ttl").write_text(turtle(dataset("two")))
    one = DcatConnector("own", {"url": str(folder)}, tmp_path / "state")
    assert [offer.dataset_id.rsplit("/")[-1] for offer in one.search(Query(""))] == ["one", "two"]


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha512"])
def test_every_checksum_is_verified(connector, web, tmp_path, algorithm):
    import datetime as dt

    from datalab.model.agreement import Intent
    from datalab.policy import decide_acquisition
    from datalab.ports.landing import Landing

    body = b"a\n1\n"
    digest = hashlib.new(algorithm, body).hexdigest()
    checksum = f'spdx:checksum [ spdx:algorithm spdx:checksumAlgorithm_{algorithm} ; spdx:checksumValue "{digest}" ] ; dcat:downloadURL <{web.url}/a.csv> ;'
    web.pages |= {
        "/catalog.ttl": ("text/turtle", turtle(dataset("one", files=checksum)).encode()),
        "/a.csv": ("text/csv", body),
    }
    one = connector()
    offer = one.offer("https://data.example/one")
    intent = Intent("https://w3id.org/dpv#ScientificResearch", "count")
    decision = decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="steward")
    agreement = one.negotiate(offer, intent, decision)
    assert agreement.kind == "licence"
    landing = Landing(tmp_path / "landing")
    assert one.fetch(agreement, offer, "", landing, decision, quiet)[0].path.read_bytes() == body
    web.pages["/a.csv"] = ("text/csv", b"a\n2\n")
    with pytest.raises(SourceError, match="differ"):
        one.fetch(agreement, offer, "", Landing(tmp_path / "other"), decision, quiet)


def test_a_token_goes_to_the_catalogue_alone(connector, web, monkeypatch):
    monkeypatch.setenv("PORTAL_TOKEN", "0123456789abcdef")
    one = connector(token_env="PORTAL_TOKEN")
    assert one._token_for(f"{web.url}/a.csv") == "0123456789abcdef"
    assert one._token_for("https://elsewhere.example/a.csv") == ""
