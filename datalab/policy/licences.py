"""Published licences as terms: an address, code or title to the policy it stands for. What is not known permits nothing.

Sources: the deeds and legal codes of Creative Commons (ccREL), Open Data Commons, rightsstatements.org, the EU's authority
table of licences (publications.europa.eu/resource/authority/licence), GovData's list (dcat-ap.de), CKAN's codes, SPDX ids.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from datalab.model.policy import Policy
from datalab.policy.odrl import parse

BY, NOTICE, SA = "attribute", "notice", "cc:ShareAlike"
NC, ND = "cc:CommercialUse", "derive"
_ORDER = {"prohibition": (NC, ND), "obligation": (BY, NOTICE, SA)}


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: its SPDX id (or the usual short name), and what it asks.

    ``BY``, ``NOTICE`` and ``SA`` are duties, ``NC`` and ``ND`` are forbidden. ``unread`` is what else holds and is not told.
    """

    id: str
    asks: frozenset[str] = frozenset()
    unread: str = ""


_LONGEST = 500
_PREFIX = re.compile(r"^(https?://(www\.)?|spdx:)")
_TABLES = re.compile(
    r"^(publications\.europa\.eu/resource/authority/licen[cs]e/|spdx\.org/licenses/|dcat-ap\.de/def/licenses/|"
    r"opendefinition\.org/licenses/|data\.europa\.eu/[a-z0-9]+/licen[cs]e/)"
)
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_DEED = re.compile(r"/(rdf|(deed|legalcode)([./][a-z]{2,3}(-[a-z]{2,4})?)?)$")
_VERSION = r"(?P<version>1\.0|2\.[015]|3\.0|4\.0)"
_PORT = (
    r"(?:int|igo|ar|at|au|be|bg|br|ca|ch|cl|cn|co|cr|cz|de|dk|ec|ee|eg|es|fi|fr|ge|gr|gt|hk|hr|hu|ie|il|in|it|jp|kr|lu|mk|mt|mx|my|"
    r"nl|no|nz|pe|ph|pl|pr|pt|ro|rs|scotland|se|sg|si|th|tw|ug|uk|us|ve|vn|za)"
)
"""The jurisdictions to which Creative Commons was ported."""
_CC_PAGE = re.compile(rf"creativecommons\.org/licen[sc]es/(?P<code>by(?:-(?:nc|nd|sa))*)(?:/{_VERSION}(?:/{_PORT})?)?")
_CC_CODE = re.compile(rf"cc[-/]?(?P<code>by(?:-?(?:nc|nd|sa))*)(?:-{_PORT})?(?:[-/]?{_VERSION}(?:[-/]?{_PORT})?)?")
_CC_TITLE = re.compile(
    r"creative commons[:,]? (?P<code>(?:attribution|namensnennung)(?:[ -]*(?:non-?commercial|share[ -]?alike|no-?deriv(?:ative)?s))*)"
    rf"(?: {_VERSION})?(?: international| unported)?(?: licen[sc]e)?(?: \((?P<short>cc[ -][a-z0-9. -]+)\))?"
)
_CC_WORDS = {"attribution": "by", "namensnennung": "by", "commercial": "nc", "alike": "sa", "deriv": "nd"}
_CC_ASKS = {"by": (BY, NOTICE), "nc": (NC,), "nd": (ND,), "sa": (SA,)}

