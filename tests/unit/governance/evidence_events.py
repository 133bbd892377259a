"""The ledger entries of that run, from the offer to the gate, and what goes with them."""

from __future__ import annotations

from datalab.governance.ledger import Entry
from datalab.model.decision import Decision, Door
from datalab.model.receipt import Rows
from tests.unit.governance.evidence_pipeline import LABELS, OPEN, PIPELINE, POLICY, PURPOSE, ROWS, SPLITS, STEPS


def acquired(offers, agreements, objects):
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


def ran(plan, content, shards, rows, schema, *, passed):
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
        "checks.evaluated", "engine", plan, {"suite": "service-messages", "rows": rows.kept, "results": checks(rows.kept)}
    )
    yield Entry("profile.made", "engine", plan, profile(rows.kept, schema))
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


def checks(rows):
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


def gx_results():
    kwargs = (
        {"min_value": 2000, "max_value": 5000},
        {"column": "message"},
        {"column": "rating", "min_value": 1, "max_value": 5},
        {"column": "country"},
    )
    return [{"success": place < 3, "expectation_config": {"type": "…", "kwargs": given}} for place, given in enumerate(kwargs)]


def profile(rows, schema):
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


def lineage():
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


def synthetic_rows():
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
