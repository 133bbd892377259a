"""A run that could have been: three splits, drops, quarantine, scrubbing, a failed warning, an approval, in a real ledger."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

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
from datalab.model.policy import Policy
from tests.unit.governance.evidence_events import acquired, gx_results, lineage, ran, synthetic_rows
from tests.unit.governance.evidence_pipeline import COUNTRIES, LABELS, OPEN, PIPELINE, POLICY, PURPOSE, ROWS, SPLITS, STEPS


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
            next(offer.connector for offer in offers if offer.dataset_id == dataset),
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
    rows = synthetic_rows() if synthetic else ROWS
    events = list(ledger.append(acquired(offers, agreements, objects)))
    events += ledger.append(ran(plan, content, shards, rows, schema, passed=passed))
    evidence = Evidence(
        pipeline=PIPELINE,
        version="",
        digest=content,
        plan=plan,
        schema=schema,
        shards=shards,
        rows=rows,
        lineage=lineage(),
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
            "results": gx_results(),
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
