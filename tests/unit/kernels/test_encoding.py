# ruff: noqa: RUF001 - broken text is the subject
from __future__ import annotations

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from datalab.kernels.encoding import repair_mojibake, repaired


def broken(text, codec, times=1):
    """What UTF-8 becomes when it is read as ``codec``; the holes of cp1252 become C1 controls, as in browsers."""
    for _ in range(times):
        text = "".join(bytes([byte]).decode(codec) if _defined(byte, codec) else chr(byte) for byte in text.encode())
    return text


def _defined(byte, codec):
    try:
        bytes([byte]).decode(codec)
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "text", ["café", "Straße", "São Paulo", "Łódź", "Škoda Žilina", "€ 5 – it’s “fine”", "İstanbul", "Ελλάδα", "Привет"]
)
def test_utf8_read_as_cp1252(text, times):
    assert repaired(broken(text, "cp1252", times)) == text


@pytest.mark.parametrize(
    ("text", "codec"), [("škodá", "cp1250"), ("São José", "cp1250"), ("Привет, България", "cp1251"), ("café", "latin-1")]
)
def test_other_encodings(text, codec):
    assert repaired(broken(text, codec)) == text


@pytest.mark.parametrize(
    "text",
    [
        "NÃO",
        "SPÓŁKA KOMANDYTOWA PÓŁNOCNA SPÓŁKA",
        "„TANZ IN DER HÖ“",
        "“MAÇÃ”",
        "«IRMû",
        "ESPAÑ‚A",
        "MÂ»",
        "Å\u00a0gå",
        "Ã?",
        "Рівне, Сімферополь",
        "ÎLE",
        "À éviter",
        "ŠKODA Ž",
        "FRANÇAIS",
        "PŘÍLIŠ ŽLUŤOUČKÝ KŮŇ",
        "ΑΘΗΝΑ",
        "5 °C ± 2 µm",
        "",
    ],
)
def test_what_is_not_certain_stays(text):
    assert repaired(text) == text


languages = ["àâæçéèêëîïôœùûüÿ", "äöüßÄÖÜ", "áéíñóúü", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "ăâîșț", "æøåÆØÅ", "āčēģīķļņšūž"]
sentences = st.sampled_from(languages).flatmap(
    lambda letters: st.text(st.sampled_from(letters + "abc EN"), min_size=1, max_size=12)
)


@given(sentences)
def test_good_text_of_european_languages_is_never_touched(text):
    assert repaired(text) == text


@given(sentences)
def test_broken_text_of_european_languages_comes_back_or_stays(text):
    harmed = broken(text, "cp1252")
    assume(harmed != text)
    assert repaired(harmed) in {text, harmed}


def test_columns_are_counted():
    found, fixed, left = repair_mojibake(pl.Series("t", ["Ã©", None, "ok", "Ã©", "Ã?", "\ufffd"]))
    assert found.to_list() == ["é", None, "ok", "é", "Ã?", "\ufffd"]
    assert (fixed, left, found.name) == (2, 1, "t")
