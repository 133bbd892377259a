"""Obligations and what answers them: a declared mapping (``obligations.toml``) applied to the evidence of one run.

The answer is never "compliant": evidence supports a person's judgement and does not replace it.
"""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from datalab.governance.evidence import Evidence


class Status(enum.StrEnum):
    """How far a duty is answered."""

    EVIDENCED = "evidenced"
    PARTIAL = "partial"
    NEEDS_STATEMENT = "needs human statement"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Duty:
    """One obligation as this run answers it. ``needs`` is the id of the statement a person must still give, "" where none is due."""

    id: str
    instrument: str
    article: str
    duty: str
    answer: str
    where: str
    status: Status
    statement: str
    needs: str
    lacking: tuple[str, ...]


def duties(evidence: Evidence) -> tuple[Duty, ...]:
    """Return every obligation with its status for this run."""
    return tuple(_duty(entry, evidence) for entry in _declared()["obligation"])


def as_of() -> str:
    """Return the month for which the mapping states the law."""
    return str(_declared()["as_of"])


def open_statements(evidence: Evidence) -> tuple[str, ...]:
    """Return the ids of the statements that a person must still give."""
    return tuple(dict.fromkeys(duty.needs for duty in duties(evidence) if duty.needs))


def _duty(entry: Mapping[str, Any], evidence: Evidence) -> Duty:
    applies = _applies(entry.get("applies", "always"), evidence)
    wanted = str(entry.get("statement", "")) if _applies(entry.get("statement_applies", "always"), evidence) else ""
    given = evidence.pipeline.release.statements.get(wanted, "").strip() if wanted else ""
    present = _present(evidence)
    lacking = tuple(name for name in entry["evidence"] if name not in present)
    if not applies:
        status = Status.NOT_APPLICABLE
    elif wanted and not given:
        status = Status.NEEDS_STATEMENT
    elif lacking:
        status = Status.PARTIAL
    else:
        status = Status.EVIDENCED
    return Duty(
        id=entry["id"],
        instrument=entry["instrument"],
        article=entry["article"],
        duty=entry["duty"],
        answer=entry["answer"],
        where=entry["where"],
        status=status,
        statement=given,
        needs=wanted if status == Status.NEEDS_STATEMENT else "",
        lacking=lacking if applies else (),
    )


def _applies(condition: str, evidence: Evidence) -> bool:
    answers = {
        "always": True,
        "personal-data": evidence.personal_data,
        "synthetic": evidence.synthetic,
        "scrubbed": evidence.scrubbed,
    }
    return answers[condition]


def _present(evidence: Evidence) -> set[str]:
    pipeline = evidence.pipeline
    model = evidence.last("model.fitted")
    there = {
        "offers": bool(evidence.offers),
        "agreements": bool(evidence.agreements),
        "objects": bool(evidence.objects),
        "policies": bool(evidence.agreements) and all(agreement.policy.verbatim for agreement in evidence.agreements),
        "steps": bool(evidence.steps),
        "plan": evidence.last("plan.made") is not None,
        "rows": evidence.last("run.done") is not None,
        "lineage": bool(evidence.lineage),
        "profile": evidence.last("profile.made") is not None,
        "checks": evidence.last("checks.evaluated") is not None,
        "decisions": evidence.last("decision.made") is not None,
        "ledger": bool(evidence.events),
        "purpose": bool(pipeline.purpose.code and pipeline.purpose.text),
        "legal-basis": bool(pipeline.legal_basis.strip()),
        "retention": bool(pipeline.retention),
        "scrubbing-or-synthesis": evidence.scrubbed or evidence.synthetic,
        "privacy-tests": model is not None and bool(model.body.get("privacy")),
    }
    return {name for name, given in there.items() if given}


@cache
def _declared() -> dict[str, Any]:
    return tomllib.loads(files("datalab.governance").joinpath("obligations.toml").read_text(encoding="utf-8"))
