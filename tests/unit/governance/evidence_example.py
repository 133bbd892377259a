"""A run that could have been: three splits, drops, quarantine, scrubbing, a failed warning, an approval, in a real ledger."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import polars as pl
import pyarrow.parquet as pq

from datalab.governance.evidence import Evidence
from datalab.governance.ledger import Entry, SqliteLedger
from datalab.kernels.content import release_digest, schema_description, table_digest
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.canonical import describe, digest
from datalab.model.decision import Decision, Door
from datalab.model.manifest import Shard
from datalab.model.offer import Distribution, Offer
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


def write_data(folder: Path) -> tuple[tuple[Shard, ...], tuple[dict[str, object], ...]]:
    """Write the shards of the example; return them and their schema."""
    shards: list[Shard] = []
    start = 0
    for split, rows in SPLITS.items():
        for number, first in enumerate(range(0, rows, 1500)):
            count = min(1500, rows - first)
            place = pl.int_range(start + first, start + first + count, dtype=pl.Int64, eager=True)
            frame = pl.DataFrame(
                {
                    "message": "Message " + place.cast(pl.String) + ": please write to [EMAIL]",
                    "country": pl.Series(COUNTRIES).gather(place % 5).scatter((place % 97 == 0).arg_true(), None),
                    "sent": pl.Series([0], dtype=pl.Int32).cast(pl.Date).gather(place * 0).dt.offset_by("20000d"),
                    "rating": (place % 5 + 1),
                    "words": place.cast(pl.String).str.split("").list.head(2),
                    "euro_area": place % 5 != 2,
                    "score": place / 7,
                }
            )
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            path = f"data/{split}/part-{number:05d}.parquet"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, folder / path, compression="zstd")
            content = (folder / path).read_bytes()
            shards.append(Shard(path, split, count, len(content), hashlib.sha256(content).hexdigest(), table_digest(table)))
            schema = tuple(schema_description(table.schema))
        start += rows
    return tuple(shards), schema


def example(
    folder: Path, ledger: SqliteLedger, *, approved: bool = True, synthetic: bool = False, passed: bool = True
) -> Evidence:
    """Write the example's data into ``folder`` and its events into ``ledger``; return the evidence of that run."""
    shards, schema = write_data(folder)
    content = release_digest(list(schema), [(shard.split, shard.rows, shard.content) for shard in shards])
    intent = Intent(PURPOSE, PIPELINE.purpose.text, PIPELINE.legal_basis, "DE")
    offers = (
        _offer(
            "sandbox",
            "service-messages",
            "Messages <to> a public service & its offices",
            "City of Saarbrücken",
            POLICY,
            personal=True,
        ),
        _offer("files", "countries", "Countries of the lab", "Data Lab Saarbrücken", OPEN, personal=False),
    )
    agreements = tuple(
        Agreement(
            id=f"urn:uuid:agreement-{place}",
            kind=kind,
            connector=offer.connector,
            dataset_id=offer.dataset_id,
            offer_id=offer.offer_id,
            provider=f"did:web:{offer.connector}.example",
            consumer="did:web:datalab.example",
            intent=intent,
            policy=offer.policy,
            agreed_at="2026-11-21T09:15:02.000Z",
            valid_until=until,
        )
        for place, (offer, kind, until) in enumerate(
            zip(offers, ("contract", "attestation"), ("2027-12-31T00:00:00Z", ""), strict=True)
        )
    )
    objects = tuple(
        SourceObject(
            place,
            name,
            Path("/secret/landing") / name,
            "csv",
            size,
            hashlib.sha256(name.encode()).hexdigest(),
            dataset,
            agreement,
            reference,
        )
        for place, (name, size, dataset, agreement, reference) in enumerate(
            [
                ("messages-2025.csv", 812_344, "service-messages", agreements[0].id, ""),
                ("messages-2026.csv", 341_020, "service-messages", agreements[0].id, ""),
                ("countries.csv", 9_871, "countries", agreements[1].id, "countries"),
            ]
        )
    )
    plan = digest({"example": content, "synthetic": synthetic, "passed": passed})[:32]
    rows = _synthetic_rows() if synthetic else ROWS
    events = list(ledger.append(_acquired(offers, agreements, objects)))
    events += ledger.append(_ran(plan, content, shards, rows, schema, passed=passed))
    evidence = Evidence(
        pipeline=PIPELINE,
        version="",
        digest=content,
        plan=plan,
        schema=schema,
        shards=shards,
        rows=rows,
        lineage=_lineage(),
        steps=tuple(
            {
                "label": label,
                "service": str(step.service),
                "name": step.name,
                "why": step.why,
                "parameters": {key: value for key, value in describe(step).items() if key not in {"type", "version", "why"}},
            }
            for label, step in zip(LABELS, STEPS, strict=True)
        ),
        offers=offers,
        agreements=agreements,
        objects=objects,
        events=tuple(events),
        checks={
            "success": False,
            "suite_name": "service-messages",
            "results": _gx_results(),
            "statistics": {"evaluated_expectations": 4},
        },
        terms=(
            "You may use the data, if the purpose is https://w3id.org/dpv#ScientificResearch.",
            "Duty: anonymise the data before it is passed on.",
        ),
        valid_until="2027-12-31T00:00:00Z",
        lab="Data Lab Saarbrücken",
        lab_id="did:web:datalab.example",
    )
    return approve(evidence, ledger) if approved else evidence


