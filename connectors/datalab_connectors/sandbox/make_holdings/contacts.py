"""Invented contact and payment data in national formats: e-mail, phone, IBAN, payment card, IP address.

User names come from Faker 40.54.0 (development lock), phone numbers are valid by phonenumbers 9.0.43, IBANs and cards
by python-stdnum 2.2. Domains are those that RFC 2606 and RFC 6761 reserve, and IP addresses those of documentation and
private networks, so that none is anybody's.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import string
import unicodedata
from random import Random

import phonenumbers
from faker import Faker
from stdnum import iban, luhn

LOCALES = {
    "bg": "bg_BG", "hr": "hr_HR", "cs": "cs_CZ", "da": "da_DK", "nl": "nl_NL", "en": "en_IE", "et": "et_EE", "fi": "fi_FI",
    "fr": "fr_FR", "de": "de_DE", "el": "el_GR", "hu": "hu_HU", "ga": "ga_IE", "it": "it_IT", "lv": "lv_LV", "lt": "lt_LT",
    "mt": "en_GB", "pl": "pl_PL", "pt": "pt_PT", "ro": "ro_RO", "sk": "sk_SK", "sl": "sl_SI", "es": "es_ES", "sv": "sv_SE",
}  # fmt: skip
REGIONS = {
    "bg": "BG", "hr": "HR", "cs": "CZ", "da": "DK", "nl": "NL BE", "en": "IE MT", "et": "EE", "fi": "FI", "fr": "FR BE LU",
    "de": "DE AT", "el": "GR CY", "hu": "HU", "ga": "IE", "it": "IT", "lv": "LV", "lt": "LT", "mt": "MT", "pl": "PL", "pt": "PT",
    "ro": "RO", "sk": "SK", "sl": "SI", "es": "ES", "sv": "SE FI",
}  # fmt: skip
_BBAN = {
    "BG": "a4n6c8", "HR": "n17", "CZ": "n20", "DK": "n14", "NL": "a4n10", "BE": "n12", "IE": "a4n14", "MT": "a4n5c18", "EE": "n16",
    "FI": "n14", "FR": "n10c11n2", "LU": "n3c13", "DE": "n18", "AT": "n16", "GR": "n7c16", "CY": "n8c16", "HU": "n24",
    "IT": "a1n10c12", "LV": "a4c13", "LT": "n16", "PL": "n24", "PT": "n21", "RO": "a4c16", "SK": "n20", "SI": "n15", "ES": "n20",
    "SE": "n20",
}  # fmt: skip
"""Structure of the national part of an IBAN (SWIFT IBAN registry): a letters, n digits, c letters or digits."""

_ALPHABETS = {"a": string.ascii_uppercase, "n": string.digits, "c": string.digits + string.ascii_uppercase}
_DOMAINS = (
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "uni.example.org",
    "post.example.net",
    "buero-nord.example",
    "stad.example",
    "EXAMPLE.COM",
)


@functools.cache
def _names(language: str) -> Faker:
    return Faker(LOCALES[language])


def email(rng: Random, language: str) -> str:
    """Return an address: most of the plain form, some with a tag, capitals, an apostrophe or letters beyond ASCII."""
    fake = _names(language)
    fake.seed_instance(rng.getrandbits(32))
    first, last = (re.sub(r"[^\w]", "", part.split()[-1].lower()) for part in (fake.first_name(), fake.last_name()))
    plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode().strip(".") or fake.user_name()
    if "." not in plain or len(plain) < 4:
        plain = f"{plain.strip('.')}{rng.randint(1950, 2010)}"
    shape = rng.random()
    if shape < 0.45:
        local = plain
    elif shape < 0.6:
        local = f"{plain[0]}_{plain.rsplit('.', maxsplit=1)[-1]}{rng.randint(1, 99)}"
    elif shape < 0.7:
        local = f"{plain}+{rng.choice(('news', '2026', 'eu'))}"
    elif shape < 0.8:
        local = plain.title()
    elif shape < 0.86:
        local = f"o'{plain.rsplit('.', maxsplit=1)[-1]}"
    elif shape < 0.94:
        local = plain.replace(".", "-")
    else:
        local = f"{first}.{last}"  # as the name is written (RFC 6531)
    return f"{local}@{rng.choice(_DOMAINS)}"


def phone(rng: Random, language: str) -> str:
    """Return a valid number: national or international, with the signs between the groups that people use."""
    home = rng.choice(REGIONS[language].split())
    region = home if rng.random() < 0.85 else rng.choice(sorted({r for regions in REGIONS.values() for r in regions.split()}))
    kind = rng.choice((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    if example is None:
        raise LookupError(region)
    base = phonenumbers.national_significant_number(example)
    while True:
        digits = base[:3] + "".join(rng.choices(string.digits, k=len(base) - 3))
        number = phonenumbers.parse(f"+{example.country_code}{digits}")
        if phonenumbers.is_valid_number(number) and phonenumbers.national_significant_number(number) == digits:
            break
    abroad = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    inland = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    code, rest = abroad.split(" ", 1)
    forms = [
        abroad,
        abroad,
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        f"00{abroad[1:]}",
        abroad.replace(" ", "-"),
        abroad.replace(" ", "."),
        f"({code}) {rest}",
        abroad.replace(" ", "\u00a0"),
    ]
    if inland.startswith("0") and region not in {"IT", "HU"}:
        forms.append(f"{code} (0) {rest}")
    if region == home:
        forms += [
            inland,
            inland,
            inland,
            inland.replace(" ", "/", 1),
            inland.replace(" ", "-"),
            inland.replace(" ", ""),
            inland.replace(" ", "."),
        ]
    return rng.choice(forms)


def account(rng: Random, language: str) -> str:
    """Return an IBAN of a country of the language (one in seven of another): in fours, in one piece, rarely otherwise."""
    countries = REGIONS[language].split() if rng.random() < 0.85 else sorted(_BBAN)
    country = rng.choice(countries)
    while True:
        groups = re.findall(r"([anc])([0-9]+)", _BBAN[country])
        bban = "".join("".join(rng.choices(_ALPHABETS[kind], k=int(length))) for kind, length in groups)
        number = country + iban.calc_check_digits(f"{country}00{bban}") + bban
        if iban.is_valid(number):
            break
    fours = re.findall(".{1,4}", number)
    return rng.choice(
        [" ".join(fours)] * 3
        + [number] * 3
        + ["-".join(fours), number.lower(), "\u00a0".join(fours), f"{number[:4]} {number[4:]}"]
    )


def card(rng: Random, _language: str) -> str:
    """Return a number of an international card scheme that passes the Luhn check."""
    prefix, length = rng.choice(
        [
            ("4", 16),
            ("4", 16),
            (str(rng.randint(51, 55)), 16),
            (str(rng.randint(2221, 2720)), 16),
            (rng.choice(("34", "37")), 15),
            ("36", 14),
            ("6759", 18),
            ("4", 19),
        ]
    )
    body = prefix + "".join(rng.choices(string.digits, k=length - len(prefix) - 1))
    number = body + luhn.calc_check_digit(body)
    groups = [number[:4], number[4:10], number[10:]] if length in {14, 15} else re.findall(".{1,4}", number)
    return rng.choice([number, " ".join(groups), " ".join(groups), "-".join(groups)])


def address(rng: Random, _language: str) -> str:
    """Return an IPv4 or IPv6 address of a documentation or private network (RFC 5737, 3849, 1918, 4193)."""
    if rng.random() < 0.7:
        network = ipaddress.ip_network(
            rng.choice(("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
        )
        return str(network[rng.randrange(1, network.num_addresses - 1)])
    network6 = ipaddress.ip_network(rng.choice(("2001:db8::/32", "fd00::/8")))
    found = network6[rng.randrange(1, 2**16)] if rng.random() < 0.4 else network6[rng.randrange(2**64, network6.num_addresses)]
    return rng.choice([found.compressed, found.compressed, found.exploded, found.compressed.upper()])


MAKERS = {"EMAIL": email, "PHONE": phone, "IBAN": account, "CARD": card, "IP": address}
