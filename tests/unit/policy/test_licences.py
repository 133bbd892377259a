from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.model.agreement import Intent
from datalab.model.decision import Door
from datalab.policy import Facts, decide
from datalab.policy.licences import licence_id, licence_policy

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "try", legal_basis="eu-gdpr:A6-1-e", territory="LU")
SELLING = Intent("https://w3id.org/dpv#SellProducts", "sell", legal_basis="eu-gdpr:A6-1-f", territory="LU", commercial=True)


def decided(iri, intent=RESEARCH):
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return decide(
        Door.ACQUIRE,
        [licence_policy(iri)],
        intent,
        moment=moment,
        facts=Facts(personal_data=False),
        subject="s",
        target="t",
        actor="a",
    )


@pytest.mark.parametrize(
    ("iri", "known"),
    [
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.de", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "PDM-1.0"),
        ("CC0-1.0", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/3.0/de/", "CC-BY-3.0"),
        ("http://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nd/4.0/deed.fr", "CC-BY-ND-4.0"),
        ("http://publications.europa.eu/resource/authority/licence/CC_BY_4_0", "CC-BY-4.0"),
        ("http://publications.europa.eu/resource/authority/licence/CC0", "CC0-1.0"),
        ("http://publications.europa.eu/resource/authority/licence/COM_REUSE", "COM-REUSE"),
        ("https://spdx.org/licenses/ODbL-1.0.html", "ODbL-1.0"),
        ("https://opendatacommons.org/licenses/odbl/1-0/", "ODbL-1.0"),
        ("https://www.govdata.de/dl-de/by-2-0", "DL-DE-BY-2.0"),
        ("http://dcat-ap.de/def/licenses/dl-by-de/2.0", ""),
        ("http://rightsstatements.org/vocab/NoC-NC/1.0/", "NoC-NC-1.0"),
        ("http://rightsstatements.org/vocab/InC/1.0/", ""),
        ("proprietary", ""),
        ("other", ""),
        ("https://evil.example/creativecommons.org/licenses/by/4.0/", ""),
        ("CC-BY-4.0-but-not-really", ""),
        ("", ""),
    ],
)
def test_licences_are_known_by_address_and_id(iri, known):
    assert licence_id(iri) == known


@pytest.mark.parametrize(
    ("iri", "research", "selling"),
    [
        ("CC0-1.0", True, True),
        ("CC-BY-4.0", True, True),
        ("CC-BY-NC-4.0", True, False),
        ("http://rightsstatements.org/vocab/NoC-NC/1.0/", True, False),
        ("http://rightsstatements.org/vocab/NoC-OKLR/1.0/", False, False),
        ("proprietary", False, False),
        ("", False, False),
    ],
)
def test_what_a_licence_lets_the_lab_do(iri, research, selling):
    assert (decided(iri).permitted, decided(iri, SELLING).permitted) == (research, selling)


def test_attribution_travels_with_the_decision():
    assert any("source" in duty.lower() or "attribut" in duty.lower() for duty in decided("CC-BY-4.0").duties)


def test_an_unknown_licence_says_which_it_was():
    assert any("'proprietary'" in reason for reason in decided("proprietary").reasons)
    assert any("none at all" in reason for reason in decided("").reasons)


@given(st.text(max_size=600))
def test_any_text_has_terms_and_only_known_ones_permit(text):
    policy = licence_policy(text)
    assert policy.verbatim
    assert bool(licence_id(text)) or policy.unknown
