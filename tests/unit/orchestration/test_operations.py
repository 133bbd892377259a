"""A small pipeline, materialised in this process: what Dagster shows is what the ledger says."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from datalab.errors import GateFailed, PolicyRefusal
from datalab.lab import open_lab, run_pipeline
from datalab.lab.pipelines import find_pipeline
from datalab.lab.release import listed
from datalab.lab.watch import Silent
from datalab.orchestration.failures import OUTCOME_TAG
from tests.unit.orchestration.house import SOUND, environment, expectation

CHAIN = ["source", "intake", "cleaning", "enrichment", "cleaning-2", "candidate", "report"]


def materialised(result) -> dict[str, object]:
    return {
        event.materialization.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()
    }


def facts(result, asset: str) -> dict[str, object]:
    return {name: getattr(entry, "value", None) for name, entry in materialised(result)[asset].metadata.items()}


def checks(result) -> dict[str, object]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def failure(result):
    """Return the description and metadata of the step that failed."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    return data.description, {name: entry.value for name, entry in data.metadata.items()}


def events(house, type: str):
    with open_lab(house.settings) as lab:
        return list(lab.ledger.events(type=type))


def test_every_service_shows_its_rows_reasons_and_lineage(house, instance):
    result = house.run(instance=instance)

    assert result.success
    assert list(materialised(result)) == CHAIN
    intake, cleaning = facts(result, "intake"), facts(result, "cleaning")
    assert (intake["rows in"], intake["rows quarantined"], intake["dagster/row_count"]) == (121, 1, 120)
    assert "| reading | quarantined | too-many-fields | 1 |" in intake["rows left out"]
    assert (cleaning["rows in"], cleaning["rows dropped"], cleaning["dagster/row_count"]) == (120, 10, 110)
    assert "| 01 cleaning.required | dropped | missing | 6 |" in cleaning["rows left out"]
    assert "| 02 cleaning.duplicates-by-key | dropped | duplicate-key | 4 |" in cleaning["rows left out"]
    enrichment = facts(result, "enrichment")
    assert [(column.name, column.type) for column in enrichment["dagster/column_schema"].columns][3] == (
        "note_characters",
        "UInt32",
    )
    (origin,) = enrichment["dagster/column_lineage"].deps_by_column["note_words"]
    assert (origin.asset_key.path, origin.column_name) == (["town-people", "cleaning"], "note")
    assert facts(result, "candidate")["dagster/row_count"] == 110
    assert facts(result, "report")["report"].endswith("governance/report.html")


def test_data_versions_are_the_contents(house, instance):
    result = house.run(instance=instance)

    with open_lab(house.settings) as lab:
        (release,) = listed(lab)
    tags = materialised(result)["candidate"].tags
    assert tags["dagster/data_version"] == release.digest
    assert tags["dagster/code_version"] == find_pipeline("town-people", house.settings).fingerprint


def test_checks_mirror_the_expectations_and_the_gate(house, instance):
    found = checks(house.run(instance=instance))

    assert found["expect_column_values_to_be_unique_id"].passed
    warning = found["expect_column_values_to_be_in_set_town"]
    assert (warning.passed, warning.severity.value, warning.metadata["unexpected_count"].value) == (False, "WARN", 34)
    assert found["conservation"].passed
    assert found["gate"].passed


def test_a_failed_expectation_withholds_the_candidate(house, instance):
    house.pipeline(suite=[*SOUND, expectation("expect_column_values_to_be_in_set", column="town", value_set=["Riga"])])

    result = house.run(instance=instance)

    assert not result.success
    found = checks(result)
    (critical,) = [check for name, check in found.items() if "in_set_town" in name and check.severity.value == "ERROR"]
    assert not critical.passed
    assert not found["gate"].passed
    assert "candidate" not in materialised(result)
    assert "report" not in materialised(result)
    description, metadata = failure(result)
    assert description.startswith("Withheld by the gate: town-people: the release is withheld")
    assert metadata["outcome"] == "withheld"
    with open_lab(house.settings) as lab:
        assert list(listed(lab)) == []
        with pytest.raises(GateFailed):
            run_pipeline(find_pipeline("town-people", house.settings), lab=lab)


def test_a_refusal_is_seen_as_one(house, instance):
    house.pipeline(attestation="")

    result = house.run(instance=instance)

    description, metadata = failure(result)
    assert description.startswith("Refused by the terms: ")
    assert (metadata["outcome"], metadata["error"], metadata["exit code of the command line"]) == (
        "refused",
        "PolicyRefusal",
        3,
    )
    assert metadata["next"]
    assert instance.get_run_by_id(result.run_id).tags[OUTCOME_TAG] == "refused"
    with open_lab(house.settings) as lab, pytest.raises(PolicyRefusal):
        run_pipeline(find_pipeline("town-people", house.settings), lab=lab)


