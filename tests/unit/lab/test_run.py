"""The main job through a real data space: acquire, plan, work, judge, candidate."""

from __future__ import annotations

import dataclasses

import polars as pl
import pyarrow.parquet as pq
import pytest

from datalab import Source, Splits, clean, open_dataset, scrub, standardise, synthesise
from datalab.engine.plan import make_plan
from datalab.errors import GateFailed, NotFound, PolicyRefusal, SchemaError
from datalab.lab.run import prepare, run_pipeline
from datalab.lab.watch import Silent
from datalab.staging.manifest import read_manifest
from datalab.staging.verify import verify_release
from tests.unit.lab.workshop import (
    BROKEN,
    CLASHING,
    COMMERCIAL,
    DOUBLED,
    EMPTY,
    ROWS,
    STEPS,
    VALUES,
    opened,
    pipeline,
    write_suite,
    written_by,
)

OUT = ROWS - EMPTY - DOUBLED - CLASHING


@pytest.fixture(scope="module")
def ran(tmp_path_factory, space):
    """A lab with one run and its summary; tests must leave it as it is."""
    with opened(tmp_path_factory.mktemp("ran"), space) as made:
        yield made, run_pipeline(pipeline(), lab=made)


class Listening(Silent):
    def __init__(self):
        self.heard = []

    def say(self, what):
        self.heard.append(what)


def types(lab, **which):
    return [event.type for event in lab.ledger.events(**which)]


def test_a_run_makes_a_verified_candidate_and_accounts_for_every_row(ran):
    lab, summary = ran
    assert summary.status == "candidate"
    assert summary.rows.rows_in == ROWS + BROKEN
    assert summary.rows.dropped == {
        "02 cleaning.required": {"missing": EMPTY},
        "04 cleaning.duplicates-by-key": {"duplicate-key": DOUBLED},
    }
    assert sum(summary.rows.quarantined["00 intake"].values()) == BROKEN
    assert sum(summary.rows.quarantined["03 standardisation.types"].values()) == CLASHING
    assert summary.rows.kept == OUT
    done = verify_release(lab.store.candidate("visitors", summary.digest))
    assert (done.rows, done.manifest.digest, done.manifest.version) == (OUT, summary.digest, "")
    assert {shard.rows for shard in done.manifest.shards if shard.path.endswith("00000.parquet")} <= {
        200,
        done.manifest.splits["test"],
    }


def test_the_ledger_tells_the_whole_story_in_order_and_names_an_actor_each_time(ran):
    lab, summary = ran
    told = list(dict.fromkeys(types(lab)))
    assert told == [
        "offer.discovered", "decision.made", "agreement.concluded", "object.landed", "plan.made", "run.started", "parts.done",
        "stage.done", "profile.made", "residue.scanned", "run.done", "gate.decided", "candidate.written",
    ]  # fmt: skip
    events = list(lab.ledger.events())
    assert all(event.actor.strip() for event in events)
    people = {"offer.discovered", "agreement.concluded", "plan.made", "run.started"}
    assert {event.actor for event in events if event.type in people} == {"Sam Steward"}
    assert {event.actor for event in events if event.type not in people} == {"engine"}
    [done] = lab.ledger.events(type="run.done")
    assert done.subject == summary.plan
    assert done.body["totals"] == {
        "rows_in": ROWS + BROKEN, "generated": 0, "kept": OUT, "dropped": EMPTY + DOUBLED, "quarantined": CLASHING + BROKEN,
    }  # fmt: skip
    lab.ledger.verify()


def test_every_part_of_a_run_is_named_in_the_ledger_by_the_digest_of_its_receipt(ran):
    import json

    lab, summary = ran
    told = {}
    for event in lab.ledger.events(type="parts.done"):
        told |= {(event.body["stage"], int(part)): digest for part, digest in event.body["parts"].items()}
    receipts = [json.loads(path.read_bytes()) for path in (lab.home / "runs" / summary.plan / "receipts").rglob("*.json")]
    assert told == {(item["phase"], item["part"]): item["digest"] for item in receipts}


