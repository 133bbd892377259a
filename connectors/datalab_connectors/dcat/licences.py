"""Licences by their addresses and names, and what each means in ODRL. A licence that is not here is unknown, and unknown means no.

Sources: the deeds and legal codes of Creative Commons (ccREL), Open Data Commons, the EU's authority table of licences, GovData's list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BY, SA, NC, ND, NOTICE = "attribute", "shareAlike", "commercialUse", "derive", "notice"


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: its SPDX id (or the usual name), and what it asks.

    ``attribute``, ``notice`` and ``shareAlike`` are duties, ``commercialUse`` and ``derive`` are forbidden.
    """

    id: str
    asks: frozenset[str]


def known(statements: Iterable[str]) -> Licence | None:
    """Return the licence that the statements (IRIs, codes, titles) name; None where none is known or they differ."""
    found = {licence.id: licence for statement in statements if (licence := _one(statement))}
    return next(iter(found.values())) if len(found) == 1 else None


def rules(licences: Iterable[Licence]) -> dict[str, Any]:
    """Return the ODRL rules of several licences at once: each one's duties and prohibitions hold."""
    asks = frozenset[str]().union(*(licence.asks for licence in licences))
    body: dict[str, Any] = {"permission": [{"action": "use"}]}
    if banned := [ask for ask in (NC, ND) if ask in asks]:
        body["prohibition"] = [{"action": "cc:CommercialUse" if ask == NC else ask} for ask in banned]
    if duties := [ask for ask in (BY, NOTICE, SA) if ask in asks]:
        body["obligation"] = [{"action": "cc:ShareAlike" if ask == SA else ask} for ask in duties]
    return body


_CC = re.compile(
    r"(?:creativecommons\.org/licen[sc]es/|creativecommons\.org/licenses/|dcat-ap\.de/def/licenses/|spdx\.org/licenses/|"
    r"authority/licence/)?cc-?(?P<code>by(?:-?(?:nc|nd|sa))*)(?:[-/ ]?(?P<version>[1-4]\.[05]))?(?:-?(?:int|igo|[a-z]{2}))?"
)
_CC_PAGE = re.compile(
    r"creativecommons\.org/licen[sc]es/(?P<code>by(?:-(?:nc|nd|sa))*)/(?P<version>[1-4]\.[05])(?:/[a-z/.-]*)?"
)
_CC_TITLE = re.compile(
    r"creative commons[:,]? (?:attribution|namensnennung)(?P<code>(?:[ -]*(?:non-?commercial|share-?alike|no-?deriv(?:ative)?s))*)"
    r"(?: (?P<version>[1-4]\.[05]))?(?: international| unported)?(?: licen[sc]e)?(?: \(cc[ -][a-z0-9. -]+\))?"
)
_OTHERS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ((r"creativecommons\.org/publicdomain/zero/1\.0(/[a-z/.-]*)?|cc-?(0|zero)(-1\.0)?|creative commons (zero|cc-?zero|cc0)"
     r"( 1\.0)?( universal)?( public domain dedication)?"), "CC0-1.0", frozenset()),
    (r"creativecommons\.org/publicdomain/mark/1\.0(/[a-z/.-]*)?|pdm-1\.0", "PDM-1.0", frozenset()),
    (r"opendatacommons\.org/licenses/pddl(/[a-z0-9./-]*)?|(odc-)?pddl(-1\.0)?", "PDDL-1.0", frozenset()),
    (r"opendatacommons\.org/licenses/by(/[a-z0-9./-]*)?|odc-by(-1\.0)?|open data commons attribution license", "ODC-By-1.0", frozenset((BY,))),
    ((r"opendatacommons\.org/licenses/odbl(/[a-z0-9./-]*)?|(odc-)?odbl(-1\.0)?|odc-bl|"
     r"(odc )?open database licen[sc]e( \(odbl\))?( 1\.0)?"), "ODbL-1.0", frozenset((BY, SA, NOTICE))),
    (r"(govdata\.de/)?dl-de/?-?by-?2[.-]0|dl-by-de/?-?2[.-]0|datenlizenz deutschland -? ?namensnennung -? ?(version )?2\.0", "dl-de/by-2-0", frozenset((BY,))),
    (r"(govdata\.de/)?dl-de/?-?by-?1[.-]0|dl-by-de/?-?1[.-]0", "dl-de/by-1-0", frozenset((BY,))),
    (r"(govdata\.de/)?dl-de/?-?zero-?2[.-]0|dl-zero-de/?-?2[.-]0|datenlizenz deutschland -? ?zero -? ?(version )?2\.0", "dl-de/zero-2-0", frozenset()),
    (r"(govdata\.de/)?dl-de/?-?by-nc-?1[.-]0|dl-by-nc-de/?-?1[.-]0", "dl-de/by-nc-1-0", frozenset((BY, NC))),
    (r"(joinup\.ec\.europa\.eu/.*eupl.*|eupl-?(1\.[012])?)", "EUPL-1.2", frozenset((BY, NOTICE, SA))),
    ((r"com-reuse|eur-lex\.europa\.eu/.*2011.833.*|data\.europa\.eu/eli/dec/2011/833(/oj)?|"
     r"ec\.europa\.eu/info/legal-notice.*|commission\.europa\.eu/legal-notice.*"), "2011/833/EU", frozenset((BY,))),
    ((r"(data\.gouv\.fr|etalab\.gouv\.fr)/.*licence-ouverte.*|etalab-2\.0|(fr-)?lov?2?|licence ouverte.*|"
     r"github\.com/etalab/licence-ouverte.*"), "etalab-2.0", frozenset((BY,))),
    (r"nationalarchives\.gov\.uk/doc/open-government-licence(/version/[123])?|uk-ogl|ogl(-uk)?-[123]\.0", "OGL-UK-3.0", frozenset((BY,))),
    (r"data\.norge\.no/nlod(/[a-z0-9./-]*)?|nlod-[12]\.0", "NLOD-2.0", frozenset((BY,))),
    (r"dati\.gov\.it/iodl/2\.0|iodl-?2\.0", "IODL-2.0", frozenset((BY,))),
    (r"apache-2\.0|apache\.org/licenses/license-2\.0(\.txt|\.html)?", "Apache-2.0", frozenset((NOTICE, BY))),
    (r"mit|opensource\.org/licenses/mit", "MIT", frozenset((NOTICE, BY))),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), Licence(name, asks)) for pattern, name, asks in _OTHERS)
