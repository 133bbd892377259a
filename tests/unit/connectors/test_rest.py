"""REST catalogues, against a stand-in that answers in the shape of their public documents (not recorded, written by hand)."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from datalab_connectors.rest import RestConnector

from datalab.errors import DatalabError, NotFound, PolicyRefusal, ProtocolError, SettingsError, SourceError
from datalab.model.agreement import Intent
from datalab.model.offer import Query
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing

INTENT = Intent("dpv:ScientificResearch", "try", legal_basis="eu-gdpr:A6-1-e", territory="LU")
KEY = "wskey-0123456789"
EUROPEANA_HIT = {
    "id": "/90402/RP_P_1984_87",
    "title": ["Le Canard"],
    "rights": ["http://creativecommons.org/publicdomain/mark/1.0/"],
    "dataProvider": ["Rijksmuseum"],
    "edmIsShownBy": ["https://museum.example/duck.txt"],
}
EUROPEANA_RECORD = {
    "apikey": KEY,
    "success": True,
    "object": {
        "about": "/90402/RP_P_1984_87",
        "proxies": [
            {"about": "/proxy/europeana/1"},
            {"dcTitle": {"def": ["Le Canard"]}, "dcDescription": {"fr": ["Un\ncanard"]}, "dcLanguage": {"def": ["fr"]}},
        ],
        "aggregations": [
            {
                "edmIsShownBy": "/media/duck.txt",
                "edmRights": {"def": ["http://creativecommons.org/publicdomain/mark/1.0/"]},
                "edmDataProvider": {"def": ["Rijksmuseum"]},
                "echo": f"http://example.org/?wskey={KEY}",
            }
        ],
    },
}
OPENAIRE = {
    "id": "doi_dedup___::0a1b",
    "type": "dataset",
    "mainTitle": "Tides of Ostend",
    "descriptions": ["Heights by the hour"],
    "publisher": "Zenodo",
    "publicationDate": "2024-05-06",
    "language": {"code": "eng", "label": "English"},
    "subjects": [{"subject": {"scheme": "keyword", "value": "tides"}, "provenance": None}],
    "instances": [
        {"license": "https://creativecommons.org/licenses/by/4.0/legalcode", "urls": ["https://doi.org/10.1/x"]},
        {"license": "https://creativecommons.org/licenses/by/4.0/legalcode", "urls": ["/files/tides.csv"]},
    ],
}
HARBOURS = """
# The catalogue of the harbour masters.
title = "Harbours"
url = "{url}"
[search]
path = "/berths"
text = "q"
items = ""
whole = true
[page]
style = "number"
parameter = "page"
start = "1"
[record]
path = "/berths/{0}"
id = ["/code"]
[fields]
title = ["/name"]
licence = ["/terms/url"]
[assets]
items = "/files"
id = ["/kind"]
href = ["/at"]
"""


def acquired(connector, dataset, tmp_path, distribution="", intent=INTENT):
    offer = connector.offer(dataset)
    decision = decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="Ada")
    agreement = connector.negotiate(offer, intent, decision)
    found = connector.fetch(agreement, offer, distribution, Landing(tmp_path / "landing"), decision, lambda *_: None)
    return agreement, found


def test_europeana(catalogue, tmp_path, monkeypatch, leaks):
    leaks.watch(KEY, "the key of Europeana")
    monkeypatch.setenv("EUROPEANA_KEY", KEY)
    catalogue.pages["/record/v2/search.json?cursor=*"] = {"success": True, "items": [EUROPEANA_HIT], "nextCursor": "AoE/x=="}
    catalogue.pages["/record/v2/search.json?cursor=AoE/x=="] = {"success": True, "items": []}
    catalogue.pages["/record/v2/90402/RP_P_1984_87.json"] = EUROPEANA_RECORD
    catalogue.pages["/media/duck.txt"] = b"quack\n"
    connector = RestConnector("europeana", {"profile": "europeana", "url": catalogue.url, "key": "env:EUROPEANA_KEY"}, tmp_path)
    [offer] = connector.search(Query("canard"))
    agreement, [found] = acquired(connector, offer.dataset_id, tmp_path)

    assert (offer.dataset_id, offer.title, offer.description, offer.holder) == (
        "90402/RP_P_1984_87",
        "Le Canard",
        "Un canard",
        "Rijksmuseum",
    )
    assert (agreement.kind, agreement.provider) == ("licence", "Rijksmuseum")
    assert found.path.read_bytes() == b"quack\n"
    assert KEY not in offer.catalogue_record
    assert all("wskey" in path for path in catalogue.asked if path.startswith("/record"))
    assert not any("wskey" in path for path in catalogue.asked if path.startswith("/media"))


def test_openaire(catalogue, tmp_path):
    catalogue.pages["/graph/v1/researchProducts?cursor=*"] = {
        "header": {"numFound": 1, "nextCursor": "n"},
        "results": [OPENAIRE],
    }
    catalogue.pages["/graph/v1/researchProducts?cursor=n"] = {"header": {}, "results": []}
    catalogue.pages["/graph/v1/researchProducts/doi_dedup___%3A%3A0a1b"] = OPENAIRE
    catalogue.pages["/files/tides.csv"] = b"hour,height\n1,2\n"
    connector = RestConnector("openaire", {"profile": "openaire", "url": catalogue.url}, tmp_path)
    [offer] = connector.search(Query("tides"))
    _, [found] = acquired(connector, "doi_dedup___::0a1b", tmp_path)

    assert offer == connector.offer("doi_dedup___::0a1b")
    assert (offer.licence, offer.keywords, offer.languages, offer.issued) == (
        "https://creativecommons.org/licenses/by/4.0/legalcode",
        ("tides",),
        ("eng",),
        "2024-05-06",
    )
    assert [item.file for item in offer.distributions] == ["tides.csv"]
    assert found.format == "csv"


def test_a_fourth_profile_is_a_short_file(catalogue, tmp_path):
    berth = {"code": "A1", "name": "Quay A", "terms": {"url": "CC0-1.0"}, "files": [{"kind": "log", "at": "log.jsonl"}] * 2}
    catalogue.pages["/berths?page=1"] = [berth]
    catalogue.pages["/berths?page=2"] = []
    catalogue.pages["/berths/A1"] = berth
    catalogue.pages["/berths/log.jsonl"] = b'{"a": 1}\n'
    profile = tmp_path / "harbours.toml"
    profile.write_text(HARBOURS.replace("{url}", catalogue.url))
    connector = RestConnector("harbours", {"profile": str(profile)}, tmp_path)
    _, [found] = acquired(connector, "A1", tmp_path, "log-2")

    assert len(profile.read_text().splitlines()) < 30
    assert [item.id for item in connector.offer("A1").distributions] == ["log", "log-2"]
    assert found.format == "jsonl"


def test_a_rate_limit_is_waited_for(catalogue, tmp_path):
    item = catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0")
    catalogue.pages["/collections/bicycles/items/counts"] = [(429, {"retry-after": "0"}, {}), item]
    assert RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path).offer("bicycles/counts").title


def test_a_rate_limit_that_is_too_long_is_told(catalogue, tmp_path):
    catalogue.pages["/collections/bicycles/items/counts"] = (429, {"retry-after": "86400"}, {})
    with pytest.raises(SourceError, match="86400"):
        RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path).offer("bicycles/counts")


def test_the_licence_of_the_item_goes_before_that_of_its_collection(catalogue, tmp_path):
    catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0", license="proprietary")
    connector = RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path)
    with pytest.raises(PolicyRefusal, match="proprietary"):
        acquired(connector, "bicycles/counts", tmp_path)


def test_several_licences_permit_nothing(catalogue, tmp_path):
    record = {**OPENAIRE, "instances": [{"license": "CC0"}, {"license": "CC-BY-4.0", "urls": ["/a.csv"]}]}
    catalogue.pages["/graph/v1/researchProducts/doi_dedup___%3A%3A0a1b"] = record
    connector = RestConnector("openaire", {"profile": "openaire", "url": catalogue.url}, tmp_path)
    with pytest.raises(PolicyRefusal, match="several licences"):
        acquired(connector, "doi_dedup___::0a1b", tmp_path)


@pytest.mark.parametrize(
    "href",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost.example/x.csv",
        "http://10.0.0.1/x.csv",
        Path("/etc/passwd").as_uri(),
    ],
)
def test_an_asset_out_of_reach_is_not_fetched(catalogue, tmp_path, href):
    item = catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0")
    item["assets"] = {"csv": {"href": href, "type": "text/csv"}}
    connector = RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path)
    with pytest.raises(DatalabError):
        acquired(connector, "bicycles/counts", tmp_path, "csv")
    assert not list(Landing(tmp_path / "landing").objects())


def test_a_web_page_instead_of_a_file_does_not_stay(catalogue, tmp_path):
    item = catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0")
    del item["assets"]["csv"]["file:checksum"]
    catalogue.pages["/files/counts.csv"] = b"<!DOCTYPE html><html>Please log in</html>"
    connector = RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path)
    with pytest.raises(SourceError, match="web page"):
        acquired(connector, "bicycles/counts", tmp_path)
    assert not list(Landing(tmp_path / "landing").objects())


def test_another_record_than_asked_for_breaks_the_protocol(catalogue, tmp_path):
    item = catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0")
    catalogue.pages["/collections/bicycles/items/other"] = item
    with pytest.raises(ProtocolError, match="another dataset"):
        RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path).offer("bicycles/other")


@pytest.mark.parametrize("name", ["bicycles/..", "../../admin", "bicycles", "", "bicycles/a\n/b"])
def test_hostile_names_lead_nowhere(catalogue, tmp_path, name):
    catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0")
    with pytest.raises(NotFound):
        RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path).offer(name)
    assert not any(".." in path for path in catalogue.asked)


def test_a_bearer_key_is_told_to_the_catalogue_only(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAIRE_TOKEN", "token-0123456789")
    catalogue.pages["/graph/v1/researchProducts/doi_dedup___%3A%3A0a1b"] = OPENAIRE
    connector = RestConnector("openaire", {"profile": "openaire", "url": catalogue.url, "key": "env:OPENAIRE_TOKEN"}, tmp_path)
    connector.offer("doi_dedup___::0a1b")
    assert catalogue.tokens == ["Bearer token-0123456789"]


@pytest.mark.parametrize(
    ("table", "error", "said"),
    [
        ({}, SettingsError, "no profile"),
        ({"profile": "stac"}, SettingsError, "no url"),
        ({"profile": "europeana"}, SettingsError, "wants a key"),
        ({"profile": "openaire", "key": "0123456789abcdef"}, SettingsError, "reference"),
        ({"profile": "openaire", "url": "http://api.example", "key": "env:X"}, SettingsError, "TLS"),
        ({"profile": "openaire", "hosts": "all"}, SettingsError, "hosts"),
        ({"profil": "stac"}, NotFound, "profil"),
    ],
)
def test_a_table_with_a_fault_is_told_where(tmp_path, table, error, said):
    with pytest.raises(error, match=said) as caught:
        RestConnector("mine", table, tmp_path).offer("x")
    assert "0123456789abcdef" not in str(caught.value)


def _file(tmp_path):
    file = tmp_path / "counts.csv"
    file.write_text("hour,count\n1,2\n")
    return file


def test_the_record_is_kept(catalogue, tmp_path):
    item = catalogue.stac("counts", _file(tmp_path), licence="CC0-1.0")
    offer = RestConnector("stac", {"profile": "stac", "url": catalogue.url}, tmp_path).offer("bicycles/counts")
    assert json.loads(offer.catalogue_record)["record"] == item
