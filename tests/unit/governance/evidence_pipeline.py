"""The pipeline, the terms and the account of the run that the evidence tests tell of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from datalab.model.pipeline import Pipeline, Purpose, Release, Source, Splits
from datalab.model.policy import Constraint, Duty, Policy, Rule
from datalab.model.receipt import Rows
from datalab.model.step import MapStep, Service

PURPOSE = "https://w3id.org/dpv#ScientificResearch"
SECRET = "erika.mustermann@example.org"
"""A value of the source that must not be found in anything that is written."""


@dataclass(frozen=True, slots=True)
class Text(MapStep):
    """One Unicode form."""

    service: ClassVar[Service] = Service.STANDARDISATION
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Types(MapStep):
    """Typed columns."""

    service: ClassVar[Service] = Service.STANDARDISATION
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Required(MapStep):
    """No blanks."""

    service: ClassVar[Service] = Service.CLEANING
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExactDuplicates(MapStep):
    """One of equal rows."""

    service: ClassVar[Service] = Service.CLEANING
    columns: tuple[str, ...]


class Scrubbing:
    """Room for a step of the same name in another service."""

    @dataclass(frozen=True, slots=True)
    class Text(MapStep):
        """Personal data out of texts."""

        service: ClassVar[Service] = Service.SCRUBBING
        column: str
        action: str = "redact"


@dataclass(frozen=True, slots=True)
class CountryFacts(MapStep):
    """Facts about a country."""

    service: ClassVar[Service] = Service.ENRICHMENT
    column: str


STEPS = (
    Text(("message", "name"), why="no-break spaces and combining letters make equal texts differ"),
    Types((("sent", "date"), ("rating", "int64"))),
    Required(("message",), why="a row without its message teaches nothing"),
    ExactDuplicates(("message", "country"), why="the same message was delivered through several channels"),
    Scrubbing.Text("message", why="people write their addresses and numbers into messages"),
    CountryFacts("country"),
)
PIPELINE = Pipeline(
    name="service-messages",
    title="Messages to a public service, in five languages",
    owner="message-steward@datalab.example",
    purpose=Purpose(PURPOSE, "Train and test models that route messages to the right office"),
    legal_basis="eu-gdpr:A6-1-e",
    source=Source(dataset="sandbox:service-messages", distribution="csv"),
    references={"countries": Source(dataset="files:countries", attestation="Published by the lab itself.")},
    steps=STEPS,
    splits=Splits(together=("country",)),
    expectations="service-messages",
    release=Release(
        licence="CC-BY-4.0",
        description="Short messages of citizens to a public service with language, date and rating; personal data is redacted.",
        creator="Data Lab Saarbrücken",
        keywords=("public administration", "multilingual", "text classification"),
        languages=("de", "fr", "pl", "fi", "el"),
        statements={
            "AIA-10-2d": "A row is one message as it was typed; the rating is the sender's own.",
            "AIA-10-2e": "Suited to routing and language tests; too small to train a model alone.",
        },
    ),
)
LABELS = PIPELINE.labels
ROWS = Rows(
    rows_in=3120,
    kept=2557,
    dropped={LABELS[2]: {"blank-message": 112}, LABELS[3]: {"exact-duplicate": 406}},
    quarantined={"00 intake": {"malformed-line": 5}, LABELS[1]: {"not-a-date": 37}, LABELS[4]: {"too-long": 3}},
)
SPLITS = {"train": 2045, "validation": 256, "test": 256}
COUNTRIES = ("DE", "FR", "PL", "FI", "GR")
_VERBATIM = json.dumps(
    {
        "@type": "Offer",
        "@id": "urn:uuid:0b6f0f7e-41a5-5f0f-9c55-2f1f4f0b2a02",
        "permission": [
            {"action": "use", "constraint": [{"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": [PURPOSE]}]}
        ],
        "obligation": [{"action": "anonymize"}],
    }
)
POLICY = Policy(
    id="urn:uuid:0b6f0f7e-41a5-5f0f-9c55-2f1f4f0b2a02",
    permissions=(Rule("use", (Constraint("purpose", "isAnyOf", (PURPOSE,)),)),),
    obligations=(Duty("anonymize"),),
    verbatim=_VERBATIM,
)
OPEN = Policy(
    id="urn:uuid:open",
    permissions=(Rule("use"), Rule("distribute")),
    verbatim='{"@type":"Offer","permission":[{"action":"use"}]}',
)