def approve(evidence: Evidence, ledger: SqliteLedger) -> Evidence:
    """Approve the candidate as version 3."""
    actor = "Maria Keller, compliance officer"
    decision = Decision(
        Door.RELEASE,
        True,
        evidence.digest,
        "DE",
        "",
        actor,
        ("Both policies permit the release in DE.",),
        tuple(a.policy.sha256 for a in evidence.agreements),
    )
    name = evidence.pipeline.name
    later = ledger.append(
        [
            Entry(
                "candidate.written",
                "engine",
                name,
                {
                    "digest": evidence.digest,
                    "plan": evidence.plan,
                    "shards": len(evidence.shards),
                    "rows": evidence.rows.kept,
                    "bytes": 1,
                    "files": 12,
                },
            ),
            Entry("decision.made", actor, name, {**decision.as_json(), "id": decision.id}),
            Entry(
                "release.approved",
                actor,
                f"{name}@3",
                {
                    "digest": evidence.digest,
                    "version": 3,
                    "note": "Looked at all 3 splits; fit for routing tests.",
                    "decision": decision.id,
                    "plan": evidence.plan,
                },
            ),
        ]
    )
    return replace(evidence, version="3", events=(*evidence.events, *later))


def _offer(connector: str, dataset: str, title: str, holder: str, policy: Policy, *, personal: bool) -> Offer:
    return Offer(
        connector=connector,
        dataset_id=dataset,
        offer_id=policy.id,
        title=title,
        description=f"{title}, as its holder describes it.",
        holder=holder,
        policy=policy,
        distributions=(Distribution("csv", "csv", "text/csv"),),
        licence="CC-BY-4.0",
        languages=("de", "fr"),
        columns=(("message", "the text"),),
        personal_data=personal,
        issued="2026-10-01",
    )


def _acquired(offers, agreements, objects):
    for offer, agreement in zip(offers, agreements, strict=True):
        subject = f"{offer.connector}:{offer.dataset_id}"
        decision = Decision(
            Door.ACQUIRE,
            True,
            subject,
            "DE",
            "",
            "message-steward",
            (f"The policy permits use for {PURPOSE}.",),
            (offer.policy.sha256,),
            ("anonymize",),
        )
        yield Entry(
            "offer.discovered",
            "message-steward",
            subject,
            {
                "title": offer.title,
                "holder": offer.holder,
                "licence": offer.licence,
                "offer": offer.offer_id,
                "personal_data": offer.personal_data,
                "distributions": 1,
                "policy_sha256": offer.policy.sha256,
            },
        )
        yield Entry("decision.made", "engine", subject, {**decision.as_json(), "id": decision.id})
        yield Entry(
            "agreement.concluded",
            "message-steward",
            agreement.id,
            {
                "kind": agreement.kind,
                "dataset": subject,
                "provider": agreement.provider,
                "consumer": agreement.consumer,
                "purpose": agreement.intent.purpose,
                "legal_basis": agreement.intent.legal_basis,
                "policy_sha256": agreement.policy.sha256,
                "agreed_at": agreement.agreed_at,
                "valid_until": agreement.valid_until,
            },
        )
        for item in objects:
            if item.agreement_id == agreement.id:
                yield Entry(
                    "object.landed",
                    "engine",
                    item.sha256,
                    {
                        "name": item.name,
                        "bytes": item.bytes,
                        "format": item.format,
                        "dataset": subject,
                        "agreement": agreement.id,
                    },
                )


