"""Values that look like personal data and are none: broken check digits, order numbers, versions, dates."""

from __future__ import annotations

from random import Random

from stdnum import iban, luhn

from datalab_connectors.sandbox.make_holdings import contacts, national


def _valid_as_anything(value: str) -> bool:
    plain = national.bare(value)
    return (
        any(is_valid(plain) for is_valid in national.VALID.values())
        or iban.is_valid(plain)
        or (plain.isdigit() and 12 <= len(plain) <= 19 and luhn.is_valid(plain))
    )


def broken(rng: Random, value: str) -> str:
    """Change one digit of ``value`` so that it is valid as none of the kinds that have a checksum."""
    places = [place for place, character in enumerate(value) if character.isdigit()]
    while True:
        place = rng.choice(places[1:])
        changed = value[:place] + rng.choice("0123456789") + value[place + 1 :]
        if not _valid_as_anything(changed):
            return changed


def order(rng: Random) -> tuple[str, str]:
    """Return a number of an order, a book, a file or a date, valid as nothing else, and what it may be taken for."""
    while _valid_as_anything((found := _numbered(rng))[0]):
        pass
    return found


def _numbered(rng: Random) -> tuple[str, str]:
    digits = f"{rng.randrange(10**7, 10**8)}"
    return rng.choice(
        [
            (f"{rng.randint(2019, 2026)}-{digits[:7]}", "PHONE"),
            (f"{digits[:3]}-{digits[3:]}-{rng.randrange(10**6):06}", "CARD"),
            (f"EU{digits}", "IBAN"),
            (f"ISBN 978-3-{digits[:2]}-{digits[2:]}-{digits[:1]}", "PHONE"),
            (f"#{digits}", "NL_BSN"),
            (f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}.{rng.randint(1990, 2026)}/{digits[:4]}", "PHONE"),
            (f"RE/{digits[:2]}.{digits[2:5]}.{digits[5:]}-{rng.choice('KQW')}", "ES_NIF"),
        ]
    )


def version(rng: Random) -> tuple[str, str]:
    """Return a version number; one in ten cannot be told from an IPv4 address by its form."""
    if rng.random() < 0.1:
        return f"{rng.randint(1, 12)}.{rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 99)}", "IP"
    return rng.choice(
        [
            f"{rng.randint(1, 12)}.{rng.randint(0, 20)}.{rng.randint(0, 40)}",
            f"v{rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}-rc{rng.randint(1, 4)}",
            f"10.0.{rng.randint(10240, 26100)}.{rng.randint(256, 5000)}",
            f"20{rng.randint(18, 26)}.{rng.randint(1, 12):02}.{rng.randint(300, 999)}.{rng.randint(0, 9)}",
        ]
    ), "IP"


def broken_kind(rng: Random, language: str) -> tuple[str, str]:
    """Return a number with broken check digits and its kind."""
    kind = rng.choice(("IBAN", "CARD", "NATIONAL"))
    if kind == "NATIONAL":
        kind = rng.choice(national.AT_HOME.get(language, tuple(national.MAKERS)))
        return broken(rng, national.MAKERS[kind](rng)), kind
    return broken(rng, contacts.MAKERS[kind](rng, language)), kind