def test_asked_again_nothing_is_redone_and_nothing_is_told_twice(lab):
    first = run_pipeline(pipeline(), lab=lab)
    before = {path: path.stat().st_mtime_ns for path in (lab.home / "runs").rglob("*") if path.name != "lock"}
    again = run_pipeline(pipeline(), lab=lab)
    assert again.status == "unchanged"
    assert (again.digest, again.rows, again.plan, again.candidate) == (first.digest, first.rows, first.plan, first.candidate)
    assert {path: path.stat().st_mtime_ns for path in (lab.home / "runs").rglob("*") if path.name != "lock"} == before
    assert types(lab).count("run.started") == types(lab).count("candidate.written") == 1
    assert types(lab).count("decision.made") == 3, "each run is decided anew, the release once"


def test_the_names_of_objects_are_no_part_of_the_plan(lab):
    acquired, plan = prepare(lab, pipeline(), Silent())
    [read] = acquired.inputs
    assert (read.object.title, read.object.dataset) == ("space:visitors, visitors.csv", "space:visitors")
    renamed = dataclasses.replace(read, object=dataclasses.replace(read.object, name="other.csv", connector="elsewhere"))
    assert make_plan(plan.pipeline, [renamed], {}, lab.settings, None).id == plan.id


def test_a_changed_step_is_another_plan_and_another_candidate(lab):
    first = run_pipeline(pipeline(), lab=lab)
    second = run_pipeline(pipeline(steps=(*STEPS[:2], *STEPS[3:])), lab=lab)
    assert (second.plan, second.digest) != (first.plan, first.digest)
    assert second.status == "candidate"
    assert second.rows.kept == OUT + CLASHING
    assert len(lab.store.candidate_folders("visitors")) == 2


def test_another_lab_and_other_workers_and_parts_give_the_same_content(lab, tmp_path, space):
    first = run_pipeline(pipeline(), lab=lab)
    with opened(tmp_path / "other", space) as other:
        wide = dataclasses.replace(other, settings=dataclasses.replace(other.settings, workers=3))
        second = run_pipeline(pipeline(part_rows=37), lab=wide)
    assert second.digest == first.digest
    assert second.plan != first.plan


def test_a_purpose_that_the_terms_forbid_is_refused_before_anything_lands(lab):
    with pytest.raises(PolicyRefusal, match="prohibits") as caught:
        run_pipeline(pipeline(purpose=COMMERCIAL), lab=lab)
    assert "space:visitors" in caught.value.where
    assert types(lab) == ["offer.discovered", "decision.made"]
    [decision] = lab.ledger.events(type="decision.made")
    assert decision.body["permitted"] is False
    assert "prohibits" in " ".join(decision.body["reasons"])
    assert not [path for path in (lab.home / "landing").rglob("*") if path.is_file()]


def test_personal_data_without_a_legal_basis_is_refused(lab):
    with pytest.raises(PolicyRefusal, match="no legal basis"):
        run_pipeline(pipeline(legal_basis=""), lab=lab)


def test_a_critical_expectation_withholds_and_says_why(lab):
    write_suite(
        lab.settings.root, "strict", ("expect_column_values_to_be_between", {"column": "hour", "max_value": 12}, "critical")
    )
    with pytest.raises(GateFailed, match="expect_column_values_to_be_between") as caught:
        run_pipeline(pipeline(expectations="strict"), lab=lab)
    assert "report.html" in caught.value.next
    assert not lab.store.candidate_folders("visitors")
    [gate] = lab.ledger.events(type="gate.decided")
    assert gate.body["passed"] is False
    assert "expect_column_values_to_be_between" in gate.body["reasons"][0]
    [done] = lab.ledger.events(type="run.done")
    assert done.body["totals"]["kept"] == OUT
    assert done.body["checks"] == {"passed": 0, "failed": 1}
    [checks] = lab.ledger.events(type="checks.evaluated")
    assert checks.body["results"][0]["unexpected_count"] > 0


def test_a_withheld_run_is_judged_again_without_working_again(lab):
    write_suite(lab.settings.root, "strict", ("expect_table_row_count_to_equal", {"value": 1}, "critical"))
    for _ in range(2):
        with pytest.raises(GateFailed):
            run_pipeline(pipeline(expectations="strict"), lab=lab)
    first, second = lab.ledger.events(type="run.done")
    assert first.body["resumed_parts"] == 0
    assert second.body["resumed_parts"] == len(list((lab.home / "runs").rglob("receipts/*/*.json")))
    assert second.body["totals"] == first.body["totals"]