def _ran(plan, content, shards, rows, schema, *, passed):
    yield Entry(
        "plan.made",
        "message-steward",
        plan,
        {
            "pipeline": PIPELINE.name,
            "title": PIPELINE.title,
            "fingerprint": PIPELINE.fingerprint,
            "sources": 2,
            "columns_in": 6,
            "columns_out": len(schema),
            "steps": len(STEPS),
            "stages": 4,
            "expectations": 4,
            "keys": {},
            "retention": "P180D",
        },
    )
    yield Entry("run.started", "message-steward", plan, {"pipeline": PIPELINE.name, "agreements": []})
    yield Entry("parts.done", "engine", plan, {"stage": 0, "parts": {"0": "a" * 64, "1": "b" * 64}, "attempts": {"1": 2}})
    stages = [
        ("intake", [], Rows(3120, 0, 3115, {}, {"00 intake": {"malformed-line": 5}}), {}),
        ("map", LABELS[:4], Rows(3115, 0, 2966, {LABELS[2]: {"blank-message": 112}}, {LABELS[1]: {"not-a-date": 37}}), {LABELS[0]: {"changed:message": 730, "changed:name": 12}}),
        ("settle", LABELS[3:6], Rows(2966, 0, 2557, {LABELS[3]: {"exact-duplicate": 406}}, {LABELS[4]: {"too-long": 3}}), {LABELS[4]: {"redact:email-address": 318, "redact:phone-number": 141, "pseudonymise:iban": 22, "left:email-address": 1}, LABELS[5]: {"matched": 2530, "unmatched": 27}}),
        ("shards", [], Rows(rows.kept, 0, rows.kept), {}),
    ]  # fmt: skip
    for number, (kind, steps, part, counts) in enumerate(stages):
        yield Entry(
            "stage.done",
            "engine",
            plan,
            {
                "stage": number,
                "kind": kind,
                "steps": list(steps),
                "tasks": 2,
                "rows": part.as_json(),
                "counts": {step: dict(names) for step, names in counts.items()},
            },
        )
    if rows.generated:
        yield Entry(
            "model.fitted",
            "engine",
            plan,
            {
                "total": rows.generated,
                "trained_on": 2045,
                "privacy": [
                    {
                        "name": "exact-copies",
                        "value": "0.00000",
                        "threshold": "0.00120",
                        "passed": True,
                        "meaning": "Share of synthetic rows equal to a learnt row that fewer than 10 share.",
                    },
                    {
                        "name": "membership-inference",
                        "value": "0.51200",
                        "threshold": "0.55000",
                        "passed": True,
                        "meaning": "How well an attacker tells learnt from unseen rows; 0.5 is guessing.",
                    },
                ],
                "quality": {"marginals": "0.97"},
                "details": {"engine": "bayesnet", "rows_learnt": 2045},
            },
        )
    yield Entry(
        "checks.evaluated", "engine", plan, {"suite": "service-messages", "rows": rows.kept, "results": _checks(rows.kept)}
    )
    yield Entry("profile.made", "engine", plan, _profile(rows.kept, schema))
    decision = Decision(
        Door.RELEASE,
        passed,
        content,
        "DE",
        "",
        "engine",
        (
            "Both policies permit the release in DE."
            if passed
            else "The policy demands anonymisation, and nothing was scrubbed.",
        ),
        (POLICY.sha256, OPEN.sha256),
    )
    yield Entry("decision.made", "engine", plan, {**decision.as_json(), "id": decision.id})
    yield Entry(
        "run.done",
        "engine",
        plan,
        {
            "rows": rows.as_json(),
            "totals": {
                "rows_in": rows.rows_in,
                "generated": rows.generated,
                "kept": rows.kept,
                "dropped": rows.rows_dropped,
                "quarantined": rows.rows_quarantined,
            },
            "splits": SPLITS,
            "shards": len(shards),
            "bytes": sum(shard.bytes for shard in shards),
            "checks": {"passed": 3, "failed": 1},
            "resumed_parts": 1,
            "peak_bytes": 181_000_000,
            "milliseconds": 8412,
        },
    )
    yield Entry("gate.decided", "engine", plan, {"passed": passed, "reasons": [] if passed else list(decision.reasons)})


