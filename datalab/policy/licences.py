"""Published licences as terms: a licence's address or SPDX id to the policy it stands for. What is not known permits nothing.

Sources: the deeds and legal codes of Creative Commons (ccREL), Open Data Commons, rightsstatements.org, the EU's authority
table of licences (publications.europa.eu/resource/authority/licence), GovData's list, SPDX ids.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

from datalab.model.policy import Policy
from datalab.policy.odrl import parse

_BY, _NOTICE, _SA = "attribute", "notice", "cc:ShareAlike"
_NC, _ND = "cc:CommercialUse", "derive"
_OPEN: tuple[str, ...] = ()
_TABLE: dict[str, tuple[str, ...]] = {
    "CC0-1.0": _OPEN,
    "PDM-1.0": _OPEN,
    "PDDL-1.0": _OPEN,
    "DL-DE-ZERO-2.0": _OPEN,
    "NoC-OKLR-1.0": (),
    "ODC-By-1.0": (_BY,),
    "DL-DE-BY-2.0": (_BY,),
    "etalab-2.0": (_BY,),
    "OGL-UK-3.0": (_BY,),
    "NLOD-2.0": (_BY,),
    "IODL-2.0": (_BY,),
    "COM-REUSE": (_BY,),
    "ODbL-1.0": (_BY, _NOTICE, _SA),
    "Apache-2.0": (_BY, _NOTICE),
    "MIT": (_BY, _NOTICE),
    "NoC-NC-1.0": (_NC,),
}
"""What each asks: duties (attribute, notice, ShareAlike), and what it forbids (commercial use, derivation)."""

_PATTERNS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(creativecommons\.org/publicdomain/zero/1\.0|cc-?0(-1\.0)?|cc-?zero)", "CC0-1.0"),
        (r"(creativecommons\.org/publicdomain/mark/1\.0|pdm(-1\.0)?)", "PDM-1.0"),
        (r"(opendatacommons\.org/licenses/pddl(/1[.-]0)?|(odc-)?pddl(-1\.0)?)", "PDDL-1.0"),
        (r"(opendatacommons\.org/licenses/by(/1[.-]0)?|odc-by(-1\.0)?)", "ODC-By-1.0"),
        (r"(opendatacommons\.org/licenses/odbl(/1[.-]0)?|(odc-)?odbl(-1\.0)?|odc-bl)", "ODbL-1.0"),
        (r"(govdata\.de/)?dl-de[-/]zero-2[.-]0", "DL-DE-ZERO-2.0"),
        (r"(govdata\.de/)?dl-de[-/]by-2[.-]0", "DL-DE-BY-2.0"),
        (r"(etalab-2\.0|fr-lo|(www\.)?etalab\.gouv\.fr/.*licence-ouverte.*)", "etalab-2.0"),
        (r"(ogl-uk-3\.0|uk-ogl|nationalarchives\.gov\.uk/doc/open-government-licence/version/3)", "OGL-UK-3.0"),
        (r"(nlod-2\.0|data\.norge\.no/nlod(/(en|no)/2\.0)?)", "NLOD-2.0"),
        (r"(iodl-2\.0|(www\.)?dati\.gov\.it/iodl/2\.0)", "IODL-2.0"),
        (r"(com-reuse|data\.europa\.eu/eli/dec/2011/833(/oj)?)", "COM-REUSE"),
        (r"(apache-2\.0|apache\.org/licenses/license-2\.0(\.txt|\.html)?)", "Apache-2.0"),
        (r"(mit|opensource\.org/licenses?/mit)", "MIT"),
        (r"rightsstatements\.org/(vocab|page)/noc-oklr/1\.0", "NoC-OKLR-1.0"),
        (r"rightsstatements\.org/(vocab|page)/noc-nc/1\.0", "NoC-NC-1.0"),
    )
)
_CC = re.compile(
    r"(creativecommons\.org/licen[sc]es/|cc-)(?P<code>by(-(nc|nd|sa))*)([/-](?P<version>[1-4]\.[05]))?(/[a-z]{2,3})?(/(deed|legalcode)([./][a-z-]+)?)?"
)
_PREFIX = re.compile(r"https?://(www\.)?|spdx:")
_TABLES = re.compile(r"publications\.europa\.eu/resource/authority/licen[cs]e/|spdx\.org/licenses/|dcat-ap\.de/def/licenses/")
_ASKS = {"by": _BY, "sa": _SA, "nc": _NC, "nd": _ND}
_UNFULFILLED = {"NoC-OKLR-1.0": "other legal restrictions that the statement does not name"}
_LONGEST = 500


def licence_id(iri: str) -> str:
    """Return the SPDX id (or the usual short name) of a licence named by address or id, "" where it is not known."""
    text = _PREFIX.sub("", " ".join(iri[:_LONGEST].split()).lower(), count=1).rstrip("/#")
    text, replaced = _TABLES.subn("", text, count=1)
    if replaced:  # CC_BY_4_0 of the authority table is CC-BY-4.0
        text = re.sub(r"(?<=[0-9])_(?=[0-9])", ".", text).replace("_", "-").removesuffix(".html")
    text = text.replace(" ", "-") if text.startswith(("cc ", "cc-")) else text
    if found := _CC.fullmatch(text):
        kinds = [kind for kind in ("by", "nc", "nd", "sa") if kind in found["code"].split("-")]
        return "-".join(["CC", *map(str.upper, kinds), *([found["version"]] if found["version"] else [])])
    bare = re.sub(r"/(deed|legalcode)([./][a-z-]+)?$", "", text)
    return next((name for pattern, name in _PATTERNS if pattern.fullmatch(bare)), "")


def licence_policy(iri: str) -> Policy:
    """Return the terms of a published licence. Of one that is not known, or not open, the terms permit nothing, and say why.

    The policy's id is the licence as it was named; its text is the reading made here, with that name in it.
    """
    known = licence_id(iri)
    asks = _asks(known)
    body: dict[str, Any] = {"@type": "Set", "@id": iri[:_LONGEST] or "urn:datalab:licence:none"}
    body["permission"] = [{"action": "use"}]
    if forbidden := [{"action": ask} for ask in asks if ask in {_NC, _ND}]:
        body["prohibition"] = forbidden
    if duties := [{"action": ask} for ask in asks if ask in {_BY, _NOTICE, _SA}]:
        body["obligation"] = duties
    policy = parse(json.dumps(body, ensure_ascii=False))
    if not known:
        said = repr(iri[:100]) if iri.strip() else "none at all"
        return dataclasses.replace(policy, unknown=(*policy.unknown, f"a licence that this lab does not know, {said}"))
    if reason := _UNFULFILLED.get(known):
        return dataclasses.replace(policy, unknown=(*policy.unknown, reason))
    return policy


def _asks(known: str) -> tuple[str, ...]:
    if known.startswith("CC-BY"):
        return tuple(_ASKS[part] for part in known.lower().split("-") if part in _ASKS)
    return _TABLE.get(known, ())
