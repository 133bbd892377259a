from __future__ import annotations

import struct
import unicodedata
import zipfile
from random import Random

import pytest

from benchmarks.corpus import faults
from benchmarks.corpus.build import documents, planted
from benchmarks.corpus.messages import SOURCES, catalogue, messages


def mo(*pairs: tuple[str, str]) -> bytes:
    """Return a GNU .mo file, little-endian, without a hash table."""
    originals, translations, data = b"", b"", b""
    start = 28 + 16 * len(pairs)
    for original, translation in pairs:
        for text, table in ((original, 0), (translation, 1)):
            entry = struct.pack("<2I", len(text.encode()), start + len(data))
            data += text.encode() + b"\0"
            originals, translations = (originals + entry, translations) if table == 0 else (originals, translations + entry)
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + originals + translations + data


def test_a_catalogue_yields_each_translation_and_no_header():
    data = mo(("", "Language: de\n"), ("verb\x04Open\0Open all", "Öffnen\0Alle öffnen"))
    assert list(catalogue(data)) == [("Open", "Öffnen"), ("Open", "Alle öffnen")]


def test_messages_are_taken_once_and_only_in_the_languages_of_the_union(tmp_path):
    wheel = tmp_path / "shop-1.0-py3-none-any.whl"
    long = "Please pay before the first of May"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in (
            ("de", "Bitte zahlen Sie vor dem 1. Mai"),
            ("de_AT", "Bitte zahlen Sie vor dem 1. Mai"),
            ("ja", "x" * 30),
        ):
            archive.writestr(f"shop/locale/{name}/LC_MESSAGES/django.mo", mo((long, text), ("Pay", "Zahlen")))
    found = messages([wheel])
    assert found["de"] == [("shop", "Bitte zahlen Sie vor dem 1. Mai")]
    assert found["en"] == [("shop", long)]
    assert "ja" not in found


def test_every_source_is_pinned_by_its_hash():
    entries = SOURCES.read_text(encoding="utf-8").split("\n\n")[0]
    assert entries.count("==") == entries.count("--hash=sha256:") == 11


def test_documents_are_the_same_each_time_and_hold_one_language():
    texts = {"de": [("a", f"Satz Nummer {n} in einem Katalog.") for n in range(400)], "fr": [("b", "Une phrase assez longue.")]}
    once = list(documents(texts))
    assert once == list(documents(texts))
    assert {row["language"] for row in once} == {"de", "fr"}
    whole = [len(row["text"].encode()) for row in once if row["language"] == "de"]
    assert max(whole) < 4_100


def test_what_is_planted_stands_in_the_truth():
    rows, truth = planted(
        {"id": str(n), "text": " ".join(f"word{n}-{k}" for k in range(200)), "url": "", "language": "de", "package": "p"}
        for n in range(400)
    )
    kinds = [one["kind"] for one in truth]
    assert (kinds.count("EXACT"), kinds.count("NEAR")) == (20, 20)
    assert len(rows) == 440
    texts = {row["id"]: row["text"] for row in rows}
    repeated = [one for one in truth if one["kind"] == "EXACT"]
    assert all(texts[one["id"]] == texts[one["value"]] for one in repeated)
    addresses = [one for one in truth if one["kind"] in {"EMAIL", "IBAN"}]
    assert addresses
    assert all(one["value"] in texts[one["id"]] for one in addresses)


@pytest.mark.parametrize("seed", range(20))
def test_dirt_leaves_the_words_as_they_are(seed):
    text = "Größe und Maß\nder Läden und Cafés"
    found = unicodedata.normalize("NFC", faults.dirty(Random(seed), text))
    cleaned = "".join(char for char in found if char not in "\ufeff\u200b\x0b")
    assert cleaned.split() == text.split()


def test_an_invented_iban_has_right_check_digits():
    ibans = [value for kind, value in (faults.personal(Random(seed)) for seed in range(60)) if kind == "IBAN"]
    assert ibans
    assert all(int(iban[4:] + "1314" + iban[2:4]) % 97 == 1 for iban in ibans)