_OKLR = "other legal restrictions that the statement does not name"
_DL = r"(?:govdata\.de/)?dl-"
_DL_TITLE = "datenlizenz deutschland ?-? ?"
_LO_TITLE = "licence ouverte(?: / open licence)?"
_LO_FILES = r"etalab\.gouv\.fr/wp-content/uploads/20[0-9]{2}/[0-9]{2}/"
_OGL = r"nationalarchives\.gov\.uk/doc/open-government-licence"
_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ((r"creativecommons\.org/publicdomain/zero/1\.0|cc-?(?:0|zero)(?:[-/]1\.0)?|"
     r"creative commons (?:zero|cc-?zero|cc0)(?: 1\.0)?(?: universal)?(?: public domain dedication)?"), "CC0-1.0", ()),
    (r"creativecommons\.org/publicdomain/mark/1\.0|(?:cc)?pdm(?:[-/]1\.0)?", "PDM-1.0", ()),
    (r"opendatacommons\.org/licenses/pddl(?:/1[.-]0)?(?:/summary|/index)?|(?:odc-)?pddl(?:-1\.0)?|odcpddl", "PDDL-1.0", ()),
    (r"opendatacommons\.org/licenses/by(?:/1[.-]0)?(?:/summary|/index)?|odc-by(?:-1\.0)?|odby|open data commons attribution licen[sc]e", "ODC-By-1.0", (BY, NOTICE)),
    ((r"opendatacommons\.org/licenses/odbl(?:/1[.-]0)?(?:/summary|/index)?|(?:odc-)?odbl(?:-1\.0)?|odc-bl|"
     r"(?:odc |open data commons )?open database licen[sc]e(?: \(odbl\))?(?: 1\.0)?"), "ODbL-1.0", (BY, NOTICE, SA)),
    (rf"{_DL}(?:de[-/]?by-?|by-de[-/]?)2[.-]0|{_DL_TITLE}namensnennung ?-? ?(?:version )?2\.0", "DL-DE-BY-2.0", (BY,)),
    (rf"{_DL}(?:de[-/]?by-?|by-de[-/]?)1[.-]0", "DL-DE-BY-1.0", (BY,)),
    (rf"{_DL}(?:de[-/]?by-nc-?|by-nc-de[-/]?)1[.-]0", "DL-DE-BY-NC-1.0", (BY, NC)),
    (rf"{_DL}(?:de[-/]?zero-?|zero-de[-/]?)2[.-]0|{_DL_TITLE}zero ?-? ?(?:version )?2\.0", "DL-DE-ZERO-2.0", ()),
    (r"eupl-?1\.0", "EUPL-1.0", (BY, NOTICE, SA)),
    (r"eupl-?1\.1", "EUPL-1.1", (BY, NOTICE, SA)),
    ((r"eupl(?:-?1\.2)?|joinup\.ec\.europa\.eu/(?:(?:collection|community|page|software/page)/eupl(?:/(?:home|licence-eupl|eupl-text-eupl-12|eupl-text-11-12))?|"
     r"page/eupl-text-11-12|licence/european-union-public-licence-version-12-or-later-eupl)"), "EUPL-1.2", (BY, NOTICE, SA)),
    ((r"com-reuse|(?:data\.europa\.eu|eur-lex\.europa\.eu)/eli/dec/2011/833(?:/oj)?|"
     r"eur-lex\.europa\.eu/legal-content/[a-z]{2}/(?:all|txt)/\?uri=celex(?::|%3a)32011d0833|"
     r"(?:commission\.europa\.eu|ec\.europa\.eu/info)/legal-notice(?:-[a-z]{2})?(?:#copyright-notice)?"), "COM-REUSE", (BY,)),
    (rf"etalab-1\.0|lov1|{_LO_TITLE}(?: version)? 1\.0|{_LO_FILES}licence-ouverte\.pdf", "etalab-1.0", (BY,)),
    ((rf"etalab-2\.0|(?:fr-)?lov?2?|{_LO_TITLE}(?:(?: version)? 2\.0)?|{_LO_FILES}etalab-licence-ouverte-v2\.0\.pdf|"
     r"(?:data|etalab)\.gouv\.fr/(?:[a-z-]+/)*licence-ouverte(?:-open-licence(?:-[0-9]+)?)?|github\.com/etalab/licence-ouverte(?:/blob/master/lo\.md)?"), "etalab-2.0", (BY,)),
    (rf"{_OGL}/version/1|ogl(?:-uk)?-1\.0", "OGL-UK-1.0", (BY,)),
    (rf"{_OGL}/version/2|ogl(?:-uk)?-2\.0", "OGL-UK-2.0", (BY,)),
    (rf"{_OGL}(?:/version/3)?|ogl(?:-uk)?-3\.0|uk-ogl", "OGL-UK-3.0", (BY,)),
    (r"data\.norge\.no/nlod/(?:[a-z]{2}/)?1\.0|nlod-1\.0", "NLOD-1.0", (BY,)),
    (r"data\.norge\.no/nlod(?:/[a-z]{2})?(?:/2\.0)?|nlod-2\.0", "NLOD-2.0", (BY,)),
    (r"dati\.gov\.it/iodl/2\.0|iodl-?2\.0", "IODL-2.0", (BY,)),
    (r"apache-2\.0|apache\.org/licenses/license-2\.0(?:\.txt)?", "Apache-2.0", (BY, NOTICE)),
    (r"mit|opensource\.org/licenses?/mit", "MIT", (BY, NOTICE)),
    (r"rightsstatements\.org/(?:vocab|page)/noc-oklr/1\.0", "NoC-OKLR-1.0", ()),
    (r"rightsstatements\.org/(?:vocab|page)/noc-nc/1\.0", "NoC-NC-1.0", (NC,)),
)  # fmt: skip
_OTHERS = tuple(
    (re.compile(pattern), Licence(name, frozenset(asks), _OKLR if name.startswith("NoC-OKLR") else ""))
    for pattern, name, asks in _ROWS
)


