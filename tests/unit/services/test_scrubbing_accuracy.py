"""How much is found and how much is wrongly found, on values whose formats Faker's locale providers chose, not we."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from functools import cache

import polars as pl
import pytest
from faker import Faker
from stdnum.de import idnr
from stdnum.gb import nhs

from datalab.services.scrubbing import ALL
from datalab.services.scrubbing.detect import find
from datalab.services.scrubbing.presidio import engine

LOCALES = {"en": "en_GB", "de": "de_DE", "fr": "fr_FR", "es": "es_ES", "it": "it_IT", "pl": "pl_PL", "nl": "nl_NL"}
CARRIERS = {
    "en": ("You can reach me at {}.", "Please use {} from now on,", "The form says {} and nothing else", "ok ({}) thanks"),
    "de": ("Meine Angaben: {}.", "Bitte verwenden Sie {} dafür;", "Im Formular steht {}, sonst nichts", "gut ({}) danke"),
    "fr": (
        "Voici mes données : {}.",
        "Merci d'utiliser {} désormais,",
        "Le formulaire indique {} sans plus",
        "bien ({}) merci",
    ),
    "es": ("Mis datos son {}.", "Utilice {} a partir de ahora,", "El formulario dice {} y nada más", "vale ({}) gracias"),
    "it": ("I miei dati: {}.", "Usi {} da adesso,", "Nel modulo c'è {} e basta", "bene ({}) grazie"),
    "pl": ("Moje dane: {}.", "Proszę używać {} od teraz,", "W formularzu jest {} i nic więcej", "dobrze ({}) dziękuję"),
    "nl": ("Mijn gegevens: {}.", "Gebruik voortaan {},", "Op het formulier staat {} en verder niets", "goed ({}) bedankt"),
}
BORN = {
    "en": "born on",
    "de": "geboren am",
    "fr": "née le",
    "es": "nacido el",
    "it": "nata il",
    "pl": "urodzona",
    "nl": "geboren op",
}
WORD = {
    "phone": "Tel.",
    "uk-nhs": "NHS number",
    "nl-bsn": "BSN",
    "de-tax-id": "Steuer-ID",
    "pl-pesel": "PESEL",
    "be-national-number": "rijksregisternummer",
}
FILLERS = (
    "The meeting on 2024-05-13 at 12:30:45 lasted 3 hours.",
    "Total 1,234,567.89 EUR of 1.234.567,89 in 2023, 2024 and 2025.",
    "Fixed in commit 9fceb02d0ae598e95dc970b74767f19372d61af8, see section 12.3.4.5.",
    "Firefox 128.0.6613.120 and version 1.2.3.4 are affected.",
    "ISBN 978-3-16-148410-0, pages 123-145, DOI 10.1000/182.",
    "Population 612 345 678, growth 12.5 % since 1998.",
    "Logged at 1716200000123 ms with id 550e8400-e29b-41d4-a716-446655440000.",
    "Position 48.856613, 2.352222 and MAC 00:1B:44:11:3A:B7.",
    "std::vector<int> and use std::fmt; ratio 16:9.",
    "LEI 5493001KJTIIGC8Y1R12 was checked in Q3.",
    "Order number 48215739 shipped in 2 parcels.",
    "Room 12, floor 3, building 45-47, 10 000 people.",
)


@dataclass(frozen=True)
class Gold:
    row: int
    start: int
    end: int
    kind: str


def _grouped(number: str, sizes: tuple[int, ...], by: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return by.join(parts)


def _made_by_proof(rng: random.Random, length: int, check, first: str = "123456789") -> str:
    while True:
        number = rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(length - 1))
        if check(number):
            return number


def _tax_number(rng: random.Random) -> str:
    digits = rng.sample("123456789", 1) + rng.sample("0123456789", 9)
    digits[5] = digits[2]
    return next((n for n in ("".join(digits) + c for c in "0123456789") if idnr.is_valid(n)), "") or _tax_number(rng)


def value(kind: str, language: str, fake: Faker, rng: random.Random, *, labelled: bool) -> str:
    """Return one value of ``kind`` as somebody in a country of ``language`` writes it."""
    if kind == "email":
        return rng.choice((fake.email, fake.company_email, fake.safe_email))()
    if kind == "phone":
        number = fake.phone_number()
        return f"{WORD[kind]} {number}" if labelled else number
    if kind == "card":
        number = fake.credit_card_number()
        return _grouped(number, (4, 4, 4, 4), rng.choice(" -")) if len(number) == 16 and rng.random() < 0.5 else number
    if kind == "iban":
        plain = fake.iban()
        return plain if rng.random() < 0.5 else " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))
    if kind == "ip":
        return (
            fake.ipv4()
            if rng.random() < 0.6
            else rng.choice((fake.ipv6(), "2001:db8::ff00:42:8329", "fe80::1ff:fe23:4567:890a"))
        )
    if kind == "date-of-birth":
        day = fake.date_of_birth(minimum_age=18)
        return day.strftime(rng.choice(("%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d", "%d-%m-%Y", "%d %B %Y")))
    plain = {"es-nif": "nif", "es-nie": "nie", "it-fiscal-code": "ssn", "pl-pesel": "pesel", "nl-bsn": "ssn"}
    made = {
        "fr-nir": lambda: (
            fake.ssn() if rng.random() < 0.5 else _grouped(fake.ssn().replace(" ", ""), (1, 2, 2, 2, 3, 3, 2), " ")
        ),
        "be-national-number": lambda: _grouped(Faker("nl_BE").unique.ssn(), (2, 2, 2, 3, 2), rng.choice((" ", "."))),
        "de-tax-id": lambda: rng.choice((str, lambda n: _grouped(n, (2, 3, 3, 3), " ")))(_tax_number(rng)),
        "uk-nhs": lambda: rng.choice((str, lambda n: _grouped(n, (3, 3, 4), " ")))(
            _made_by_proof(rng, 10, nhs.is_valid, "4679")
        ),
    }
    number = getattr(fake, plain[kind])() if kind in plain else made[kind]()
    return f"{WORD[kind]} {number}" if labelled and kind in WORD else number


KINDS = {
    "en": ("uk-nhs",),
    "de": ("de-tax-id",),
    "fr": ("fr-nir",),
    "es": ("es-nif", "es-nie"),
    "it": ("it-fiscal-code",),
    "pl": ("pl-pesel",),
    "nl": ("nl-bsn", "be-national-number"),
}
COMMON = ("email", "phone", "card", "iban", "ip", "date-of-birth")


@cache
def corpus(rows: int, *, seed: int = 1, labelled: bool = False) -> tuple[pl.DataFrame, tuple[Gold, ...]]:
    """Return texts in seven languages and the places (bytes) of what was put into them."""
    rng = random.Random(seed)
    Faker.seed(seed)
    fakes = {language: Faker(locale) for language, locale in LOCALES.items()}
    texts, languages, gold = [], [], []
    for row in range(rows):
        language = rng.choice(tuple(LOCALES))
        text = ""
        for _ in range(rng.randint(2, 8)):
            if rng.random() < 0.7:
                filler = rng.choice(FILLERS) if rng.random() < 0.5 else fakes[language].sentence(12)
                text += filler + rng.choice((" ", "\n", "\\n"))
                continue
            kind = rng.choice(COMMON + KINDS[language])
            found = value(kind, language, fakes[language], rng, labelled=labelled)
            lead, tail = rng.choice(CARRIERS[language]).split("{}")
            if kind == "date-of-birth":
                lead += BORN[language] + " "
            elif kind in WORD and found.startswith(WORD[kind]):
                lead, found = lead + WORD[kind] + " ", found.removeprefix(WORD[kind] + " ")
            start = len((text + lead).encode())
            text += lead + found + tail + rng.choice((" ", "\n", "\\n"))
            gold.append(Gold(row, start, start + len(found.encode()), kind))
        texts.append(text)
        languages.append(language)
    return pl.DataFrame({"text": texts, "language": languages}), tuple(gold)


def detected(frame: pl.DataFrame, *, by_language: bool) -> list[Gold]:
    groups = [(None, frame.with_row_index("row"))]
    if by_language:
        groups = [(name[0], rows) for name, rows in frame.with_row_index("row").group_by("language", maintain_order=True)]
    found = []
    for language, rows in groups:
        column, spans, _ = find(rows["text"], entities=tuple(kind for kind in ALL if kind != "name"), language=language)
        numbers = rows["row"].to_list()
        for span in spans:
            place = int(column.offsets.searchsorted(span.start, side="right")) - 1
            base = int(column.offsets[place])
            found.append(Gold(numbers[place], span.start - base, span.end - base, span.kind))
    return found


def scores(gold: tuple[Gold, ...], found: list[Gold]) -> dict[str, tuple[float, float, int]]:
    """Return (precision, recall, gold spans) per kind and under "all"; a look-alike counts for neither."""
    truth: dict[int, list[Gold]] = {}
    for item in gold:
        truth.setdefault(item.row, []).append(item)
    made: dict[int, list[Gold]] = {}
    for item in found:
        made.setdefault(item.row, []).append(item)
    right, total, hit, want = Counter(), Counter(), Counter(), Counter()
    for item in found:
        if item.kind.endswith("-like"):
            continue
        good = any(g.kind == item.kind and overlap(g, item) >= 0.5 * (item.end - item.start) for g in truth.get(item.row, ()))
        for kind in (item.kind, "all"):
            total[kind] += 1
            right[kind] += good
    for item in gold:
        covered = any(f.kind == item.kind and overlap(f, item) >= 0.9 * (item.end - item.start) for f in made.get(item.row, ()))
        for kind in (item.kind, "all"):
            want[kind] += 1
            hit[kind] += covered
    return {
        kind: (right[kind] / max(total[kind], 1), hit[kind] / max(want[kind], 1), want[kind]) for kind in sorted(total | want)
    }


def overlap(one: Gold, other: Gold) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


@pytest.mark.parametrize(("by_language", "labelled"), [(True, False), (False, True)], ids=["language known", "word before it"])
def test_recall_and_precision_on_formats_of_others(by_language, labelled):
    frame, gold = corpus(1500, labelled=labelled)
    result = scores(gold, detected(frame, by_language=by_language))

    precision, recall, _ = result["all"]
    assert precision >= 0.97, result
    assert recall >= 0.98, result
    assert all(recall >= 0.95 for _, recall, count in result.values() if count >= 20), result


def test_what_presidio_finds_is_found():
    frame, gold = corpus(500, seed=2)
    ours = detected(frame, by_language=True)
    by_row: dict[int, list[Gold]] = {}
    for item in ours:
        by_row.setdefault(item.row, []).append(item)
    theirs = {"email": "EMAIL_ADDRESS", "iban": "IBAN_CODE", "card": "CREDIT_CARD", "ip": "IP_ADDRESS", "phone": "PHONE_NUMBER"}
    texts, languages = frame["text"].to_list(), frame["language"].to_list()
    missed, compared = [], 0
    for row, (text, language) in enumerate(zip(texts, languages, strict=True)):
        expected = [item for item in gold if item.row == row and item.kind in theirs]
        if not expected:
            continue
        results, in_time = engine(language).analyse(text, tuple(set(theirs.values()) & engine(language).entities), 0.0, 5)
        assert in_time
        for start, end, kind in results:
            place = Gold(row, len(text[:start].encode()), len(text[:end].encode()), kind)
            for item in expected:
                if theirs[item.kind] == kind and overlap(item, place) >= 0.9 * (item.end - item.start):
                    compared += 1
                    if not any(overlap(item, other) >= 0.9 * (item.end - item.start) for other in by_row.get(row, ())):
                        missed.append(item.kind)
    assert compared > 150
    assert missed == []