def _checks(rows):
    def check(title, success, severity="critical", unexpected=None, missing=0, observed=""):
        return {
            "expectation": title,
            "severity": severity,
            "success": success,
            "element_count": rows if unexpected is not None else None,
            "unexpected_count": unexpected,
            "missing_count": missing if unexpected is not None else None,
            "observed": observed,
            "engine": "datalab",
        }

    return [
        check("expect_table_row_count_to_be_between", True, observed=str(rows)),
        check("expect_column_values_to_not_be_null(message)", True, unexpected=0),
        check("expect_column_values_to_be_between(rating)", True, unexpected=0, missing=0),
        check("expect_column_values_to_not_be_null(country)", False, "warning", unexpected=27),
    ]


def _gx_results():
    kwargs = (
        {"min_value": 2000, "max_value": 5000},
        {"column": "message"},
        {"column": "rating", "min_value": 1, "max_value": 5},
        {"column": "country"},
    )
    return [{"success": place < 3, "expectation_config": {"type": "…", "kwargs": given}} for place, given in enumerate(kwargs)]


def _profile(rows, schema):
    columns = {
        column["name"]: {"type": "String", "rows": rows, "nulls": 0, "categories": [], "suppressed": 0} for column in schema
    }
    columns["country"] |= {
        "nulls": 27,
        "categories": [["DE", 512], ["FR", 507], ["PL", 506], ["FI", 505], ["GR", 496]],
        "suppressed": 4,
    }
    columns["rating"] |= {"categories": [["5", 1022], ["4", 801], ["3", 420], ["1", 314]]}
    columns["message"] |= {"categories": [["MASKED-CATEGORY", 2557]]}
    columns["euro_area"] |= {"categories": [["true", 2051], ["false", 499]], "suppressed": 7}
    return {"rows": rows, "columns": columns}


def _lineage():
    def origin(column, inputs, steps, kind, *, masked=False, description=""):
        return {"column": column, "inputs": inputs, "steps": steps, "kind": kind, "masked": masked, "description": description}

    return (
        origin(
            "message",
            ["message"],
            [LABELS[0], LABELS[4]],
            "TRANSFORMATION",
            masked=True,
            description="one Unicode form; personal data redacted",
        ),
        origin("country", ["country"], [], "IDENTITY"),
        origin("sent", ["sent"], [LABELS[1]], "TRANSFORMATION", description="read as a date"),
        origin("rating", ["rating"], [LABELS[1]], "TRANSFORMATION", description="read as a whole number"),
        origin("words", ["message"], [LABELS[0], LABELS[4]], "TRANSFORMATION", masked=True),
        origin("euro_area", ["country"], [LABELS[5]], "JOIN", description="looked up by country"),
        origin("score", [], [LABELS[5]], "GENERATED"),
    )


def _synthetic_rows():
    return Rows(
        rows_in=3120,
        generated=2557,
        kept=2557,
        dropped={
            LABELS[2]: {"blank-message": 112},
            LABELS[3]: {"exact-duplicate": 406},
            LABELS[5]: {"real-row-withheld": 2557},
        },
        quarantined=ROWS.quarantined,
    )
