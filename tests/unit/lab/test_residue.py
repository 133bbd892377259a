"""What is left of what a step promised to remove withholds the release; all of it is told as counts, never as values."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from datalab import clean, scrub, standardise
from datalab.engine.residue import merge_residue, residue
from datalab.errors import GateFailed
from datalab.lab.residue import TITLE, judge_residue
from datalab.lab.run import run_pipeline
from datalab.model.step import ROW, SOURCE
from tests.unit.lab.workshop import CLASHING, DOUBLED, EMPTY, ROWS, VALUES, pipeline

OUT = ROWS - EMPTY - DOUBLED - CLASHING
BEFORE = (
    standardise.ColumnNames(rename={"E-Mail": "email"}),
    clean.Required("id"),
    standardise.Types({"age": "integer", "hour": "integer"}),
    clean.DuplicatesByKey("id"),
)


def looked(lab) -> dict:
    [event] = lab.ledger.events(type="residue.scanned")
    return event.body


def test_all_rows_of_all_text_columns_are_looked_at(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    body = looked(lab)
    assert (body["rows"], body["found"], body["broken"]) == (summary.rows.kept, {}, [])
    assert {"note", "city", "email"} <= set(body["columns"])
    assert "email" in body["promised"]["note"]
    assert summary.checks[-1] == (TITLE, True)
    report = Path(summary.report).read_text("utf-8")
    assert "a second look" in report
    assert "They found nothing" in report


def test_what_a_detector_missed_withholds_the_release(lab):
    """Presidio knows no address under ``.example``: it promises to remove what it then does not find."""
    steps = (*BEFORE, scrub.Columns({"name": "drop", "email": "drop"}), scrub.Presidio("note", entities=("EMAIL_ADDRESS",)))
    with pytest.raises(GateFailed, match=rf"column note still holds {OUT} of the kind email, which step 06 scrubbing.presidio"):
        run_pipeline(pipeline(steps=steps), lab=lab)
    body = looked(lab)
    [item] = body["broken"]
    assert (item["column"], item["kind"], item["number"]) == ("note", "email", OUT)
    [report] = (lab.home / "runs").glob("*/report.html")
    assert "to be removed" in report.read_text("utf-8")
    assert not [value for value in VALUES if value in json.dumps(body) or value in report.read_text("utf-8")]


def test_what_a_step_keeps_or_no_step_scrubs_is_told_and_does_not_withhold(lab):
    steps = (*BEFORE, scrub.Columns({"name": "drop"}), scrub.Text("note", actions={"email": "keep"}))
    summary = run_pipeline(pipeline(steps=steps), lab=lab)
    body = looked(lab)
    assert body["found"] == {}
    assert body["others"] == {"email": {"email": OUT}, "note": {"email": OUT}}
    assert body["broken"] == []
    assert "needs a person" in Path(summary.report).read_text("utf-8")


def test_a_pipeline_that_does_not_scrub_is_not_looked_at(lab):
    summary = run_pipeline(pipeline(steps=BEFORE, source=type(pipeline().source)(dataset="space:counts")), lab=lab)
    assert not list(lab.ledger.events(type="residue.scanned"))
    assert summary.checks == ()


def plan_of(*steps, released=()) -> SimpleNamespace:
    lineage = [SimpleNamespace(column=column, steps=("01",)) for column in released]
    schema = pl.Schema(dict.fromkeys(released, pl.String))
    return SimpleNamespace(id="p", pipeline=SimpleNamespace(steps=steps), labels=("01",), lineage=lineage, schema_out=schema)


def test_texts_in_lists_and_structures_are_looked_at_too():
    frame = pl.DataFrame(
        {
            SOURCE: [0, 0],
            ROW: [0, 1],
            "tags": [["a@b.example", "x"], ["c@d.example"]],
            "who": [{"mail": "a@b.example", "age": 3}, {"mail": None, "age": 4}],
            "kind": pl.Series(["e@f.example", "none"], dtype=pl.Categorical),
            "number": [1, 2],
        }
    )
    facts = residue(plan_of(scrub.Text("note")), frame)["residue"]
    assert facts["rows"] == facts["sampled"] == 2
    assert facts["others"] == {"tags": {"email": 2}, "who": {"email": 1}, "kind": {"email": 1}}


def test_what_was_promised_is_looked_for_in_all_rows_and_all_else_in_a_sample():
    rows = 5_000
    frame = pl.DataFrame({SOURCE: [0] * rows, ROW: range(rows), "note": ["Call +352 621 123 456 or mail a@b.example"] * rows})
    facts = residue(plan_of(scrub.Text("note"), released=("note",)), frame)["residue"]
    assert (facts["rows"], facts["sampled"]) == (rows, 1_000)
    assert (facts["found"], facts["others"]) == ({"note": {"email": rows}}, {"note": {"phone": 1_000}})


def test_shards_add_up_and_a_shard_without_a_look_is_not_forgotten(lab):
    facts = [
        {"residue": {"rows": 2, "found": {"a": {"iban": 1}, "b": {}}, "sampled": 1, "others": {"a": {"name": 1}}}},
        {"residue": {"rows": 3, "found": {"a": {"iban": 2}}, "sampled": 3, "others": {}}},
        {},
    ]
    look = merge_residue(facts)
    assert (look.shards, look.rows, look.sampled, look.columns) == (2, 5, 4, ("a", "b"))
    assert (look.found, look.others) == ({"a": {"iban": 3}}, {"a": {"name": 1}})
    executed = SimpleNamespace(shards=[SimpleNamespace(facts=fact) for fact in facts])
    verdict = judge_residue(lab, plan_of(scrub.Text("note")), executed)
    assert "1 of 3 shards were not looked at" in verdict.reasons[0]
    assert verdict.checks == ((TITLE, False),)
