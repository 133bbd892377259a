"""Places: what a spatial term may name, as sets of ISO 3166-1 alpha-2 codes, and the NUTS regions within countries.

Read are the European Union and the European Economic Area, countries by alpha-2 or alpha-3 code, bare or in the IRIs of
the EU Publications Office, of ISO, or of the DPV locations, and NUTS codes (``DE21``, ``nuts:DEA``, or as an IRI of
data.europa.eu), whose letters nest: ``DE21`` lies in ``DE2`` and in ``DE``. Every other place is unknown.
"""

from __future__ import annotations

import functools
import re

EU = frozenset(
    (
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    )
)  # fmt: skip
EEA = EU | {"IS", "LI", "NO"}

# Each entry is alpha-2 followed by alpha-3 (ISO 3166-1).
_COUNTRIES = (
    "ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA AZAZE BABIH BBBRB BDBGD BEBEL "
    "BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD "
    "CFCAF CGCOG CHCHE CICIV CKCOK CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA "
    "DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF "
    "GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV HTHTI HUHUN "
    "IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA "
    "KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE "
    "MFMAF MGMDG MHMHL MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM "
    "NCNCL NENER NFNFK NGNGA NINIC NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM "
    "PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC SDSDN SESWE SGSGP SHSHN SISVN "
    "SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL "
    "TLTLS TMTKM TNTUN TOTON TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR "
    "VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE"
)
# The Publications Office writes EUR for the Union and the Interinstitutional Style Guide EL and UK for Greece and the United Kingdom.
_UNION = {"EU": EU, "EUR": EU, "EU27": EU, "EU27_2020": EU, "EEA": EEA}
_OTHER = {"EL": "GR", "UK": "GB"}
_PREFIX = re.compile(
    r"https?://publications\.europa\.eu/resource/authority/(country|country-group|corporate-body|place|atu)/"
    r"|https?://www\.iso\.org/obp/ui/#iso:code:3166:"
    r"|https://w3id\.org/dpv/loc(/owl)?#"
    r"|urn:iso:std:iso:3166:(-1:)?"
    r"|iso3166:|iso3166-1:|loc:"
)

_NUTS = re.compile(r"(?P<named>https?://data\.europa\.eu/nuts/code/|nuts:)?(?P<code>[A-Z]{2}[0-9A-Z]{1,3})")


@functools.cache
def _alpha2() -> dict[str, str]:
    pairs = _COUNTRIES.split()
    return {pair[:2]: pair[:2] for pair in pairs} | {pair[2:]: pair[:2] for pair in pairs} | _OTHER


def countries(place: str) -> frozenset[str] | None:
    """Return the countries that a place covers, or None for a place that is not known here."""
    code = _PREFIX.sub("", place.strip(), count=1).upper() if _PREFIX.match(place.strip()) else place.strip().upper()
    if code in _UNION:
        return _UNION[code]
    found = _alpha2().get(code)
    return frozenset((found,)) if found else None


def country(territory: str) -> str | None:
    """Return the alpha-2 code of one country, or None where ``territory`` is not exactly one."""
    found = countries(territory) if territory else None
    return next(iter(found)) if found and len(found) == 1 else None


def region(place: str) -> str | None:
    """Return the NUTS code that a place is, from the country's first level down; None for anything else.

    A bare code needs a figure in it: ``DEA`` could as well be a country's three letters.
    """
    match = _NUTS.fullmatch(place.strip())
    if not match or countries(place) is not None:
        return None
    code = match["code"]
    known = country(code[:2]) is not None and (match["named"] or any(sign.isdigit() for sign in code))
    return code if known else None


def is_place(place: str) -> bool:
    """Whether a spatial term that names this place can be measured."""
    return countries(place) is not None or region(place) is not None


def stands_in(territory: str, place: str) -> bool | None:
    """Whether data that stands in ``territory`` (one country or NUTS region) stands in ``place``; None where that is not known."""
    home = region(territory)
    where = country(home[:2]) if home else country(territory)
    if where is None:
        return None
    covered = countries(place)
    if covered is not None:
        return where in covered
    wanted = region(place)
    if wanted is None:
        return None
    if country(wanted[:2]) != where:
        return False
    if home and (home.startswith(wanted) or not wanted.startswith(home)):
        return home.startswith(wanted)
    return None  # the country, or a larger region, is all that is known