_ASKS: Mapping[str, str] = {"by": BY, "nc": NC, "nd": ND, "sa": SA}
_PREFIX = re.compile(r"https?://(www\.)?")
_TABLES = re.compile(
    r"publications\.europa\.eu/resource/authority/licen[cs]e/|spdx\.org/licenses/|dcat-ap\.de/def/licenses/|"
    r"opendefinition\.org/licenses/|data\.europa\.eu/.*licen[cs]e/"
)


def _one(statement: str) -> Licence | None:
    text = _PREFIX.sub("", " ".join(statement.split()).strip().lower()[:300]).rstrip("/.# ")
    text = re.sub(r"[\u2010-\u2015]", "-", _TABLES.sub("", text)).removesuffix(".html").removesuffix(".json")
    code = re.sub(r"(?<=[0-9])_(?=[0-9])", ".", text)  # CC_BY_4_0 of the authority table is CC-BY-4.0
    code = code.replace("_", "-").replace("cc/by", "cc-by").replace(" ", "-" if text.startswith(("cc ", "cc-")) else " ")
    for pattern in (_CC_PAGE, _CC, _CC_TITLE):
        if found := pattern.fullmatch(code):
            return _creative_commons(found["code"] or "", found["version"] or "")
    return next((licence for pattern, licence in _COMPILED if pattern.fullmatch(code)), None)


def _creative_commons(code: str, version: str) -> Licence:
    short = code.replace("non", "n-").replace("commercial", "c") if "commercial" in code else code
    kinds = {"by"}
    if "nc" in short.replace("-", "") or "commercial" in code:
        kinds.add("nc")
    if re.search(r"nd|no-?deriv", code):
        kinds.add("nd")
    if re.search(r"sa|share", code):
        kinds.add("sa")
    name = "-".join(
        ["CC", *(kind.upper() for kind in ("by", "nc", "nd", "sa") if kind in kinds), *([version] if version else [])]
    )
    return Licence(name, frozenset(_ASKS[kind] for kind in kinds))