def test_asked_again_it_finds_nothing_to_redo_and_shows_the_same(house, instance):
    first = house.run(instance=instance)
    again = house.run(instance=instance)

    assert facts(again, "candidate")["status"] == "unchanged"
    assert facts(again, "cleaning") == facts(first, "cleaning")
    assert len(events(house, "run.started")) == 1


def test_the_ledger_names_who_asked(house, instance):
    house.run(instance=instance, tags={"datalab/requested_by": "Ada"})
    house.people(60)
    house.run(instance=instance, config={"resources": {"lab": {"config": {"requested_by": "simpl-node", "workers": 1}}}})

    assert [event.actor for event in events(house, "run.started")] == ["dagster:Ada", "dagster:simpl-node"]


def test_a_report_alone_needs_a_candidate(house, instance):
    import dagster as dg

    result = house.run(instance=instance, selection=[dg.AssetKey(["town-people", "report"])])

    description, metadata = failure(result)
    assert "no candidate or release" in description
    assert "materialise town-people/candidate first" in metadata["next"]


def test_a_candidate_alone_takes_up_what_an_earlier_run_left(house, instance):
    import dagster as dg

    keys = [dg.AssetKey(["town-people", name]) for name in CHAIN]
    assert house.run(instance=instance, selection=keys[:5]).success

    result = house.run(instance=instance, selection=keys[5:6])

    assert result.success
    assert checks(result)["conservation"].passed
    (done,) = events(house, "run.done")
    assert done.body["resumed_parts"] > 0


class Holding(Silent):
    """A face that stops the run between its plan and its end until it is let go."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()

    def say(self, what: str) -> None:
        if ": running" in what:
            self.running.set()
            assert self.go.wait(30)


def test_of_two_faces_one_runs_and_the_other_finds_it_done(house, instance):
    """The command line holds the plan's lock; Dagster says that it waits, then that nothing is to be redone."""
    face = Holding()

    def command_line() -> None:
        with open_lab(house.settings, actor="cli") as lab:
            run_pipeline(find_pipeline("town-people", house.settings), lab=lab, face=face)

    first = threading.Thread(target=command_line)
    first.start()
    assert face.running.wait(30)
    threading.Timer(1.0, face.go.set).start()
    result = house.run(instance=instance)
    first.join()

    said = [event.user_message for event in instance.all_logs(result.run_id)]
    assert any("another face runs the same plan" in line for line in said)
    assert facts(result, "candidate")["status"] == "unchanged"
    assert [event.actor for event in events(house, "run.started")] == ["cli"]


def test_a_cancelled_run_is_resumed(house, instance):
    """Dagster cancels a run by interrupting its process: finished parts are kept, the lock and the workers are gone."""
    house.people(3000)
    code = (
        "import dagster as dg\nfrom datalab.orchestration.definitions import defs\n"
        "with dg.DagsterInstance.ephemeral() as instance:\n"
        "    job = defs.resolve_job_def('town_people')\n"
        "    done = job.execute_in_process(instance=instance, raise_on_error=False)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=house.root, env=environment(), stderr=subprocess.PIPE, text=True
    )
    receipts = house.root / ".datalab" / "runs"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(list(receipts.glob("*/receipts/01/*.json"))) < 5:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert "Execution was interrupted" in said
    assert events(house, "run.done") == []
    result = house.run(instance=instance)

    assert result.success
    (done,) = events(house, "run.done")
    assert done.body["resumed_parts"] >= 5
    assert checks(result)["conservation"].passed


def test_no_value_of_the_data_reaches_dagster(house, instance):
    result = house.run(instance=instance)

    told = [str(event) for event in instance.all_logs(result.run_id)]
    assert not [line for line in told if re.search(r"short note of person|Bonn.*Riga", line) and "value_set" not in line]


def test_a_person_approves_and_the_release_is_shown(house, instance):
    house.run(instance=instance)

    done = house.run(
        "approve", instance=instance, config={"pipeline": "town-people", "approver": "Ada, officer", "note": "read it"}
    )

    assert done.success
    (event,) = done.get_asset_materialization_events()
    assert event.materialization.asset_key.path == ["town-people", "release"]
    assert event.materialization.metadata["version"].value == "1"
    (approved,) = events(house, "release.approved")
    assert (approved.actor, approved.body["note"]) == ("Ada, officer", "read it")


def test_nobody_approves_nothing(house, instance):
    house.run(instance=instance)

    done = house.run("approve", instance=instance, config={"pipeline": "town-people", "approver": " "})

    assert "an approval needs a name" in failure(done)[0]
    assert events(house, "release.approved") == []
