"""The Slurm script, run by something that behaves like ``sbatch``: tasks of an array as processes, in any order."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import shards
from tests.unit.cli.conftest import environment, process

pytestmark = pytest.mark.slow


class Sbatch:
    """What of Slurm a job script can notice: the directives, one process a task, the variables, the log files.

    ``--array`` on the command line beats the directive, as in sbatch(1). Tasks run ``at_once`` at a time, in the order given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submit(self, script: Path, *arguments: str, array: str = "", order=lambda tasks: tasks, at_once: bool = True, **more):
        directives = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script.read_text(), re.MULTILINE))
        assert script.read_text().startswith("#!/bin/bash\n")
        first, _, last = (array or directives["array"]).partition("-")
        tasks = list(range(int(first), int(last or first) + 1))
        running, codes = [], {}
        for task in order(tasks):
            variables = {
                "SLURM_JOB_ID": "4711",
                "SLURM_ARRAY_JOB_ID": "4711",
                "SLURM_ARRAY_TASK_ID": str(task),
                "SLURM_ARRAY_TASK_COUNT": str(len(tasks)),
                "SLURM_CPUS_PER_TASK": directives["cpus-per-task"],
            }
            log = self.folder / directives["output"].replace("%A", "4711").replace("%a", str(task))
            with log.open("ab") as stream:
                child = subprocess.Popen(
                    ["bash", str(script), *arguments],
                    cwd=self.folder, env=environment(**variables, **more), stdout=stream, stderr=stream,
                )  # fmt: skip
            running.append((task, child))
            if not at_once:
                codes[task] = child.wait(timeout=120)
        return codes or {task: child.wait(timeout=120) for task, child in running}

    def log(self, task: int) -> str:
        [path] = self.folder.glob(f"*_{task}.log")
        return path.read_text()


@pytest.fixture
def script(folder):
    answer = process(
        folder, "slurm", "script", "slow", "--shards", "3", "--cpus", "1", "--time", "00:10:00", "--account", "project_1",
        "--partition", "small", "--memory", "2G", "--extra=--qos=normal", "--setup", "true", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return folder / json.loads(answer.out)["script"]


def finished(folder, undisturbed) -> bool:
    whole, bytes_of, _ = undisturbed
    [candidate] = (folder / ".datalab" / "candidates" / "slow").iterdir()
    return candidate.name == whole["digest"][:16] and shards(str(candidate)) == bytes_of


@pytest.mark.parametrize("backwards", [False, True])
def test_the_array_and_then_the_finish_as_a_job(folder, script, undisturbed, backwards):
    sbatch = Sbatch(folder)
    codes = sbatch.submit(script, order=lambda tasks: tasks[::-1] if backwards else tasks)
    assert codes == {0: 0, 1: 0, 2: 0}, [sbatch.log(task) for task in codes]
    assert sbatch.submit(script, "finish", array="0") == {0: 0}, sbatch.log(0)
    assert "datalab approve slow" in sbatch.log(0)
    assert finished(folder, undisturbed)


def test_a_queue_that_lets_one_task_through_at_a_time_does_not_deadlock(folder, script, undisturbed):
    script.write_text(script.read_text().replace('/3"', '/3" --patience 2'))
    codes = Sbatch(folder).submit(script, order=lambda tasks: [2, 0, 1], at_once=False)
    assert codes == {2: 0, 0: 0, 1: 0}
    assert "taking its parts over" in Sbatch(folder).log(2)
    answer = process(folder, "run", "slow", "--finish")
    assert answer.code == 0, answer.err
    assert finished(folder, undisturbed)


def test_a_single_task_submitted_again_is_still_the_same_share(folder, script):
    """SLURM_ARRAY_TASK_COUNT is 1 then."""
    script.write_text(script.read_text().replace('/3"', '/3" --patience 2'))
    assert Sbatch(folder).submit(script, array="2") == {2: 0}
    assert "shard 2/3 is done" in Sbatch(folder).log(2)


def test_bash_accepts_the_script_and_without_slurm_it_says_so(folder, script):
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, check=True).stderr == b""
    done = subprocess.run(["bash", str(script)], cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "submit this with sbatch" in done.stderr
