"""Obligations: declared data, four statuses, never a verdict on conformity."""

from __future__ import annotations

import re
from dataclasses import replace

from datalab.governance.obligations import Status, duties, open_statements
from datalab.governance.report import render_report


def by_id(evidence):
    return {duty.id: duty for duty in duties(evidence)}


def test_statuses_follow_the_evidence(evidence):
    found = by_id(evidence)
    assert found["AIA-10-2c"].status == Status.EVIDENCED
    assert found["AIA-10-2d"].status == Status.EVIDENCED
    assert found["AIA-10-2d"].statement.startswith("A row is one message")
    assert found["AIA-10-2f"].status == Status.NEEDS_STATEMENT
    assert found["GDPR-26"].status == Status.NOT_APPLICABLE
    without = by_id(replace(evidence, events=tuple(e for e in evidence.events if e.type != "profile.made")))
    assert without["AIA-10-2d"].status == Status.PARTIAL
    assert without["AIA-10-2d"].lacking == ("profile",)


def test_personal_data_decides_what_applies(evidence, tmp_path, ledger, made):
    public = replace(evidence, offers=tuple(replace(offer, personal_data=False) for offer in evidence.offers))
    assert by_id(public)["GDPR-6"].status == Status.NOT_APPLICABLE
    assert by_id(public)["AIA-10-2b"].status == Status.EVIDENCED, "the original purpose is asked for personal data only"
    synthetic = made.example(tmp_path / "other", ledger, synthetic=True)
    assert by_id(synthetic)["GDPR-26"].status == Status.NEEDS_STATEMENT


def test_a_statement_closes_what_is_open(evidence):
    wanted = open_statements(evidence)
    assert "AIA-10-2f" in wanted
    assert "AIA-10-2d" not in wanted
    blank = replace(evidence.pipeline.release, statements=dict.fromkeys(wanted, "  "))
    assert set(wanted) <= set(open_statements(replace(evidence, pipeline=replace(evidence.pipeline, release=blank))))
    release = replace(evidence.pipeline.release, statements=dict.fromkeys((*wanted, "AIA-10-2d", "AIA-10-2e"), "Said."))
    assert open_statements(replace(evidence, pipeline=replace(evidence.pipeline, release=release))) == ()


def test_every_duty_points_into_the_report_and_none_is_called_compliant(evidence):
    report = render_report(evidence)
    found = duties(evidence)
    assert len({duty.id for duty in found}) == len(found) > 20
    for duty in found:
        assert f'<section id="{duty.where}">' in report
    assert not re.search(r"\b(non-?)?complian(t|ce)\b", report.replace("compliance officer", ""), re.IGNORECASE)