def licence(stated: str) -> Licence | None:
    """Return the licence that an address, a code or a title names; None where it is not known. Only the whole text counts."""
    text = " ".join(stated.split()).lower()
    if len(stated) > _LONGEST:
        return None
    text = _PREFIX.sub("", re.sub(r"[\u2010-\u2015]", "-", text), count=1).rstrip("/# ").removesuffix(".")
    text = _TABLES.sub("", text, count=1).removesuffix(".html").removesuffix(".json")
    text = _BETWEEN_DIGITS.sub(".", text).replace("_", "-")  # CC_BY_4_0 of the authority table is CC-BY-4.0
    if title := _CC_TITLE.fullmatch(text):
        return _confirmed(_creative_commons(title["code"], title["version"]), title["short"])
    text = _DEED.sub("", text.replace(" ", "-") if text.startswith(("cc ", "cc-")) else text)
    for pattern in (_CC_PAGE, _CC_CODE):
        if match := pattern.fullmatch(text):
            return _creative_commons(match["code"], match["version"])
    return next((known for pattern, known in _OTHERS if pattern.fullmatch(text)), None)


def licence_of(names: Iterable[str]) -> Licence | None:
    """Return the licence that several names of one thing (address, code, title) mean; None where none is known or they differ."""
    found = {known for name in names if (known := licence(name))}
    return found.pop() if len(found) == 1 else None


def licence_id(stated: str) -> str:
    """Return the SPDX id (or the usual short name) of a licence, "" where it is not known."""
    known = licence(stated)
    return known.id if known else ""


def licence_rules(licences: Iterable[Licence]) -> dict[str, Any]:
    """Return the ODRL rules of several licences at once: each one's duties and prohibitions hold."""
    asks = frozenset[str]().union(*(known.asks for known in licences))
    rules = {kind: [{"action": ask} for ask in order if ask in asks] for kind, order in _ORDER.items()}
    return {"permission": [{"action": "use"}], **{kind: actions for kind, actions in rules.items() if actions}}


def licence_policy(stated: str) -> Policy:
    """Return the terms of a published licence. Of one that is not known, or not open, the terms permit nothing, and say why.

    The policy's id is the licence as it was named; its text is the reading made here, with that name in it.
    """
    known = licence(stated)
    name = stated[:_LONGEST] or "urn:datalab:licence:none"
    body = {"@type": "Set", "@id": name, **licence_rules([known] if known else [])}
    policy = parse(json.dumps(body, ensure_ascii=False))
    if not known:
        said = repr(stated[:100]) if stated.strip() else "none at all"
        return dataclasses.replace(policy, unknown=(*policy.unknown, f"a licence that this lab does not know, {said}"))
    return dataclasses.replace(policy, unknown=(*policy.unknown, known.unread)) if known.unread else policy


def _creative_commons(code: str, version: str | None) -> Licence | None:
    """Return the licence of the parts in ``code`` (``by-nc`` or the words of a title); None for one that was never made."""
    words = {part for word, part in _CC_WORDS.items() if word in code}
    kinds = [kind for kind in _CC_ASKS if kind in (words or re.findall("by|nc|nd|sa", code))]
    if {"nd", "sa"} <= set(kinds):
        return None  # what may not be changed cannot be shared alike
    name = "-".join(["CC", *map(str.upper, kinds), *([version] if version else [])])
    return Licence(name, frozenset(ask for kind in kinds for ask in _CC_ASKS[kind]))


def _confirmed(title: Licence | None, short: str | None) -> Licence | None:
    """Return the licence of a title that repeats itself in brackets, None where the brackets say another."""
    if title is None or short is None:
        return title
    code = licence(short)
    if code is None or code.asks != title.asks or not (title.id.startswith(code.id) or code.id.startswith(title.id)):
        return None
    return max(title, code, key=lambda one: len(one.id))
