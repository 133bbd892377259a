"""The text of the Slurm script; that it works is shown in tests/faults/test_slurm.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from datalab.errors import UsageError
from datalab.lab.slurm import Request, array_script
from datalab.model.settings import Settings


def directives(text: str) -> dict[str, str]:
    found = [line.removeprefix("#SBATCH --").partition("=") for line in text.splitlines() if line.startswith("#SBATCH --")]
    return {name: value for name, _, value in found}


def test_what_is_asked_for_is_asked_of_slurm_and_nothing_else():
    request = Request(3, 16, "02:00:00", "64G", "project_1", "small", ("--qos=normal",))
    assert directives(array_script("visitors", Settings(root=Path("/shared/lab")), request)) == {
        "job-name": "datalab-visitors", "array": "0-2", "nodes": "1", "ntasks": "1", "cpus-per-task": "16",
        "time": "02:00:00", "mem": "64G", "account": "project_1", "partition": "small", "qos": "normal",
        "output": "datalab-visitors-%A_%a.log", "signal": "B:TERM@60",
    }  # fmt: skip
    least = directives(array_script("visitors", Settings(root=Path("/shared/lab")), Request()))
    assert not {"mem", "account", "partition", "qos"} & set(least)


def test_every_directive_stands_before_the_first_command():
    """sbatch stops looking at the first line that is neither a comment nor empty."""
    lines = array_script("visitors", Settings(root=Path("/shared/lab")), Request(setup=("module load python",))).splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert all(line.startswith("#") for line in lines[: last + 1])
    place = lines.index("module load python")
    assert lines.index("set -euo pipefail") < place
    assert (lines[place - 1].split("  #")[0], lines[place + 1]) == ("set +u", "set -u")


@pytest.mark.parametrize("root", ["/shared/my lab", "/shared/it's", "/shared/$HOME", "/shared/a;b", '/shared/"x"', "/shared/ü"])
def test_a_folder_of_any_name_is_one_word_to_bash(tmp_path, root):
    text = array_script("visitors", Settings(root=Path(root)), Request(), config=Path(root) / "other.toml")
    script = tmp_path / "script"
    script.write_text(text)
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, check=True).stderr == b""
    only = "\n".join(line for line in text.splitlines() if line.startswith("export DATALAB_") and "WORKERS" not in line)
    shown = subprocess.run(
        ["bash", "-c", f'{only}\nprintf \'%s\\n\' "$DATALAB_CONFIG" "$DATALAB_HOME"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == [f"{root}/other.toml", f"{root}/.datalab"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": "soon"}, {"time": "1:2:3:4"}, {"memory": "much"}, {"memory": "4 G"}, {"account": "a b"}, {"account": "x\n#SBATCH -N9"},
        {"partition": "$(rm x)"}, {"extra": ("qos=normal",)}, {"extra": ("--qos=x\nrm -r /",)}, {"setup": ("a\nb",)},
        {"shards": 0}, {"cpus": 0},
    ],
)  # fmt: skip
def test_what_slurm_would_not_understand_is_refused_with_an_example(wrong):
    with pytest.raises(UsageError, match="for example"):
        Request(**wrong)


@pytest.mark.parametrize("time", ["30", "30:00", "01:00:00", "1-12", "2-00:30:00"])
def test_times_are_written_as_slurm_writes_them(time):
    assert Request(time=time).time == time
