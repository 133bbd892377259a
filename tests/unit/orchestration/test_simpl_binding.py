"""The Asset Orchestrator of a Simpl node finds our jobs by their tag, configures them by YAML, and reads what became of a run."""

from __future__ import annotations

import json
import stat

import pytest
import yaml

from datalab.errors import StorageFailed, UsageError
from datalab.orchestration.simpl import RUN_CONFIG, TAG, VARIABLES, BusinessLog, number, resolved
from tests.unit.orchestration.house import PIPELINE

FIELDS = {
    "timestamp", "level", "message", "messageType", "origin", "destination", "businessOperation", "correlationId", "customFields",
}  # fmt: skip


def records(house, run_id):
    path = house.root / ".datalab" / "logs" / f"simpl_run_{run_id}.json"
    return path, [json.loads(line) for line in path.read_text().splitlines()]


def test_a_bound_job_runs_with_its_variables_and_leaves_one_business_log(house, instance):
    config = yaml.safe_load(resolved(RUN_CONFIG, {"REQUESTED_BY": "Ada: of the node", "WORKERS": "1"}))
    result = house.run(instance=instance, config=config)
    path, found = records(house, result.run_id)

    assert result.success
    assert all(set(record) == FIELDS and record["level"] == "BUSINESS" for record in found)
    assert {record["correlationId"] for record in found} == {result.run_id}
    assert {record["businessOperation"] for record in found} == {"town-people"}
    assert [record["messageType"] for record in found] == ["REQUEST", *["RESPONSE"] * 4]
    acquired, prepared, candidate = found[1:4]
    assert acquired["origin"] == "steward@example.org"
    assert acquired["destination"] == "did:web:datalab.example"
    assert acquired["customFields"]["objects"] == 1
    assert prepared["customFields"]["rows_in"] == 121
    assert (candidate["customFields"]["kept"], candidate["customFields"]["quarantined"]) == (110, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Ada" not in path.read_text()


def test_a_refused_run_says_so_in_its_log(house, instance):
    house.pipeline(attestation="")
    result = house.run(instance=instance)
    _, found = records(house, result.run_id)
    assert not result.success
    assert [(record["messageType"], record["customFields"].get("outcome")) for record in found] == [
        ("REQUEST", None),
        ("ERROR", "refused"),
    ]


def test_every_pipeline_is_a_job_that_can_be_found_and_says_how_it_is_configured(house):
    (house.root / "pipelines" / "other.py").write_text(PIPELINE.format(variable="other", name="other", attestation="ours"))
    repository = house.definitions().get_repository_def()
    bound = {job.name for job in repository.get_all_jobs() if job.tags.get(TAG) == "true"}
    assert bound == {"town_people", "other"}
    assert all(f"${{{name}}}" in RUN_CONFIG for name in VARIABLES)
    assert RUN_CONFIG in repository.get_job("other").metadata["run configuration"].value


@pytest.mark.parametrize("config", [{"workers": "${WORKERS}"}, {"requested_by": "${REQUESTED_BY}"}, {"workers": "many"}])
def test_a_variable_without_a_value_stops_the_run_with_a_sentence(house, instance, config):
    result = house.run(instance=instance, config={"resources": {"lab": {"config": config}}})
    [event] = [event for event in result.all_events if event.is_job_failure]
    assert "where: run configuration" in event.job_failure_data.error.to_string()
    assert not (house.root / ".datalab" / "logs").exists()


def test_a_value_stays_one_value():
    text = resolved(RUN_CONFIG, {"REQUESTED_BY": "x\n      workers: 99", "WORKERS": "2"})
    assert yaml.safe_load(text)["resources"]["lab"]["config"] == {"requested_by": "x\n      workers: 99", "workers": 2}
    with pytest.raises(UsageError, match="WORKERS"):
        resolved(RUN_CONFIG, {"REQUESTED_BY": "x"})
    assert [number(value, "workers", 7) for value in (None, "", 0, "12", 3)] == [7, 7, 0, 12, 3]
    for wrong in (True, -1, "1.5", "\u0661", [1]):
        with pytest.raises(UsageError):
            number(wrong, "workers", 7)


def test_a_log_that_cannot_be_written_is_told_with_its_place(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(StorageFailed, match="business log"):
        BusinessLog(tmp_path / "logs", "../../etc/x", "lab").record("p", "REQUEST", "m")
    log = BusinessLog(tmp_path / "other", "../../etc/x", "lab")
    log.record("p", "REQUEST", "line\nbreak")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["simpl_run_______etc_x.json"]
    assert len(log.path.read_text().splitlines()) == 1
