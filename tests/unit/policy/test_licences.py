from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.model.agreement import Intent
from datalab.model.decision import Door
from datalab.policy import Facts, decide
from datalab.policy.licences import licence, licence_id, licence_of, licence_policy, licence_rules

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


EU = "http://publications.europa.eu/resource/authority/licence/"
DE = "http://dcat-ap.de/def/licenses/"
CC = "https://creativecommons.org/licenses/"
KNOWN = {
    "CC0-1.0": ["CC0-1.0", "CC0", "cc-zero", EU + "CC0", "http://creativecommons.org/publicdomain/zero/1.0/",
                "https://creativecommons.org/publicdomain/zero/1.0/deed.de", DE + "cc-zero", "Creative Commons CCZero"],
    "PDM-1.0": ["http://creativecommons.org/publicdomain/mark/1.0/", "PDM-1.0", DE + "ccpdm/1.0"],
    "PDDL-1.0": ["odc-pddl", "https://opendatacommons.org/licenses/pddl/1-0/", DE + "odcpddl"],
    "CC-BY": ["cc-by", "CC BY", "Creative Commons Attribution"],
    "CC-BY-4.0": ["CC-BY-4.0", "CC BY 4.0", CC + "by/4.0/", CC + "by/4.0/legalcode", CC + "by/4.0/deed.de", EU + "CC_BY_4_0", DE + "cc-by/4.0",
                  "http://spdx.org/licenses/CC-BY-4.0", "spdx:CC-BY-4.0", "Creative Commons Attribution 4.0 International",
                  "Creative Commons Attribution 4.0 (CC BY 4.0)", "Creative Commons Attribution (CC BY 4.0)"],
    "CC-BY-3.0": [CC + "by/3.0/de/", CC + "by/3.0/rdf", "http://data.europa.eu/88u/licence/CC_BY_3_0", DE + "cc-by-de/3.0", EU + "CC_BY_3_0_NL"],
    "CC-BY-SA-3.0": ["http://www.creativecommons.org/licenses/by-sa/3.0/de", DE + "cc-by-sa-de/3.0"],
    "CC-BY-SA-4.0": [CC + "by-sa/4.0", "CC BY-SA 4.0", "Creative Commons Attribution-ShareAlike 4.0", "Creative Commons Attribution Share-Alike 4.0"],
    "CC-BY-NC-4.0": ["Creative Commons Attribution-NonCommercial 4.0", CC + "by-nc/4.0/deed.en"],
    "CC-BY-NC-SA-4.0": ["http://creativecommons.org/licenses/by-nc-sa/4.0/", EU + "CC_BYNCSA_4_0"],
    "CC-BY-ND-4.0": [CC + "by-nd/4.0/deed.fr", "Creative Commons Attribution-NoDerivatives 4.0 International"],
    "CC-BY-NC-ND-4.0": [CC + "by-nc-nd/4.0/legalcode", "CC BY-NC-ND 4.0"],
    "ODC-By-1.0": ["odc-by", "https://opendatacommons.org/licenses/by/1-0/", "Open Data Commons Attribution License", DE + "odby"],
    "ODbL-1.0": ["https://spdx.org/licenses/ODbL-1.0.html", "https://opendatacommons.org/licenses/odbl/1-0/", "http://opendatacommons.org/licenses/odbl/1.0/",
                 "https://opendatacommons.org/licenses/odbl/summary/", EU + "ODC_BL", "Open Data Commons Open Database License (ODbL)"],
    "DL-DE-BY-2.0": ["https://www.govdata.de/dl-de/by-2-0", DE + "dl-by-de/2.0", "dl-de-by-2.0", "Datenlizenz Deutschland \u2013 Namensnennung \u2013 Version 2.0"],
    "DL-DE-BY-1.0": [DE + "dl-by-de/1.0"],
    "DL-DE-BY-NC-1.0": [DE + "dl-by-nc-de/1.0", "https://www.govdata.de/dl-de/by-nc-1-0"],
    "DL-DE-ZERO-2.0": [DE + "dl-zero-de/2.0", "https://www.govdata.de/dl-de/zero-2-0", "Datenlizenz Deutschland \u2013 Zero \u2013 Version 2.0"],
    "EUPL-1.1": [EU + "EUPL_1_1"],
    "EUPL-1.2": [EU + "EUPL_1_2", "https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12"],
    "COM-REUSE": [EU + "COM_REUSE", "http://data.europa.eu/eli/dec/2011/833/oj", "https://ec.europa.eu/info/legal-notice_en"],
    "etalab-1.0": ["lov1"],
    "etalab-2.0": ["https://www.etalab.gouv.fr/licence-ouverte-open-licence", "lov2", "fr-lo", "http://www.etalab.gouv.fr/pages/licence-ouverte-open-licence-5899923.html", "Licence Ouverte / Open Licence version 2.0",
                   "https://www.etalab.gouv.fr/wp-content/uploads/2017/04/ETALAB-Licence-Ouverte-v2.0.pdf"],
    "OGL-UK-1.0": ["http://www.nationalarchives.gov.uk/doc/open-government-licence/version/1/"],
    "OGL-UK-3.0": ["uk-ogl", "OGL-UK-3.0", "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"],
    "NLOD-1.0": ["https://data.norge.no/nlod/no/1.0"],
    "NLOD-2.0": ["http://data.norge.no/nlod/no/2.0", "https://data.norge.no/nlod"],
    "IODL-2.0": ["https://www.dati.gov.it/iodl/2.0/"],
    "Apache-2.0": ["https://www.apache.org/licenses/LICENSE-2.0.html"],
    "MIT": ["https://opensource.org/licenses/MIT"],
    "NoC-NC-1.0": ["http://rightsstatements.org/vocab/NoC-NC/1.0/"],
    "NoC-OKLR-1.0": ["http://rightsstatements.org/page/NoC-OKLR/1.0/"],
    "": ["", "proprietary", "other", "other-open", "notspecified", "cc-nc", "All rights reserved", "Free for members", "cc-by-evil",
         "http://rightsstatements.org/vocab/InC/1.0/", "https://evil.example/creativecommons.org/licenses/by/4.0/",
         "https://evil.example/licenses/by/4.0", "https://creativecommons.org.evil.example/licenses/by/4.0/",
         "CC-BY-4.0-but-not-really", "cc-by-4.0 with exceptions", "CC-BY-ND-SA-4.0", "CC-BY-3.5", "cc-by-zz",
         CC + "by/4.0/except-on-sundays", "https://creativecommons.org/publicdomain/zero/1.0/not-really",
         "Creative Commons Attribution 4.0 (CC BY-NC 4.0)", "Creative Commons Attribution 4.0 (CC BY 3.0)",
         "Licence Ouverte sauf usage commercial", "https://joinup.ec.europa.eu/not-the-eupl-at-all", "chttp://c-by-4.0",
         "CC-BY-4.0" + " " * 600 + "not for you", CC + "by/4.0" + "/" * 600 + "not-for-you"],
}  # fmt: skip