def test_a_warning_does_not_block(lab):
    write_suite(
        lab.settings.root,
        "mixed",
        ("expect_column_values_to_be_between", {"column": "hour", "max_value": 12}, "warning"),
        ("expect_column_values_to_be_unique", {"column": "id"}, "critical"),
    )
    summary = run_pipeline(pipeline(expectations="mixed"), lab=lab)
    assert [passed for title, passed in summary.checks if title.startswith("expect_")] == [False, True]
    assert summary.checks[-1] == ("no personal data left that a step removes", True)
    [gate] = lab.ledger.events(type="gate.decided")
    assert gate.body == {"passed": True, "reasons": []}


def test_too_many_quarantined_rows_withhold(lab):
    with pytest.raises(GateFailed, match=rf"{CLASHING + BROKEN} of {ROWS + BROKEN} rows were quarantined, more than the 1.0%"):
        run_pipeline(pipeline(quarantine_limit=0.01), lab=lab)
    assert not lab.store.candidate_folders("visitors")


def test_nothing_left_withholds(lab):
    with pytest.raises(GateFailed, match="No row is left"):
        run_pipeline(pipeline(steps=(*STEPS, clean.InRange("age", minimum=200))), lab=lab)


def test_unscrubbed_personal_data_is_withheld_by_the_duty_to_anonymise(lab):
    with pytest.raises(GateFailed, match="anonymize"):
        run_pipeline(pipeline(steps=STEPS[:3]), lab=lab)
    assert not lab.store.candidate_folders("visitors")


SINGLE = Splits(shares={"train": 0.75, "test": 0.25})
GENERATED = (*STEPS[:3], standardise.Select(("age", "city", "hour")))


def test_a_synthetic_release_has_no_person_and_says_where_it_comes_from(lab):
    summary = run_pipeline(pipeline(steps=(*GENERATED, synthesise.Table(rows=300)), splits=SINGLE), lab=lab)
    assert summary.rows.generated == summary.rows.kept == 300
    assert summary.rows.dropped["05 synthesis.table"] == {"real-row-withheld": ROWS - EMPTY - CLASHING}
    [fitted] = lab.ledger.events(type="model.fitted")
    assert all(test["passed"] for test in fitted.body["privacy"])


def test_a_table_too_small_to_protect_anyone_is_withheld(lab):
    steps = (*GENERATED, clean.InRange("age", maximum=12), synthesise.Table(rows=300))
    with pytest.raises(GateFailed, match="privacy test table-size failed"):
        run_pipeline(pipeline(steps=steps, splits=SINGLE), lab=lab)
    assert not lab.store.candidate_folders("visitors")
    assert not list((lab.home / "runs").rglob("out/**/*.parquet")), "nothing is generated from a model that leaks"
    assert types(lab)[-1] == "gate.decided"


def test_wrong_names_are_found_before_the_first_row_is_read(lab):
    with pytest.raises(NotFound, match="no dataset named 'visitor'") as caught:
        run_pipeline(pipeline(source=Source(dataset="space:visitor")), lab=lab)
    assert "did you mean 'visitors'" in str(caught.value)
    with pytest.raises(NotFound, match="no connector named 'spce'"):
        run_pipeline(pipeline(source=Source(dataset="spce:visitors")), lab=lab)
    with pytest.raises(NotFound, match="no distribution named 'cvs'"):
        run_pipeline(pipeline(source=Source(dataset="space:visitors", distribution="cvs")), lab=lab)
    with pytest.raises(NotFound, match="no expectation suite named 'strikt'"):
        run_pipeline(pipeline(expectations="strikt"), lab=lab)
    with pytest.raises(SchemaError, match="no column named 'nme'") as caught:
        run_pipeline(pipeline(steps=(*STEPS[:1], clean.Required("nme"))), lab=lab)
    assert "did you mean 'name'" in str(caught.value)
    assert "run.started" not in types(lab)


def test_an_agreement_still_valid_is_used_again(lab):
    run_pipeline(pipeline(), lab=lab)
    run_pipeline(pipeline(part_rows=64), lab=lab)
    assert len({event.subject for event in lab.ledger.events(type="agreement.concluded")}) == 1


def test_a_corrupted_landed_object_is_noticed_and_fetched_again(lab):
    first = run_pipeline(pipeline(), lab=lab)
    [landed] = [path for path in (lab.home / "landing").rglob("*") if path.is_file()]
    whole = landed.read_bytes()
    landed.write_bytes(whole.replace(b"Bonn", b"Born"))
    again = run_pipeline(pipeline(part_rows=100), lab=lab)
    assert again.digest == first.digest
    assert landed.read_bytes() == whole


