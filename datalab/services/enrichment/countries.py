"""Facts about countries, by ISO 3166-1 alpha-2 code."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import refuse_existing, require_text

EU = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
"""Member States of the Union since 1 February 2020."""
EEA = (*EU, "IS", "LI", "NO")
"""Parties to the Agreement on the European Economic Area."""

# UN M49 geographic regions. Antarctica has none; Taiwan is listed with Asia, Kosovo (XK, user-assigned) with Europe.
REGIONS = {
    "Africa": "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG "
    "RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW",
    "Americas": "AG AI AR AW BB BL BM BO BQ BR BS BV BZ CA CL CO CR CU CW DM DO EC FK GD GF GL GP GS GT GY HN HT JM KN KY LC MF MQ MS "
    "MX NI PA PE PM PR PY SR SV SX TC TT US UY VC VE VG VI",
    "Asia": "AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA "
    "SG SY TH TJ TL TM TR TW UZ VN YE",
    "Europe": "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL "
    "PT RO RS RU SE SI SJ SK SM UA VA XK",
    "Oceania": "AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS",
}

_FACTS = {
    "name": (pl.String(), "English short name, CLDR"),
    "eu_member": (pl.Boolean(), "Member State of the European Union"),
    "eea_member": (pl.Boolean(), "party to the European Economic Area"),
    "region": (pl.String(), "UN M49 region"),
    "currency": (pl.String(), "ISO 4217 code of the legal tender, CLDR"),
    "languages": (pl.List(pl.String()), "official languages, BCP 47, CLDR"),
}


@dataclass(frozen=True, slots=True)
class CountryFacts(MapStep):
    """Add facts about the country whose ISO 3166-1 alpha-2 code (upper case) stands in ``column``, each named ``<prefix><fact>``.

    The facts are name, eu_member, eea_member, region, currency and languages (a list), as of the day ``as_of``. A code that is no
    country has null facts and is counted as ``unknown-country``. ``EL`` and ``UK``, the Union's own codes, are unknown here:
    standardise them before.
    """

    service: ClassVar[Service] = Service.ENRICHMENT

    column: str
    prefix: str = "country_"
    as_of: dt.date = dt.date(2026, 1, 1)

    def bind(self, schema: pl.Schema) -> Bound:
        """Require text, and free names."""
        require_text(schema, [self.column], step=self.name)
        added = {self.prefix + fact: kind for fact, (kind, _) in _FACTS.items()}
        refuse_existing(schema, added, step=self.name)
        derivations = {self.prefix + fact: Derivation((self.column,), description=words) for fact, (_, words) in _FACTS.items()}
        return Bound(pl.Schema({**schema, **added}), derivations, frozenset({self.column}))

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Add the facts."""
        codes = frame.select(pl.col(self.column).alias("code"))
        facts = codes.join(_countries(self.as_of), on="code", how="left", maintain_order="left").select(*_FACTS)
        unknown = facts.get_column("name").null_count() - codes.get_column("code").null_count()
        return Outcome(
            frame.hstack(facts.rename(lambda fact: self.prefix + fact)), counts={"unknown-country": unknown} if unknown else {}
        )


@functools.lru_cache(maxsize=4)
def _countries(as_of: dt.date) -> pl.DataFrame:
    """Return one row per country: code and facts."""
    from babel import Locale

    names = Locale("en").territories
    rows = [
        (code, names[code], code in EU, code in EEA, region, _currency(code, as_of), _languages(code))
        for region, codes in [*REGIONS.items(), (None, "AQ")]
        for code in codes.split()
    ]
    return pl.DataFrame(rows, schema={"code": pl.String(), **{fact: kind for fact, (kind, _) in _FACTS.items()}}, orient="row")


def _currency(code: str, as_of: dt.date) -> str | None:
    from babel.numbers import get_territory_currencies

    if code == "BG" and as_of >= dt.date(2026, 1, 1):
        return "EUR"  # Council Decision (EU) 2025/1407; CLDR 47 still has the lev
    found = get_territory_currencies(code, as_of, as_of)
    return found[0] if found else None


def _languages(code: str) -> list[str]:
    from babel.languages import get_official_languages

    return [language.replace("_", "-") for language in get_official_languages(code)]
