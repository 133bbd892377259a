"""How commands end: each exit code for its reason, two or three plain lines, and never a traceback for a user's mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.unit.cli.conftest import command, environment, process
from tests.unit.lab.workshop import APPROVER


def plain(answer):
    assert "Traceback" not in answer.err + answer.out
    assert answer.err.startswith(("datalab: ", "Usage: ", "absent", "commercial", "down", "visitors", "withheld"))
    return answer


def test_1_a_gate_says_no(folder, call):
    answer = plain(call(folder, "run", "withheld"))
    assert answer.code == 1
    assert "the release is withheld" in answer.err
    assert "report.html" in answer.err


def test_1_a_verification_fails(folder, call):
    run = json.loads(call(folder, "run", "visitors", "--json").out)
    with open(f"{run['candidate']}/README.md", "a") as stream:  # noqa: PTH123
        stream.write("more")
    answer = plain(call(folder, "verify", "visitors"))
    assert answer.code == 1
    assert "README.md" in answer.err
    assert call(folder, "approve", "visitors", "--as", APPROVER).code == 1


def test_1_the_ledger_was_altered(folder, call):
    import sqlite3

    call(folder, "plan", "visitors")
    with sqlite3.connect(folder / ".datalab" / "ledger.sqlite") as connection:
        connection.execute("DROP TRIGGER event_update")
        connection.execute("UPDATE event SET actor = 'Nobody' WHERE sequence = 2")
    connection.close()
    answer = plain(call(folder, "ledger", "verify"))
    assert (answer.code, "altered at event 2" in answer.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnu", "visitors"], "did you mean 'run'"),
        (["run", "visitor"], "did you mean 'visitors'"),
        (["run", "absent"], "did you mean 'visitors'"),
        (["run"], "Missing argument"),
        (["run", "visitors", "--jsn"], "--json"),
        (["show", "visitors"], "there are none yet"),
        (["show", "../../etc"], "names no release"),
        (["verify", "/etc"], "names no release"),
        (["lineage", "visitors", "--row", "x"], "there are none yet"),
        (["approve", "visitors"], "--as"),
        (["quarantine", "list", "visitors"], "there are none yet"),
        (["quarantine", "purge", "abc", "--as", "me"], "datalab runs lists them"),
        (["ledger", "list", "--after", "x"], "not a valid integer"),
        (["profile", "visitors", "--rows", "many"], "not a valid integer"),
    ],
)
def test_2_a_mistake_of_the_user_gets_a_hint(folder, call, arguments, says):
    answer = plain(call(folder, *arguments))
    assert answer.code == 2
    assert says in answer.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("this is not python", "broken.py, line 1"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("from datalab import Pipline", "Pipline"),
        ("from datalab import clean\nclean.Required()", "broken.py, line 2"),
        ("raise SystemExit(0)", "broken.py"),
    ],
)
def test_2_a_broken_pipeline_file_is_named_with_its_line(folder, call, text, says):
    (folder / "pipelines" / "broken.py").write_text(text)
    answer = plain(call(folder, "run", "visitors"))
    assert answer.code == 2
    assert says in answer.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[lab]\nnam = 'x'", "did you mean 'name'"),
        ("[lba]\n", "did you mean 'lab'"),
        ("lab = 1", "must be a section"),
        ("[lab", "not valid TOML"),
        ("[engine]\nworkers = 'two'", "whole number"),
        ("[ledger]\nurl = 'postgresql://host/db'", "no ledger can be opened"),
        ("[connectors.x]\nkind = 'sandbx'", "did you mean 'sandbox'"),
    ],
)
def test_2_wrong_settings_are_named(tmp_path, call, text, says):
    (tmp_path / "datalab.toml").write_text(text)
    answer = plain(call(tmp_path, "discover"))
    assert answer.code == 2
    assert says in answer.err


def test_2_not_in_a_lab_folder(tmp_path, call):
    answer = plain(call(tmp_path, "run", "visitors"))
    assert answer.code == 2
    assert str(tmp_path / "pipelines") in answer.err
    assert "there are none yet" in answer.err


def test_3_the_terms_say_no(folder, call):
    answer = plain(call(folder, "run", "commercial"))
    assert answer.code == 3
    assert "prohibits 'use'" in answer.err


def test_4_a_source_that_does_not_answer(folder, call):
    answer = plain(call(folder, "run", "down"))
    assert answer.code == 4
    assert "127.0.0.1" in answer.err


def test_130_ctrl_c_ends_a_run_and_running_again_resumes_to_the_same_digest(folder):
    """SIGINT to the whole group, as a terminal sends it."""
    child = subprocess.Popen(
        command("run", "slow"), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a shell may have it ignored
    )  # fmt: skip
    home = folder / ".datalab"
    deadline = time.monotonic() + 60
    while len(list(home.glob("runs/*/receipts/*/[0-9]*.json"))) < 3:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"Traceback" not in out + err
    assert b"interrupted" in err
    kept = len(list(home.glob("runs/*/receipts/*/[0-9]*.json")))
    assert not list(home.glob("candidates/*/*"))
    again = process(folder, "run", "slow", "--json")
    assert again.code == 0, again.err
    whole = process(folder, "run", "slow", "--json", DATALAB_HOME=str(folder / "other"))
    assert json.loads(again.out)["digest"] == json.loads(whole.out)["digest"]
    events = json.loads(process(folder, "ledger", "list", "--type", "run.done", "--json").out)
    assert events[0]["body"]["resumed_parts"] == kept


def test_a_reader_that_goes_away_is_no_error(folder, call):
    """``datalab ledger list --json | head -1``."""
    call(folder, "plan", "visitors")
    script = f"{' '.join(command('ledger', 'list', '--json'))} | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout == "[0\n"
    assert done.stderr == ""


def test_output_that_nobody_reads_is_no_error(folder):
    reading, writing = os.pipe()
    os.close(reading)
    child = subprocess.run(
        command("--help"), cwd=folder, env=environment(), stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert child.stderr == b""
    assert child.returncode == 0


HEAVY = ("polars", "pyarrow", "numpy", "pandas", "dagster", "great_expectations", "presidio_analyzer", "sdv", "rich", "httpx")


@pytest.mark.parametrize(
    "code", ["import datalab", "from datalab.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"]
)
def test_help_and_the_bare_import_load_nothing_heavy(tmp_path, code):
    script = f"{code}\nimport sys\nprint('LOADED', *sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_the_environment_overrides_the_settings(folder, call, monkeypatch, tmp_path):
    home = tmp_path / "elsewhere"
    monkeypatch.setenv("DATALAB_HOME", str(home))
    monkeypatch.setenv("DATALAB_ACTOR", "Eve Deputy")
    monkeypatch.setenv("DATALAB_LEDGER_URL", f"sqlite:///{tmp_path}/own-ledger.sqlite")
    assert call(folder, "plan", "visitors").code == 0
    events = json.loads(call(folder, "ledger", "list", "--json").out)
    assert {event["actor"] for event in events} == {"Eve Deputy", "engine"}
    assert (tmp_path / "own-ledger.sqlite").is_file()
    assert (home / "landing").is_dir()
    assert not (folder / ".datalab").exists()


def test_a_named_actor_beats_the_settings(folder, call):
    call(folder, "plan", "visitors", "--as", "Mia Steward")
    events = json.loads(call(folder, "ledger", "list", "--json").out)
    assert {event["actor"] for event in events} == {"Mia Steward", "engine"}


@pytest.mark.parametrize(("name", "value"), [("DATALAB_WORKERS", "two"), ("DATALAB_CONFIG", "/nowhere/datalab.toml")])
def test_a_wrong_override_is_named(folder, call, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    answer = plain(call(folder, "releases"))
    assert answer.code == 2
    assert name in answer.err


def test_the_settings_are_found_from_a_folder_below(folder, call):
    answer = call(folder / "pipelines", "releases", "--json")
    assert (answer.code, json.loads(answer.out)) == (0, [])
