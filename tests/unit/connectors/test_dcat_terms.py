"""What a catalogue says about terms, and what the lab makes of it: a known licence is a policy, all else is a no."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from datalab_connectors.dcat.rdf import parse
from datalab_connectors.dcat.reading import distributions, offer_of, record_of
from datalab_connectors.dcat.record import records

from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition, in_words
from tests.unit.connectors.dcat_worlds import dataset, turtle

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count", territory="LU")
SELLING = Intent("https://w3id.org/dpv#CommercialPurpose", "sell", territory="LU", commercial=True)


def offer(*parts):
    [raw] = records(parse(turtle(*parts).encode(), url="c.ttl"))
    return offer_of("portal", raw)


def permits(found, intent=RESEARCH):
    return decide_acquisition(found, intent, moment=dt.datetime(2026, 11, 21, tzinfo=dt.UTC), actor="steward").permitted


@pytest.mark.parametrize(
    ("licence", "research", "selling"),
    [
        ("<https://creativecommons.org/licenses/by/4.0/>", True, True),
        ("<https://creativecommons.org/publicdomain/zero/1.0/>", True, True),
        ("<https://creativecommons.org/licenses/by-nc/4.0/>", True, False),
        ("<https://creativecommons.org/licenses/by-nd/4.0/>", False, False),
        ("<https://opendatacommons.org/licenses/odbl/1-0/>", True, True),
        ('"Creative Commons Attribution 4.0"', True, True),
        ('[ a dct:LicenseDocument ; dct:title "CC BY 4.0" ]', True, True),
        ("<http://dcat-ap.de/def/licenses/dl-by-de/2.0>", True, True),
        ("<http://rightsstatements.org/vocab/NoC-NC/1.0/>", True, False),
        ("<http://rightsstatements.org/vocab/NoC-OKLR/1.0/>", False, False),
        ("<https://city.example/our-licence>", False, False),
        ("e:x, <https://creativecommons.org/licenses/by/4.0/>", False, False),
        ("", False, False),
    ],
)
def test_a_licence_decides(licence, research, selling):
    found = offer(dataset("one", licence=licence))
    assert (permits(found), permits(found, SELLING)) == (research, selling)


def test_attribution_travels_and_says_so():
    assert "Duty: Name the source." in in_words(offer(dataset("one")).policy)


@pytest.mark.parametrize("right", ["right:RESTRICTED", "right:NON_PUBLIC", '"restricted"', '"ask us"', "right:CONFIDENTIAL"])
def test_closed_access_is_for_looking_only_whatever_the_licence(right):
    found = offer(dataset("one", more=f"dct:accessRights {right} ;"))
    assert not permits(found)
    assert "access rights" in found.policy.unknown[0]


@pytest.mark.parametrize("right", ["right:PUBLIC", '"public"', "<http://purl.org/coar/access_right/c_abf2>"])
def test_public_access_takes_nothing_away(right):
    assert permits(offer(dataset("one", more=f"dct:accessRights {right} ;")))


def test_health_data_stays_with_the_access_body():
    found = offer(dataset("one", more="dct:accessRights right:NON_PUBLIC ; health:healthTheme e:heart ;"))
    assert not permits(found)
    assert "Health Data Access Body" in found.policy.unknown[0]
    assert "does not come out" in found.policy.unknown[0]
    vouched = dataclasses.replace(found, policy=dataclasses.replace(found.policy, unknown=()))
    assert not permits(vouched)
    assert found.personal_data
    assert "permit" in found.fitness.route


def test_personal_data_is_noticed():
    assert offer(dataset("one", more="dpv:hasPersonalData dpv:Name ;")).personal_data
    assert not offer(dataset("one")).personal_data


def odrl(rest):
    return f"odrl:hasPolicy [ a odrl:Set ; odrl:permission [ odrl:action odrl:use ; odrl:constraint [ {rest} ] ] ] ;"


def test_an_odrl_policy_is_read_from_the_graph():
    found = offer(
        dataset(
            "one",
            licence="",
            files=odrl("odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ; odrl:rightOperand dpv:ResearchAndDevelopment"),
        )
    )
    assert permits(found)
    assert not permits(found, SELLING)


def test_a_policy_beside_a_licence_narrows_it():
    found = offer(dataset("one", files=odrl("odrl:leftOperand odrl:spatial ; odrl:operator odrl:eq ; odrl:rightOperand 'FR'")))
    assert not permits(found)
    assert "Duty: Name the source." in in_words(found.policy)


@pytest.mark.parametrize(
    "files",
    [odrl("odrl:leftOperand odrl:weather ; odrl:operator odrl:eq ; odrl:rightOperand 'sun'"), "odrl:hasPolicy e:somewhere ;",
     'odrl:hasPolicy "ask" ;', 'dct:rights "Not on Sundays" ;', "dct:rights right:RESTRICTED ;"],
)  # fmt: skip
def test_terms_that_cannot_be_read_are_a_no(files):
    assert not permits(offer(dataset("one", files=files)))


def test_only_distributions_with_known_terms_are_offered():
    more = "<https://data.example/one/pdf> a dcat:Distribution ; dcat:accessURL <https://data.example/one.pdf> ; dct:license e:ours ."
    text = dataset("one", more="dcat:distribution <https://data.example/one/pdf> ;") + more
    found = offer(text)
    assert [item.id for item in found.distributions] == ["csv"]
    assert "1 of its distributions" in found.fitness.gaps[0]
    assert permits(found)


def test_two_licences_at_once_are_as_strict_as_both():
    more = "<https://data.example/one/nc> a dcat:Distribution ; dcat:accessURL e:nc.csv ; dct:license <https://creativecommons.org/licenses/by-nc/4.0/> ."
    found = offer(dataset("one", more="dcat:distribution <https://data.example/one/nc> ;") + more)
    assert permits(found)
    assert not permits(found, SELLING)


def test_the_offer_tells_what_the_record_does():
    found = offer(dataset("one", more='dcat:keyword "traffic" ; dct:language <http://publications.europa.eu/resource/authority/language/DEU> ; dcat:landingPage e:page ;',
                          files='dcat:downloadURL e:one.csv ; dcat:byteSize "12"^^xsd:decimal ; spdx:checksum [ spdx:algorithm "MD5" ; spdx:checksumValue "0123456789abcdef0123456789abcdef" ] ;'))  # fmt: skip
    assert (found.title, found.holder, found.licence, found.languages) == ("Counts one", "City", "CC-BY-4.0", ("de",))
    assert (found.fitness.modified, found.fitness.route, found.fitness.pages) == (
        "2026-01-02",
        "download",
        ("https://data.example/page",),
    )
    [item] = distributions(record_of(found.catalogue_record))
    assert (item.distribution.format, item.distribution.bytes, item.distribution.file) == ("csv", 12, "one.csv")
    assert (item.address.direct, item.address.algorithm) == (True, "md5")


@pytest.mark.parametrize(
    ("said", "expected"),
    [('dct:format "Parquet"', "parquet"), ("dct:format <http://publications.europa.eu/resource/authority/file-type/TSV>", "csv"),
     ('dcat:mediaType "text/csv; charset=utf-8"', "csv"), ('dct:format "ZIP"', "csv"), ('dct:format "JSON"', "json"),
     ("dcat:mediaType <https://www.iana.org/assignments/media-types/application/vnd.apache.parquet>", "parquet"), ('dct:title "x"', "csv")],
)  # fmt: skip
def test_formats_are_known_as_literals_and_from_tables(said, expected):
    text = f'e:a a dcat:Dataset ; dct:title "A" ; dcat:distribution [ a dcat:Distribution ; dcat:accessURL <https://x.example/a.csv.gz> ; {said} ] .'
    assert [item.format for item in offer(text).distributions] == [expected]
