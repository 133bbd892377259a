"""What is found in single sentences: each line is an example to read."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from string import ascii_uppercase

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stdnum import numdb
from stdnum.be import nn

from datalab.services.scrubbing import ALL, scan
from datalab.services.scrubbing.catalogue import KNOWN, NUMBERS, PHONE, REGIONS, proof
from datalab.services.scrubbing.detect import find
from datalab.services.scrubbing.phones import VALID, international, national

NIR = "1 85 05 78 006 084 91"


def found(text: str, *, language: str | None = None, entities=KNOWN) -> list[tuple[str, str]]:
    column, spans, _ = find(pl.Series([text]), entities=entities, language=language)
    return [(span.kind, column.text(span.start, span.end)) for span in spans]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Write to john.doe+x@mail.example.com.", "email", "john.doe+x@mail.example.com"),
        ("'müller@exämple.de',", "email", "müller@exämple.de"),
        ("δοκιμή@παράδειγμα.ελ", "email", "δοκιμή@παράδειγμα.ελ"),
        ("see (https://example.org/a?b=c).", "url", "https://example.org/a?b=c"),
        ("www.example.org, soon", "url", "www.example.org"),
        ("DE89370400440532013000", "iban", "DE89370400440532013000"),
        ("to gb82 west 1234 5698 7654 32 and", "iban", "gb82 west 1234 5698 7654 32"),
        (
            "FR14\u202f2004\u202f1010\u202f0505\u202f0001\u202f3M02\u202f606 !",
            "iban",
            "FR14\u202f2004\u202f1010\u202f0505\u202f0001\u202f3M02\u202f606",
        ),
        ("MT84MALT011000012345MTLCAST001S", "iban", "MT84MALT011000012345MTLCAST001S"),
        ("4111 1111 1111 1111 12/27", "card", "4111 1111 1111 1111"),
        ("(378282246310005)", "card", "378282246310005"),
        ("10.0.0.1:8080", "ip", "10.0.0.1"),
        ("<td>10.0.0.1</td>", "ip", "10.0.0.1"),
        ("host=10.0.0.1&x", "ip", "10.0.0.1"),
        ("at 2001:db8::ff00:42:8329.", "ip", "2001:db8::ff00:42:8329"),
        ("fe80::1%eth0", "ip", "fe80::1"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "ip", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
        ("born on 12 March 1985 in Graz", "date-of-birth", "12 March 1985"),
        ("Geburtsdatum: 1.5.85", "date-of-birth", "1.5.85"),
        ("Max Muster (* 12. März 1985)", "date-of-birth", "12. März 1985"),
        ('{"birthDate": "1985-03-12"}', "date-of-birth", "1985-03-12"),
        ("date of birth March 12th, 1985", "date-of-birth", "March 12th, 1985"),
        (f"NIR {NIR}", "fr-nir", NIR),
        ("DNI 12.345.678-Z", "es-nif", "12.345.678-Z"),
        ("X-1234567-L", "es-nie", "X-1234567-L"),
        ("RSSMRA85T10A562S", "it-fiscal-code", "RSSMRA85T10A562S"),
        ("44051401359", "pl-pesel", "44051401359"),
        ("36 574 261 809", "de-tax-id", "36 574 261 809"),
        ("85.07.30-033.28", "be-national-number", "85.07.30-033.28"),
        ("BSN: 111222333", "nl-bsn", "111222333"),
        ("NHS number 943 476 5919", "uk-nhs", "943 476 5919"),
        ("+33 (0)6 12 34 56 78", "phone", "+33 (0)6 12 34 56 78"),
        ("(0118) 4960046", "phone", "(0118) 4960046"),
        (r"a\n0612345678\nb", "phone", "0612345678"),
        ("+(370) 65896935", "phone", "+(370) 65896935"),
        ("(351) 919825979", "phone", "(351) 919825979"),
        ("883-237-8876x232", "phone", "883-237-8876x232"),
        ("０６１２３４５６７８", "phone", "０６１２３４５６７８"),  # noqa: RUF001
    ],
)
def test_found_with_its_exact_bounds(text, kind, value):
    assert (kind, value) in found(text)
    assert (kind, value) in found(f"préambule 😀 {text}\nsuite")


@pytest.mark.parametrize(
    "text",
    [
        "order no. 0612345678",
        "version 1.2.3.4, section 12.3.4.5",
        "2024-05-13 12:30:45 and 13/05/2024",
        "ISBN 978-3-16-148410-0",
        "550e8400-e29b-41d4-a716-446655440000",
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "1,234,567.89 EUR, 1.234.567,89 and 12 345 678 people",
        "std::vector fe::add 12:30:45 00:1B:44:11:3A:B7",
        "LEI 5493001KJTIIGC8Y1R12",
        "999.1.1.1 and 1.2.3.4.5",
        "48.856613, 2.352222",
        "1716200000123",
        "0.10.2 (2019-02-11)",
        "0.0.6 (2016-11-19)",
        "typing-extensions>=3.10.0.0",
        "Name: Click",
        "it depends on 1::",
        "| 15327/15327 [01:00<00:00, 250.12it/s]",
        "A4111111111111111B",
        "111222333 and 943 476 5919",
        "the 2023-01-02 release was born of need",
        "me@home and a@b",
        "AT12 reports by our TEAM",
        "LV 26 this is a text for us a b c",
        "MT 12 what 12345 a word or two or more is",
        "about 12 345 678 z nich",
        "con tro lmapn alla a 12345",
        "Firefox mobile 128.0.6613.120",
    ],
)
def test_hard_negatives(text):
    assert found(text) == []


def test_weak_numbers_need_their_language_or_a_word():
    assert found("111222333", language="nl") == [("nl-bsn", "111222333")]
    assert found("111222333", language="fr") == []
    assert found("burgerservicenummer 111222333", language="fr") == [("nl-bsn", "111222333")]


@pytest.mark.parametrize("language", [None, "bg", "fr", "en"])
@pytest.mark.parametrize(
    ("label", "value", "kind"),
    [
        ("Личен номер (codice fiscale): ", "RSS MRA 85T10 A562 S", "it-fiscal-code"),
        ("C.F. ", "RSSM RA85 T10A 562S", "it-fiscal-code"),
        ("Personal number (NIR): ", "2 95 10 99 126 111 93", "fr-nir"),
        ("NIR ", "2.95.10.99.126.111.93", "fr-nir"),
        ("my PESEL is ", "44 05 14 01359", "pl-pesel"),
        ("PESEL: ", "440 514 013 59", "pl-pesel"),
        ("Steuer-ID ", "365 7426 1809", "de-tax-id"),
        ("BSN: ", "11.12.22.333", "nl-bsn"),
        ("D.N.I. ", "12 345 678 z", "es-nif"),
        ("NIE: ", "X 12 34 567-L", "es-nie"),
    ],
)
def test_the_name_of_a_national_number_counts_in_every_language_and_for_every_grouping(label, value, kind, language):
    assert found(f"{label}{value}.", language=language) == [(kind, value)]
    assert (kind, value) in found(f"{label}{value} 27 items", language=language)


@pytest.mark.parametrize(
    "value",
    [
        "LV80 BANK 0000 4351 9500 1",
        "LV97HABAXXYYZZXYZXYZX",
        "ro49 aaaa 1b31 0075 9384 0000",
        "RO09 BCYPABCDEFGHIJKLMNOP",
        "MT84-MALT-0110-0001-2345-MTLC-AST0-01S",
        "NO93 8601 1117 947",
        "SC18 SSCB 1101 0000 0000 0000 1497 USD",
    ],
)
def test_an_account_of_any_country_in_any_grouping(value):
    assert found(f"na konto {value}.")[0][1] == value


def iban_of(country: str, structure: str) -> str:
    body = "".join(
        {"n": "7", "a": "Q", "c": "B"}[kind] * int(size) for size, kind in re.findall(r"([0-9]+)!([nac])", structure)
    )
    check = 98 - int("".join(str(int(char, 36)) for char in f"{body}{country}00")) % 97
    return f"{country}{check:02d}{body}"


def test_every_country_of_the_registry():
    registry = numdb.get("iban")
    countries = {a + b: registry.info(a + b)[0][1] for a in ascii_uppercase for b in ascii_uppercase}
    countries = {country: told["bban"] for country, told in countries.items() if "bban" in told}
    assert len(countries) > 80

    for country, structure in countries.items():
        plain = iban_of(country, structure)
        fours = " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))
        for value in (plain, fours, fours.replace(" ", "-"), fours.replace(" ", "\u00a0"), f"{plain[:4]} {plain[4:]}"):
            assert found(f"text {value}. Text", entities=("iban",)) == [("iban", value)]


@pytest.mark.parametrize("after", [" %(num)d days", " %s TB", " %d", " {count}", " $name", " ${name}", ".", " km", "%(x)s"])
def test_what_follows_a_phone_number_does_not_hide_it(after):
    assert found(f"+420 601 880 459{after}", language="cs")[0] == ("phone", "+420 601 880 459")


@pytest.mark.parametrize("after", ["%", " %", " % of", " €", " EUR", " km", " people", "$"])
def test_an_amount_is_no_phone_number(after):
    assert found(f"612 34 56 78{after} more", language="es") == []


def test_numbers_dialled_at_home_belong_to_the_language():
    assert found("612 34 56 78", language="es") == [("phone", "612 34 56 78")]
    assert found("612 34 56 78", language="de") == []
    assert found("tel. 612 34 56 78") == [("phone", "612 34 56 78")]


def test_a_list_of_numbers_is_taken_apart():
    assert found("06 12 34 56 78 / 01 23 45 67 89 01 44 55 66 77") == [
        ("phone", "06 12 34 56 78"),
        ("phone", "01 23 45 67 89"),
        ("phone", "01 44 55 66 77"),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("DE89370400440532013001", "iban-like"),
        ("4111 1111 1111 1112", "card-like"),
        ("PESEL 44051401358", "pl-pesel-like"),
        ("RSSMRA85T10A562T", "it-fiscal-code-like"),
    ],
)
def test_a_mistyped_number_is_reported_as_a_look_alike(text, kind):
    assert [name for name, _ in found(text)] == [kind]
    assert scan(pl.Series([text])) == {kind: 1}
    assert scan(pl.Series([text]), look_alikes=False) == {}


def test_names_after_titles():
    assert found("Dr. Anna-Lena Müller's file; Patient: Jan van Dijk came, Frau Schmidt left") == [
        ("name", "Anna-Lena Müller"),
        ("name", "Jan van Dijk"),
        ("name", "Schmidt"),
    ]
    assert found("Patient safety matters. The Dr was late. Drive on, Mrs.") == []


def test_only_what_is_asked_for():
    text = "a@b.org 4111111111111111 0612345678"

    assert [kind for kind, _ in found(text, entities=("card",))] == ["card"]
    assert found("https://example.org", entities=ALL) == []


def test_scan_counts_over_a_column():
    texts = pl.Series("t", ["a@b.org c@d.org", None, "", "10.0.0.1", "nothing"])

    assert scan(texts) == {"email": 2, "ip": 1}
    assert scan(texts.head(0)) == {}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.entity)
def test_every_national_number_is_found_with_its_own_words(number):
    digits = {"fr.nir": "295109912611193", "pl.pesel": "44051401359", "de.idnr": "36574261809", "be.nn": "85073003328"}
    digits |= {"nl.bsn": "111222333", "gb.nhs": "9434765919"}
    plain = digits[number.proof]
    assert proof(number.proof)(plain)
    for shape in number.shapes:
        at, parts = 0, []
        for size in shape:
            parts.append(plain[at : at + size])
            at += size
        for word in number.words.split("|"):
            assert found(f"{word}: {' '.join(parts)}.")[-1:] == [(number.entity, " ".join(parts))]


@given(
    st.sampled_from(["GB", "FR", "DE", "IT", "ES", "PL", "NL", "BE", "AT", "PT", "SE", "FI", "RO", "CZ", "HU"]),
    st.sampled_from(("FIXED_LINE", "MOBILE")),
)
def test_our_numbering_plans_agree_with_phonenumbers(region, kind):
    import phonenumbers

    number = phonenumbers.example_number_for_type(region, getattr(phonenumbers.PhoneNumberType, kind))
    assert number is not None
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    assert international(digits) == VALID
    assert found(f"+{digits}", entities=(PHONE,)) == [("phone", f"+{digits}")]


@given(st.text("0123456789", min_size=8, max_size=11), st.sampled_from(("es", "pl", "pt", "hr", "sv")))
def test_numbers_valid_at_home_are_those_of_phonenumbers(digits, language):
    import phonenumbers

    region = REGIONS[language][0]
    digits = digits if language in ("es", "pl", "pt") else "0" + digits.lstrip("0")
    parsed = phonenumbers.parse(digits.replace("00", "10").ljust(8, "1"), region)
    theirs = phonenumbers.is_valid_number_for_region(parsed, region)

    if theirs and str(parsed.national_number) == digits.lstrip("0"):
        assert national(digits, language) == VALID


def test_the_belgian_number_of_a_child_of_this_century():
    assert nn.is_valid("17073003384")
    assert found("17.07.30-033.84") == [("be-national-number", "17.07.30-033.84")]


PIECES = st.sampled_from(
    [
        "a@b.org",
        "4111 1111 1111 1111",
        "06 12 34 56 78",
        "+44 20 7946 0958",
        "DE89 3704 0044 0532 0130 00",
        "10.0.0.1",
        "2001:db8::1",
        "born 1.2.1980",
        "Dr. Ann Lee",
        "12345678Z",
        "order 12345678901",
        "é€😀",
        "\\n",
        "\n",
        "/",
        "-",
        "(",
        "+",
        "12",
        "1",
        "X",
        "\u202f",
    ]
)
TEXTS = st.lists(
    st.lists(PIECES | st.text(max_size=6), max_size=8).flatmap(lambda p: st.sampled_from(["".join(p), " ".join(p)])), max_size=5
)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_spans_lie_in_rows_on_character_boundaries_and_apart(texts):
    column, spans, _ = find(pl.Series("t", texts, dtype=pl.String), entities=KNOWN)

    assert all(one.end <= other.start for one, other in pairwise(spans))
    for span in spans:
        row = int(column.rows(column.offsets[:1] + span.start)[0])
        assert span.start < span.end <= column.offsets[row + 1] - 1
        assert column.text(span.start, span.end)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
@example(["06 12 34 56 78", "06 12 34 56 78"])
@example(["version", "10.0.0.1", "1<", "10.0.0.1", "order", "0612345678", "12", "0612345678", "born", "1.2.1980"])
def test_how_rows_are_cut_into_batches_does_not_matter(texts):
    together = [span.kind for span in find(pl.Series("t", texts, dtype=pl.String), entities=KNOWN).spans]

    assert together == [kind for text in texts for kind, _ in found(text)]


def test_one_row_longer_than_a_block():
    text = "word " * 1_000_000 + "a@b.org " + "word " * 1000
    column, spans, _ = find(pl.Series([text, "c@d.org"]), entities=KNOWN)

    assert [column.text(span.start, span.end) for span in spans] == ["a@b.org", "c@d.org"]


@pytest.mark.parametrize(
    "hostile",
    [
        "1" * 200_000,
        "1 " * 100_000,
        "1.1" * 60_000,
        "@" * 100_000,
        "a@" * 60_000,
        "a." * 60_000 + "@" + "a." * 60_000,
        ":" * 100_000,
        "a:" * 60_000,
        "(" * 100_000 + "1" * 10,
        "+ " * 60_000 + "1",
        "DE89 " * 30_000,
        "Dr. " * 30_000,
        "Dr. A " * 20_000,
        "Mr " + "A" * 100_000,
        "born " * 20_000 + "1.2.1980",
        "\\" * 100_000,
        "0" * 9 + "-" * 100_000,
        "https://" * 12_000,
        "\u202f1" * 40_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_text_takes_linear_time(hostile):
    began = time.process_time()
    find(pl.Series([hostile]), entities=KNOWN)

    assert time.process_time() - began < 5
