"""The Slurm job of a run: one array script for the shards, and the same script once more to finish.

It asks for what every Slurm has (no ``srun``, no plug-in), and nothing in it is a site's own but what was asked for.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from datalab.errors import UsageError
from datalab.model.settings import Settings

_TIME = re.compile(r"[0-9]+(:[0-9]{1,2}){0,2}|[0-9]+-[0-9]{1,2}(:[0-9]{1,2}){0,2}")
_MEMORY = re.compile(r"[0-9]+[KMGT]?")
_WORD = re.compile(r"[A-Za-z0-9_.,@:+-]+")
_EXTRA = re.compile(r"--[a-z][ -~]*")
_WARNING_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of Slurm. ``shards`` is the size of the array: nodes at most; "" leaves a matter to the site's default.

    ``time`` and ``memory`` are in Slurm's own words: ``02:00:00``, ``64G``. ``extra`` are further options of sbatch
    (``--qos=normal``), ``setup`` shell lines that come before the work (``module load python``).
    """

    shards: int = 4
    cpus: int = 8
    time: str = "01:00:00"
    memory: str = ""
    account: str = ""
    partition: str = ""
    extra: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, form, example in (
            ("time", self.time, _TIME, "02:00:00"),
            ("memory", self.memory, _MEMORY, "64G"),
            ("account", self.account, _WORD, "project_465000000"),
            ("partition", self.partition, _WORD, "small"),
        ):
            if value and not form.fullmatch(value):
                raise _wrong(f"--{name}", value, example)
        for line in self.extra:
            if not _EXTRA.fullmatch(line):
                raise _wrong("--extra", line, "--qos=normal")
        for line in self.setup:
            if not line.isprintable():
                raise _wrong("--setup", line, "module load python")
        for name, number in (("shards", self.shards), ("cpus", self.cpus)):
            if number < 1:
                raise _wrong(f"--{name}", str(number), "4")


def array_script(name: str, settings: Settings, request: Request, config: Path | None = None) -> str:
    """Return the sbatch script of the prepared run of pipeline ``name``; ``config``: a settings file outside the lab's folder."""
    options = [
        f"--job-name=datalab-{name}",
        f"--array=0-{request.shards - 1}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={request.cpus}",
        f"--time={request.time}" if request.time else "",
        f"--mem={request.memory}" if request.memory else "",
        f"--account={request.account}" if request.account else "",
        f"--partition={request.partition}" if request.partition else "",
        f"--output=datalab-{name}-%A_%a.log",
        f"--signal=B:TERM@{_WARNING_SECONDS}",
        *request.extra,
    ]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in options if option),
        "#",
        f"# Works off the prepared run of {name}: task I of the array does shard I of {request.shards}. The tasks meet in the lab's",
        "# folder only, may start in any order, be killed and be submitted again: sbatch --array=I THIS_SCRIPT",
        "# To finish in a job:   sbatch --array=0 --dependency=afterany:JOBID THIS_SCRIPT finish",
        f"# To finish by hand:    datalab run {name} --finish",
        "set -euo pipefail",
        "umask 077",
        *(["set +u  # what modules load is rarely ready for it", *request.setup, "set -u"] if request.setup else []),
        f"cd {shlex.quote(str(settings.root))}",
        *([f"export DATALAB_CONFIG={shlex.quote(str(config))}"] if config else []),
        f"export DATALAB_HOME={shlex.quote(str(settings.path(settings.home)))}",
        'export DATALAB_WORKERS="${SLURM_CPUS_PER_TASK:-1}"',
        f"datalab=({shlex.quote(sys.executable)} -m datalab.cli)",
        'if [ "${1:-shard}" = finish ]; then',
        f'    exec "${{datalab[@]}}" run {name} --finish',
        "fi",
        "# The number of shards is written out: SLURM_ARRAY_TASK_COUNT is another when single tasks are submitted again.",
        f'exec "${{datalab[@]}}" run {name} --shard "${{SLURM_ARRAY_TASK_ID:?submit this with sbatch}}/{request.shards}"',
    ]
    return "\n".join(lines) + "\n"


def _wrong(option: str, value: str, example: str) -> UsageError:
    return UsageError(f"{value!r} cannot be asked of Slurm", where=option, next=f"for example {option} {example}")
