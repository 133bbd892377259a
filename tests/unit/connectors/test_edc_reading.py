"""The EDC connector reads catalogues, offers, errors and settings; the shapes are those that EDC 0.14.0 answered with."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest
from datalab_connectors.dsp.service import _window
from datalab_connectors.edc import EdcConnector
from datalab_connectors.edc.client import peer_error
from datalab_connectors.edc.protocols import candidates
from datalab_connectors.edc.reading import entries_in, offer_in, request_policy

from datalab.errors import NotFound, ProtocolError, SettingsError
from tests.unit.connectors.edc_shapes import ID, NEWER, OLDER, RESEARCH, TABLE, permit


def test_both_shapes_are_the_same_offer():
    older, newer = offer_in("space", OLDER, "provider"), offer_in("space", NEWER, "provider")
    assert dataclasses.replace(older, catalogue_record="") == dataclasses.replace(newer, catalogue_record="")
    [file] = older.distributions
    assert (file.id, file.format, file.bytes, file.sha256) == ("csv", "csv", 12, "ab" * 32)
    assert (older.title, older.licence, older.keywords, older.holder) == ("Bicycle counts", "CC0", ("a", "b"), "provider")
    assert json.loads(older.catalogue_record)["transferTypes"] == ["HttpData-PULL", "HttpData-PUSH"]
    assert permit(older).permitted
    assert not permit(older, dataclasses.replace(RESEARCH, commercial=True)).permitted


def test_one_offer_keeps_its_id_whatever_edc_adds_at_each_request():
    again = {**NEWER, "hasPolicy": [{**NEWER["hasPolicy"][0], "@id": ID[:13] + base64.b64encode(b"0" * 8).decode()}]}
    other = {**NEWER, "hasPolicy": [{**NEWER["hasPolicy"][0], "@id": "ZDI=:Y291bnRz:" + ID.rsplit(":", 1)[1]}]}
    assert offer_in("space", NEWER, "p").offer_id == "ZDE=:Y291bnRz"
    assert offer_in("space", other, "p").offer_id == "ZDI=:Y291bnRz"
    assert offer_in("space", again, "p").offer_id == again["hasPolicy"][0]["@id"]  # not EDC's form: left alone


def test_a_request_says_the_rules_the_parties_and_a_whole_id():
    asked = request_policy(offer_in("space", OLDER, "provider"), "provider", "subject")
    assert asked["permission"] == [{"action": "use"}]
    assert (asked["assigner"], asked["target"]) == ({"@id": "provider"}, {"@id": "counts"})
    assert asked["@id"].startswith("ZDE=:Y291bnRz:")
    assert len(base64.b64decode(asked["@id"].split(":")[2])) == 36
    assert asked == request_policy(offer_in("space", NEWER, "provider"), "provider", "subject")


def test_a_vocabularys_word_counts_more_than_edcs_own():
    found = offer_in("space", {**OLDER, "dct:description": {"@value": "Better", "@language": "en"}}, "p")
    assert found.description == "Better"


def test_nothing_said_about_persons_means_personal_data():
    assert offer_in("space", {key: item for key, item in OLDER.items() if key != "personalData"}, "p").personal_data


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"@id": 3},
        {"@id": "x"},
        {"@id": "x", "hasPolicy": []},
        {"@id": "x", "hasPolicy": "y"},
        {"@id": "x", "hasPolicy": {"permission": []}},
        {"@id": "x", "hasPolicy": {"@id": [1]}},
    ],
)
def test_a_broken_entry_is_a_clear_error(entry):
    with pytest.raises(ProtocolError):
        offer_in("space", entry, "p")


@pytest.mark.parametrize("entry", [{"byteSize": -1}, {"byteSize": True}, {"sha256": "../.."}, {"fileName": "../../etc/passwd"}])
def test_hostile_facts_are_not_believed(entry):
    [file] = offer_in("space", {**OLDER, "sha256": "", "byteSize": None, **entry}, "p").distributions
    assert (file.bytes, file.sha256) == (None, None)
    assert "/" not in file.file


def test_facts_of_the_one_file_may_stand_in_the_distributions():
    bare = {key: item for key, item in OLDER.items() if key not in {"sha256", "byteSize", "contenttype"}}
    facts = {"dcat:mediaType": "text/csv", "dcat:byteSize": 7}
    ways = [{"dct:format": way, **facts} for way in ("HttpData-PULL", "HttpData-PUSH")]
    [file] = offer_in("space", {**bare, "dcat:distribution": ways}, "p").distributions
    assert (file.id, file.bytes) == ("csv", 7)
    [file] = offer_in("space", {**bare, "dcat:distribution": [*ways, {"dcat:mediaType": "text/html"}]}, "p").distributions
    assert (file.id, file.bytes) == ("data", None)


QUERY = {"@type": "QuerySpec", "offset": 0, "limit": 50, "filterExpression": [], "sortOrder": "ASC"}


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        (None, None),
        ([], None),
        (QUERY, (0, 50)),
        ([QUERY], (0, 50)),
        ({f"edc:{key}" if key[0] != "@" else key: item for key, item in QUERY.items()}, (0, 50)),
        ({**QUERY, "limit": 10**6, "offset": 3.0}, (3, 1000)),
    ],
)
def test_our_provider_takes_the_query_that_edc_sends_with_every_catalogue_request(asked, window):
    assert _window(asked) == window


@pytest.mark.parametrize(
    "asked",
    ["x", [QUERY, QUERY], {**QUERY, "offset": -1}, {**QUERY, "limit": "9"}, {**QUERY, "filterExpression": [{}]}, {"a": 1}],
)
def test_our_provider_does_not_filter(asked):
    with pytest.raises(ProtocolError, match="filter"):
        _window(asked)


@pytest.mark.parametrize("body", [None, [], {}, {"@type": "Dataset"}])
def test_what_is_no_catalogue_is_said_to_be_none(body):
    with pytest.raises(ProtocolError, match="catalogue"):
        entries_in(body)


def test_one_dataset_comes_without_a_list():
    assert entries_in({"@type": "dcat:Catalog", "dcat:dataset": OLDER}) == [OLDER]
    assert entries_in({"@type": "dcat:Catalog", "dcat:dataset": []}) == []
    assert entries_in({"@type": "Catalog"}) == []


def test_protocols_are_tried_newest_first_at_edcs_paths():
    assert [way.address for way in candidates("http://p/protocol/")] == [
        "http://p/protocol/2025-1",
        "http://p/protocol/2024/1",
        "http://p/protocol",
    ]
    wanted = [way.address for way in candidates("http://p/dsp", "dataspace-protocol-http:2025-1")]
    assert wanted == ["http://p/dsp/2025-1", "http://p/dsp"]
    [only] = candidates("http://p/protocol/2024/1")
    assert only.protocol == "dataspace-protocol-http:2024/1"
    assert not list(candidates("http://p/protocol/2024/1", "dataspace-protocol-http:2025-1"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"@type":"CatalogError","code":"404","reason":["Dataset x does not exist"]}', ("404", "Dataset x does not exist")),
        ('Failed: {"@type":"dspace:ContractNegotiationError","dspace:code":"409","dspace:reason":"No"}', ("409", "No")),
        ("plain  words", ("", "plain words")),
        ("{broken", ("", "{broken")),
        ("", ("", "no reason given")),
    ],
)
def test_the_other_connectors_error_is_unpacked(said, told):
    assert peer_error(said) == told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"providr": "x"}, "provider"),
        ({"transport": "pul"}, "pull"),
        ({"protocol": "dataspace-protocol-http:2025"}, "2025-1"),
        ({"url": ""}, "url"),
        ({"provider_id": ""}, "provider_id"),
        ({"patience": 0}, "whole number"),
        ({"listen": "8080"}, "0.0.0.0"),
    ],
)
def test_a_mistake_in_the_settings_is_told_with_the_remedy(tmp_path, more, words):
    with pytest.raises((NotFound, SettingsError)) as caught:
        EdcConnector("space", {**TABLE, **more}, tmp_path)
    assert words in str(caught.value)
    assert "connectors.space" in str(caught.value)


def test_a_key_is_a_reference_and_nothing_else(tmp_path):
    with pytest.raises(SettingsError, match="reference") as caught:
        EdcConnector("space", {**TABLE, "api_key": "hunter-two-hunter"}, tmp_path).offer("counts")
    assert "hunter-two" not in str(caught.value)
