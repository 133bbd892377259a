"""A small data space of our own and labs beside it: visitors of a museum, every one of them invented.

The holder's terms forbid commercial use and demand that the data be anonymised. What a lab must never let out is in `VALUES`.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datalab import Pipeline, Purpose, Release, Source, Splits, clean, scrub, standardise
from datalab.lab import Lab, open_lab
from datalab.model.settings import Settings, load_settings

RESEARCH = Purpose("https://w3id.org/dpv#ScientificResearch", "Learn when a museum is full")
COMMERCIAL = Purpose("https://w3id.org/dpv#CommercialPurpose", "Sell it", commercial=True)
APPROVER = "Ada Example, compliance officer"
ROWS = 600
EMPTY, DOUBLED, CLASHING, BROKEN = 4, 6, 5, 2
"""Rows without id, rows that repeat an id, rows whose age is no number, lines that are no record."""

_TERMS = {
    "permission": [{"action": "use"}],
    "prohibition": [
        {
            "action": "use",
            "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": "dpv:CommercialPurpose"}],
        }
    ],
}
_ANONYMISE = {**_TERMS, "obligation": [{"action": "http://www.w3.org/ns/odrl/2/anonymize"}]}
_HOLDING = """
id = "{id}"
title = "{title}"
description = "Who came when; every person is invented"
holder = "Museum of Inventions"
licence = "CC0-1.0"
keywords = ["museum"]
languages = ["en"]
personal_data = {personal}
[[distribution]]
id = "csv"
file = "visitors.csv"
format = "csv"
media_type = "text/csv"
"""
_CITIES = ("Bonn", "Gent", "Riga", "Vilnius")


def visitors(rows: int = ROWS) -> tuple[str, list[str]]:
    """Return a CSV text with all its faults, and the personal values in it."""
    drawn = random.Random(7)
    values: list[str] = []
    lines: list[list[Any]] = []
    for number in range(rows):
        token = "".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=9))
        name, email = f"Zz{token} Qy{token[::-1]}", f"{token}@visitors.example"
        values += [name, email]
        identifier: Any = "" if number < EMPTY else min(number, EMPTY) if number <= EMPTY + DOUBLED else number
        age = f"{token[:5]} years" if rows - CLASHING <= number else drawn.randrange(6, 90)
        lines.append([identifier, name, email, age, _CITIES[number % 4], drawn.randrange(9, 18), f"Please write to {email}."])
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["Id", "Name", "E-Mail", "Age", "City", "Hour", "Note"])
    writer.writerows(lines)
    stream.write("".join(f"{rows + n},a,record,with,far,too,many,fields,{n}\n" for n in range(BROKEN)))
    return stream.getvalue(), values


TEXT, VALUES = visitors()


def write_holdings(folder: Path) -> None:
    """Write two holdings: ``visitors`` (personal data, to be anonymised) and ``counts`` (the same, said to be not personal)."""
    for identifier, personal, terms in (("visitors", "true", _ANONYMISE), ("counts", "false", _TERMS)):
        place = folder / identifier
        place.mkdir(parents=True)
        (place / "holding.toml").write_text(_HOLDING.format(id=identifier, title=identifier.title(), personal=personal))
        (place / "policy.json").write_text(json.dumps(terms))
        (place / "visitors.csv").write_text(TEXT)


STEPS = (
    standardise.ColumnNames(rename={"E-Mail": "email"}),
    clean.Required("id"),
    standardise.Types({"age": "integer", "hour": "integer"}),
    clean.DuplicatesByKey("id"),
    scrub.Columns({"name": "drop", "email": scrub.Pseudonym("email")}, why="nobody needs to be known by name"),
    scrub.Text("note"),
)


def pipeline(**changes: Any) -> Pipeline:
    """Return the pipeline of the visitors, with changes."""
    made = Pipeline(
        name="visitors",
        title="Visitors of a museum",
        owner="steward@datalab.example",
        purpose=RESEARCH,
        legal_basis="eu-gdpr:A6-1-e",
        source=Source(dataset="space:visitors"),
        steps=STEPS,
        splits=Splits(shares={"train": 0.75, "test": 0.25}, together="id"),
        release=Release(licence="CC0-1.0", description="Visits by hour", rows_per_shard=200),
        quarantine_limit=0.05,
        part_rows=128,
    )
    return dataclasses.replace(made, **changes)


def write_lab(root: Path, url: str, **lab: str) -> Settings:
    """Write the folder of a lab whose data space is at ``url``; return its settings."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pipelines").mkdir(exist_ok=True)
    (root / "expectations").mkdir(exist_ok=True)
    (root / "key").write_text("0123456789abcdef" * 2)
    own = "".join(f'{key} = "{value}"\n' for key, value in lab.items())
    (root / "datalab.toml").write_text(
        f'[lab]\nname = "Test Lab"\nterritory = "LU"\nactor = "Sam Steward"\n{own}'
        "[engine]\nworkers = 1\n"
        f'[connectors.space]\nkind = "sandbox"\nurl = "{url}"\n'
        '[secrets]\npseudonyms = "file:key"\n'
    )
    return load_settings(root / "datalab.toml")


def write_suite(root: Path, name: str, *expectations: tuple[str, dict[str, Any], str]) -> None:
    """Write an expectation suite: (type, parameters, severity) each."""
    body = {"name": name, "expectations": [{"type": t, "kwargs": k, "severity": s} for t, k, s in expectations], "meta": {}}
    (root / "expectations" / f"{name}.json").write_text(json.dumps(body))


def opened(root: Path, url: str, **settings: str) -> Lab:
    """Return a new lab, opened."""
    return open_lab(write_lab(root, url, **settings))


def written_by(home: Path) -> Iterator[Path]:
    """Yield what people other than the lab's own staff may see or what outlives a run: ledger, receipts, cards, reports, agreements."""
    folders = ("ledger.sqlite", "ledger.sqlite-wal", "connectors", "candidates", "releases", "evidence")
    for name in folders:
        place = home / name
        yield from (path for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file())
    yield from (home / "runs").rglob("receipts/**/*.json")
    yield from (home / "runs").rglob("*.json")
