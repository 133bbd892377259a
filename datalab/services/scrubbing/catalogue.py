"""What counts as personal data here: the entities, their words in the languages of the EU, their numbers and check digits.

To add a national number, add one entry to ``NUMBERS`` (digits only) or ``CODES`` (with letters). A number is known by the sizes of its
groups of digits, because that is how people write it: ``943 476 5919`` is (3, 4, 3). Check digits come from python-stdnum.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

EMAIL, URL, PHONE, IBAN, CARD, IP = "email", "url", "phone", "iban", "card", "ip"
BIRTH_DATE, NAME = "date-of-birth", "name"
ATTRIBUTE = "attribute"
"""A value of another column of the row that is neither name, number nor date: an address, an account name."""


@dataclass(frozen=True, slots=True)
class NationalNumber:
    """A national identifier of digits. ``shapes`` are the sizes of its groups; ``proof`` is a module of python-stdnum.

    ``telling`` says that its check and its structure leave so few chance hits (below 2 in 100 numbers of its length) that it
    needs no company. Others count only in a text of one of their ``languages``, or after one of their ``words``.
    """

    entity: str
    shapes: frozenset[tuple[int, ...]]
    proof: str
    languages: frozenset[str]
    words: str
    telling: bool = True


@dataclass(frozen=True, slots=True)
class NationalCode:
    """A national identifier with letters: ``groups`` are patterns of one character each, parted as people part the code.

    Between groups may stand one separator; just after one of its ``words``, between any two characters. The patterns stay in the
    subset of RE2; separators are removed before ``proof``.
    """

    entity: str
    groups: tuple[tuple[str, ...], ...]
    proof: str
    words: str
    distinctive: bool = False
    """Whether the form alone is rare enough to report a wrong check character as a look-alike without a word before it."""


def _shapes(*texts: str) -> frozenset[tuple[int, ...]]:
    return frozenset(tuple(int(size) for size in text.split()) for text in texts)


_NIR_WORDS = "nir|n.i.r|insee|nss|sécurité sociale|securite sociale|sécu|secu|n° ss|nº ss|no ss|numéro ss|carte vitale"

NUMBERS = (
    NationalNumber(
        "fr-nir",
        _shapes("15", "13 2", "1 2 2 2 3 3 2", "1 2 2 5 3 2", "1 2 2 2 3 5", "1 2 2 2 6 2"),
        "fr.nir",
        frozenset({"fr"}),
        _NIR_WORDS,
    ),
    NationalNumber(
        "pl-pesel", _shapes("11", "6 5", "2 2 2 5"), "pl.pesel", frozenset({"pl"}), "pesel|ewidencyjny|numer identyfikacyjny"
    ),
    NationalNumber(
        "de-tax-id",
        _shapes("11", "2 3 3 3"),
        "de.idnr",
        frozenset({"de"}),
        "steuer-id|steuerid|idnr|steueridentifikationsnummer|steuer-identifikationsnummer|steuernummer|steuerliche|tax id|tin",
    ),
    NationalNumber(
        "be-national-number",
        _shapes("11", "2 2 2 3 2", "6 3 2", "6 5"),
        "be.nn",
        frozenset({"nl", "fr", "de"}),
        "rijksregister|rijksregisternummer|registre national|nationalregister|nationalregisternummer|niss|insz|national number|nrn|rrn",
    ),
    NationalNumber(
        "nl-bsn",
        _shapes("9", "4 2 3", "3 3 3", "4 5", "2 3 4"),
        "nl.bsn",
        frozenset({"nl"}),
        "bsn|burgerservicenummer|burger service nummer|sofi|sofinummer|sofi-nummer",
        telling=False,
    ),
    NationalNumber(
        "uk-nhs",
        _shapes("10", "3 3 4", "3 4 3"),
        "gb.nhs",
        frozenset({"en"}),
        "nhs|national health|health service",
        telling=False,
    ),
)

_DIGIT, _LETTER = "[0-9]", "[A-Za-z]"
_CODED_DIGIT = "[0-9LMNP-Vlmnp-v]"  # letters stand for digits where two people would share an Italian code

CODES = (
    NationalCode(
        "es-nif",
        ((_DIGIT,) * 2, (_DIGIT,) * 3, (_DIGIT,) * 3, (_LETTER,)),
        "es.nif",
        "nif|n.i.f|dni|d.n.i|documento|identidad",
    ),
    NationalCode(
        "es-nie",
        (("[XYZxyz]",), (_DIGIT,), (_DIGIT,) * 3, (_DIGIT,) * 3, (_LETTER,)),
        "es.nie",
        "nie|n.i.e|documento|extranjero|extranjera",
        distinctive=True,
    ),
    NationalCode(
        "it-fiscal-code",
        (
            (_LETTER,) * 3,
            (_LETTER,) * 3,
            (_CODED_DIGIT, _CODED_DIGIT, "[ABCDEHLMPRSTabcdehlmprst]", _CODED_DIGIT, _CODED_DIGIT),
            (_LETTER, *(_CODED_DIGIT,) * 3),
            (_LETTER,),
        ),
        "it.codicefiscale",
        "codice fiscale|cod. fisc|cod.fisc|codfisc|c.f|c. f|cf",
        distinctive=True,
    ),
    NationalCode(
        "fr-nir",
        (("[12]",), (_DIGIT,) * 2, (_DIGIT,) * 2, ("2", "[ABab]"), (_DIGIT,) * 3, (_DIGIT,) * 3, (_DIGIT,) * 2),
        "fr.nir",
        _NIR_WORDS,
        distinctive=True,
    ),
)

NATIONAL = tuple(dict.fromkeys(item.entity for item in (*NUMBERS, *CODES)))
ALL = (EMAIL, PHONE, IBAN, CARD, IP, BIRTH_DATE, NAME, *NATIONAL)
"""What is looked for unless somebody says otherwise. Web addresses (``url``) are personal only sometimes: ask for them by name."""
KNOWN = (*ALL, URL)

LIKE = "-like"
"""Ends the name of something that has the form of an entity but a wrong check digit: a mistyped IBAN still points to a person."""

PHONE_WORDS = (
    # a phone
    "phone|phones|phoned|telephone|tel|tele|telnr|tfn|tfno|tlf|tlfn|tlm|tf|mobile|mobil|mob|cell|cellphone|fax|gsm|whatsapp|sms|hotline|"
    "helpline|contact|telefon|telefonnummer|rufnummer|mobilnummer|handy|handynummer|durchwahl|festnetz|fon|téléphone|téléphoner|"
    "telephoner|portable|tél|teléfono|telefono|teléfonos|móvil|celular|cellulare|recapito|telefoniczny|telefonu|telefonem|komórka|"
    "komórkowy|telefoon|telefoonnummer|mobiel|telefone|telemóvel|contacto|puhelin|puhelinnumero|matkapuhelin|kännykkä|puh|telefonszám|"
    "telefonszámon|telefón|telefónne|telefonní|mobilní|mobitel|mobiil|telefonas|telefonai|tālrunis|tālruni|tālr|τηλέφωνο|τηλεφωνο|τηλ|"
    "κινητό|κιν|φαξ|телефон|телефонен|мобилен|тел|guthán|fón|teileafón| teil.| teil:|telefown|mowbajl|"
    # to call, and to be reached
    "call|calls|calling|dial|dialling|ring|reachable|reach me|reach us|reach him|reach her|reach them|anruf|anrufen|rufen|erreichbar|"
    "appeler|appelez|joignable|joindre|composez|llamar|llame|llama|llamad|llámame|llámeme|llámenos|localizable|chiamare|chiama|chiami|"
    "chiamami|chiamate|chiamatemi|telefonare|telefonate|raggiungibile|dzwoń|zadzwoń|dzwonić|zadzwonić|bel|bellen|bereikbaar|ligar|ligue|"
    "telefonar|contactar|ringe|ringa|nås på|træffes|soita|soittaa|soittakaa|tavoitat|hívjon|hívja|hívj|hívható|volejte|zavolejte|volat|"
    "volajte|zavolajte|volať|nazovite|nazovi|pozovite|pokličite|kličite|poklicati|zvaniet|zvanīt|piezvaniet|skambinkite|skambinti|"
    "paskambinkite|helista|helistage|helistada|sunați|sunaţi|apelați|apelaţi|καλέστε|κάλεσε|τηλεφωνήστε|обадете|обади|позвънете|звънете|"
    "glaoigh|glaoch|glao|ċempel|ċemplu"
)
CARD_WORDS = "card|cards|visa|mastercard|amex|kreditkarte|karte|carte|tarjeta|carta|karta|kaart|creditcard|pan|cc"
BIRTH_WORDS = (
    "born|birth|birthdate|birthday|birth_date|dob|d\\.o\\.b|date of birth|né|née|naissance|geboren|geb|geburt|geburtsdatum|geburtstag|"
    "nacid[oa]|nacimiento|naci[óo]|nat[oa]|nascit[ao]|nascid[oa]|nascimento|nasceu|urodz\\w*|ur|geboorte\\w*|född|födelse\\w*|født|fødsels\\w*|"
    "syntyn\\w*|syntymä\\w*|narozen\\w*|narodil\\w*|született|születés\\w*|născut\\w*|naștere\\w*|роден\\w*|раждане|γεννήθηκε|γέννησης|"
    "rođen\\w*|rojen\\w*|rojstva|dzim\\w*|gim\\w*|sünd\\w*|sünni\\w*|twieled|twelid|rugadh|breithe"
)
UNRELATED_WORDS = (
    "order orders invoice invoices bestellung bestellnummer bestelling bestelnummer auftrag auftragsnummer rechnung rechnungsnummer "
    "factuur factuurnummer facture commande pedido factura ordine fattura zamówienie zamówienia faktura faktury ticket isbn issn ean "
    "gtin sku doi pmid artikel artikelnummer article version serial series seriennummer part batch lot model ref reference referenz "
    "referentie référence referencia tracking parcel shipment build commit revision section zlecenie id "
    "population total sum amount revenue turnover budget einwohner summe betrag umsatz montant importe población importo totale "
    "popolazione kwota suma ludność bedrag totaal bevolking eur usd gbp pln zł chf"
)
"""A number just after one of these is no phone number and no weak identifier."""

REGIONS = {
    "bg": ("BG",),
    "cs": ("CZ", "SK"),
    "da": ("DK",),
    "de": ("DE", "AT", "CH", "LU", "BE"),
    "el": ("GR", "CY"),
    "en": ("GB", "IE", "MT", "US"),
    "es": ("ES",),
    "et": ("EE",),
    "fi": ("FI",),
    "fr": ("FR", "BE", "LU", "CH", "GP", "GF", "MQ", "RE"),
    "ga": ("IE", "GB"),
    "hr": ("HR",),
    "hu": ("HU",),
    "it": ("IT", "CH"),
    "lt": ("LT",),
    "lv": ("LV",),
    "mt": ("MT",),
    "nl": ("NL", "BE"),
    "pl": ("PL",),
    "pt": ("PT",),
    "ro": ("RO",),
    "sk": ("SK", "CZ"),
    "sl": ("SI",),
    "sv": ("SE", "FI"),
}
"""Where a phone number without a country code may belong, by language of the text (ISO 639-1 to ISO 3166-1)."""


@cache
def proof(module: str) -> Callable[[str], bool]:
    """Return the ``is_valid`` of a module of python-stdnum, loaded on first use."""
    check: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
    return check
