"""Invented national numbers of six member states: valid by their checksum, in the spellings that people use.

Checksums are python-stdnum's (in the lock). A number is drawn at random; that somebody bears it is chance.
"""

from __future__ import annotations

from random import Random

from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel

_CF_MONTHS = "ABCDEHLMPRST"


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def _cut(number: str, *lengths: int) -> list[str]:
    pieces, start = [], 0
    for length in lengths:
        pieces.append(number[start : start + length])
        start += length
    return pieces


def french_nir(rng: Random) -> str:
    """Numéro de sécurité sociale: sex, year, month, department (Corsica has letters), commune, order, key."""
    department = rng.choice([f"{rng.randint(1, 95):02}".replace("20", "21"), "2A", "2B", f"{rng.randint(1, 19):02}", "99"])
    body = f"{rng.choice('12')}{rng.randint(0, 99):02}{rng.randint(1, 12):02}{department}{rng.randint(1, 989):03}{rng.randint(1, 999):03}"
    number = body + nir.calc_check_digits(body)
    pieces = _cut(number, 1, 2, 2, 2, 3, 3, 2)
    return rng.choice(
        [number, " ".join(pieces), " ".join(pieces), ".".join(pieces), f"{number[:13]} {number[13:]}", "\u00a0".join(pieces)]
    )


def spanish_nif(rng: Random) -> str:
    """Documento nacional de identidad: eight digits and a letter."""
    body = f"{rng.randint(100000, 99999999):08}"
    letter = dni.calc_check_digit(body)
    dotted = ".".join(_cut(body, 2, 3, 3))
    return rng.choice(
        [
            body + letter,
            f"{body}-{letter}",
            f"{dotted}-{letter}",
            f"{dotted} {letter}",
            body + letter.lower(),
            f"{body} {letter}",
        ]
    )


def spanish_nie(rng: Random) -> str:
    """Número de identidad de extranjero: X, Y or Z, seven digits and a letter."""
    body = rng.choice("XYZ") + _digits(rng, 7)
    letter = nie.calc_check_digit(body)
    return rng.choice([body + letter, f"{body[0]}-{body[1:]}-{letter}", f"{body}-{letter}", f"{body[0]} {body[1:]} {letter}"])


def polish_pesel(rng: Random) -> str:
    """PESEL: birth date with the century in the month, four digits, check digit."""
    year, month, day = rng.randint(1925, 2015), rng.randint(1, 12), rng.randint(1, 28)
    body = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{day:02}{_digits(rng, 4)}"
    number = body + pesel.calc_check_digit(body)
    return rng.choice(
        [number, number, f"{number[:6]} {number[6:]}", f"{number[:6]}-{number[6:]}", " ".join(_cut(number, 2, 2, 2, 5))]
    )


def dutch_bsn(rng: Random) -> str:
    """Burgerservicenummer: nine digits that pass the eleven test."""
    while not bsn.is_valid(number := f"{rng.randint(10000000, 999999999):09}"):
        pass
    return rng.choice(
        [number, number, ".".join(_cut(number, 4, 2, 3)), " ".join(_cut(number, 3, 3, 3)), " ".join(_cut(number, 4, 2, 3))]
    )


def italian_fiscal_code(rng: Random) -> str:
    """Codice fiscale of a person: name letters, birth date and sex, municipality, check letter."""
    letters = "".join(rng.choices("BCDFGLMNPRSTVZ", k=6))
    day = rng.randint(1, 28) + rng.choice((0, 40))
    body = f"{letters}{rng.randint(30, 99):02}{rng.choice(_CF_MONTHS)}{day:02}{rng.choice('ABCDEFGHL')}{rng.randint(1, 999):03}"
    if rng.random() < 0.08:  # omocodia: the last digit becomes a letter where two people would share a code
        body = body[:-1] + "LMNPQRSTUV"[int(body[-1])]
    number = body + codicefiscale.calc_check_digit(body)
    return rng.choice([number, number, number.lower(), " ".join(_cut(number, 3, 3, 5, 4, 1)), " ".join(_cut(number, 6, 5, 5))])


def german_tax_id(rng: Random) -> str:
    """Steuerliche Identifikationsnummer: one digit twice among the first ten, no leading zero."""
    while True:
        nine = rng.sample("0123456789", 9)
        body = [*nine, rng.choice(nine)]
        rng.shuffle(body)
        for check in "0123456789":
            number = "".join(body) + check
            if number[0] != "0" and idnr.is_valid(number):
                return rng.choice(
                    [
                        number,
                        " ".join(_cut(number, 2, 3, 3, 3)),
                        " ".join(_cut(number, 2, 3, 3, 3)),
                        "/".join(_cut(number, 2, 3, 3, 3)),
                    ]
                )


MAKERS = {
    "FR_NIR": french_nir,
    "ES_NIF": spanish_nif,
    "ES_NIE": spanish_nie,
    "PL_PESEL": polish_pesel,
    "NL_BSN": dutch_bsn,
    "IT_FISCAL_CODE": italian_fiscal_code,
    "DE_TAX_ID": german_tax_id,
}
VALID = {
    "FR_NIR": nir.is_valid,
    "ES_NIF": dni.is_valid,
    "ES_NIE": nie.is_valid,
    "PL_PESEL": pesel.is_valid,
    "NL_BSN": bsn.is_valid,
    "IT_FISCAL_CODE": codicefiscale.is_valid,
    "DE_TAX_ID": idnr.is_valid,
}
AT_HOME = {
    "fr": ("FR_NIR",),
    "es": ("ES_NIF", "ES_NIF", "ES_NIE"),
    "pl": ("PL_PESEL",),
    "nl": ("NL_BSN",),
    "it": ("IT_FISCAL_CODE",),
    "de": ("DE_TAX_ID",),
}
"""Which numbers the texts of a language speak of; texts of other languages speak of any of them."""


def bare(value: str) -> str:
    """Return ``value`` without the signs between its groups, as the validators take it."""
    return "".join(character for character in value if character.isalnum()).upper()