@pytest.mark.parametrize(("stated", "known"), [(stated, known) for known, names in KNOWN.items() for stated in names])
def test_licences_are_known_by_address_code_and_title(stated, known):
    assert licence_id(stated) == known


ASKS = {
    "CC0-1.0": "", "PDM-1.0": "", "PDDL-1.0": "", "DL-DE-ZERO-2.0": "",
    "CC-BY": "attribute notice", "CC-BY-4.0": "attribute notice", "CC-BY-3.0": "attribute notice", "ODC-By-1.0": "attribute notice",
    "CC-BY-SA-3.0": "attribute notice ShareAlike", "CC-BY-SA-4.0": "attribute notice ShareAlike",
    "CC-BY-NC-4.0": "CommercialUse attribute notice", "CC-BY-NC-SA-4.0": "CommercialUse attribute notice ShareAlike",
    "CC-BY-ND-4.0": "derive attribute notice", "CC-BY-NC-ND-4.0": "CommercialUse derive attribute notice",
    "ODbL-1.0": "attribute notice ShareAlike", "EUPL-1.1": "attribute notice ShareAlike", "EUPL-1.2": "attribute notice ShareAlike",
    "DL-DE-BY-2.0": "attribute", "DL-DE-BY-1.0": "attribute", "DL-DE-BY-NC-1.0": "CommercialUse attribute", "COM-REUSE": "attribute",
    "etalab-1.0": "attribute", "etalab-2.0": "attribute", "OGL-UK-1.0": "attribute", "OGL-UK-3.0": "attribute", "NLOD-1.0": "attribute",
    "NLOD-2.0": "attribute", "IODL-2.0": "attribute", "Apache-2.0": "attribute notice", "MIT": "attribute notice",
    "NoC-NC-1.0": "CommercialUse", "NoC-OKLR-1.0": "",
}  # fmt: skip


@pytest.mark.parametrize("known", [known for known in KNOWN if known])
def test_what_each_licence_asks(known):
    policy = licence_policy(KNOWN[known][0])
    assert [rule.action for rule in policy.permissions] == ["use"]
    assert " ".join(rule.action for rule in (*policy.prohibitions, *policy.obligations)) == ASKS[known]
    assert policy.unknown == (("other legal restrictions that the statement does not name",) if "OKLR" in known else ())


def test_names_that_disagree_are_unknown():
    assert licence_of(["CC-BY-4.0", "CC0-1.0"]) is None
    assert licence_of(["https://creativecommons.org/licenses/by/4.0/", "CC BY 4.0", "as they say"]).id == "CC-BY-4.0"


def test_several_licences_ask_all_that_each_asks():
    rules = licence_rules([licence("CC-BY-NC-4.0"), licence("ODbL-1.0")])
    assert rules["prohibition"] == [{"action": "cc:CommercialUse"}]
    assert [duty["action"] for duty in rules["obligation"]] == ["attribute", "notice", "cc:ShareAlike"]


@pytest.mark.parametrize(
    ("iri", "research", "selling"),
    [
        ("CC0-1.0", True, True),
        ("CC-BY-4.0", True, True),
        ("CC-BY-NC-4.0", True, False),
        ("CC-BY-SA-4.0", True, True),
        ("ODbL-1.0", True, True),
        ("CC-BY-ND-4.0", False, False),
        ("CC-BY-NC-ND-4.0", False, False),
        ("dl-de/by-nc-1-0", True, False),
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