def test_no_personal_value_leaves_the_sensitive_folders(lab):
    """Everything a run writes for other eyes, and every released row, is searched for every name and address."""
    summary = run_pipeline(pipeline(), lab=lab)
    with pytest.raises(GateFailed) as caught:
        run_pipeline(pipeline(quarantine_limit=0.0), lab=lab)
    texts = {str(path): path.read_bytes() for path in set(written_by(lab.home))}
    assert len(texts) > 20
    folder = lab.store.candidate("visitors", summary.digest)
    for path in folder.rglob("*.parquet"):
        texts[f"{path} rows"] = pq.read_table(path, partitioning=None).to_pandas().to_json().encode()
    texts["error"] = str(caught.value).encode()
    found = [(place, index) for place, data in texts.items() for index, value in enumerate(VALUES) if value.encode() in data]
    assert not found
    assert any(VALUES[0].encode() in path.read_bytes() for path in (lab.home / "landing").rglob("*") if path.is_file()), (
        "the scan can find"
    )


def test_sensitive_folders_are_for_their_owner_only(ran):
    lab, summary = ran
    for place in (lab.home, lab.home / "landing", lab.home / "runs" / summary.plan, lab.home / "connectors" / "space"):
        assert place.stat().st_mode & 0o077 == 0, place


def test_a_run_opens_its_own_lab_from_the_current_folder(lab, monkeypatch):
    monkeypatch.chdir(lab.settings.root)
    assert pipeline().run().status == "candidate"
    with pytest.raises(NotFound):
        open_dataset("visitors")


def test_progress_is_told_in_sentences(lab):
    face = Listening()
    run_pipeline(pipeline(), lab=lab, face=face)
    assert [what.split(": ", 1)[1].split()[0] for what in face.heard] == ["acquiring", "running", "judging", "writing"]


OWN = "Counted by us at our own door; consent forms are kept in cabinet 3."


def own_file(lab, **changes):
    (lab.settings.root / "own.csv").write_text("id,hour\n" + "".join(f"{n},{n % 9 + 9}\n" for n in range(300)))
    steps = (scrub.Columns({"id": scrub.Pseudonym()}),)
    source = Source(dataset="own.csv", attestation=changes.pop("attestation", OWN))
    return pipeline(name="own", source=source, steps=steps, **changes)


def test_a_file_of_the_stewards_own_enters_with_an_attestation(lab):
    summary = run_pipeline(own_file(lab), lab=lab)
    assert summary.rows.kept == 300
    [agreement] = lab.ledger.events(type="agreement.concluded")
    assert (agreement.body["kind"], agreement.body["provider"]) == ("attestation", "steward@datalab.example")


def test_a_file_without_attestation_is_refused(lab):
    with pytest.raises(PolicyRefusal, match="attestation"):
        run_pipeline(own_file(lab, attestation=""), lab=lab)


def test_an_edited_file_is_another_plan(lab):
    first = run_pipeline(own_file(lab), lab=lab)
    made = own_file(lab)
    path = lab.settings.root / "own.csv"
    path.write_text(path.read_text() + "300,9\n")
    second = run_pipeline(made, lab=lab)
    assert (first.rows.kept, second.rows.kept) == (300, 301)
    assert first.plan != second.plan


def test_a_candidate_that_was_altered_is_not_taken_for_done(lab):
    summary = run_pipeline(pipeline(), lab=lab)
    folder = lab.store.candidate("visitors", summary.digest)
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"CC0-1.0", b"CC1-1.0"))
    again = run_pipeline(pipeline(), lab=lab)
    assert again.digest == summary.digest
    assert read_manifest(folder).licence == "CC0-1.0"


def test_the_released_rows_are_what_the_steps_made(ran):
    lab, summary = ran
    folder = lab.store.candidate("visitors", summary.digest)
    tables = [pq.read_table(folder / shard.path, partitioning=None) for shard in read_manifest(folder).shards]
    rows = pl.concat([pl.from_arrow(table) for table in tables])
    assert rows.columns == ["id", "email", "age", "city", "hour", "note"]
    assert rows["id"].n_unique() == rows.height == OUT
    assert rows["age"].dtype == pl.Int64
    assert not rows["note"].str.contains("@").any()
