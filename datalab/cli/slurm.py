"""``datalab slurm``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from datalab.cli.output import ConsoleFace, actor_option, json_option, print_json


@click.group("slurm")
def command() -> None:
    """Runs on a Slurm cluster: a job array whose tasks share the lab's folder and nothing else."""


@command.command("script")
@click.argument("name")
@click.option("--shards", default=4, show_default=True, help="Size of the array: so many nodes at most work at a time.")
@click.option("--cpus", default=8, show_default=True, help="Cores, and worker processes, of each task of the array.")
@click.option("--time", default="01:00:00", show_default=True, help="Time limit of a task, as Slurm writes it.")
@click.option("--memory", default="", help="Memory of a task, for example 64G. Without it: the site's default.")
@click.option("--account", default="", help="Account that pays. Without it: the site's default.")
@click.option("--partition", default="", help="Partition. Without it: the site's default.")
@click.option("--extra", multiple=True, metavar="OPTION", help="A further option of sbatch, for example --extra=--qos=normal.")
@click.option("--setup", multiple=True, metavar="LINE", help="A shell line before the work, for example 'module load python'.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it. [default: NAME.sbatch]")
@actor_option
@json_option
def script(
    name: str,
    shards: int,
    cpus: int,
    time: str,
    memory: str,
    account: str,
    partition: str,
    extra: tuple[str, ...],
    setup: tuple[str, ...],
    output: Path | None,
    actor: str,
    as_json: bool,
) -> None:
    """Prepare a run of NAME and write the job script that works it off.

    Call it on the login node: it acquires and plans, which needs the network and the ledger. The job needs neither.
    """
    from datalab.lab import open_lab
    from datalab.lab.pipelines import find_pipeline
    from datalab.lab.prepared import prepare_run
    from datalab.lab.slurm import Request, array_script

    request = Request(shards, cpus, time, memory, account, partition, extra, setup)
    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        begun = prepare_run(lab, find_pipeline(name, lab.settings), face)
        config = os.environ.get("DATALAB_CONFIG")
        text = array_script(name, lab.settings, request, Path(config).resolve() if config else None)
    path = output or Path(f"{name}.sbatch")
    path.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"pipeline": name, "plan": begun.plan.id, "script": str(path), "shards": shards})
        return
    click.echo(f"{name}: prepared, and {path} written")
    click.echo(f"plan       {begun.plan.id}")
    click.echo(f"next       sbatch {path}")
    click.echo(f"then       datalab run {name} --finish                                    here, when the job has ended")
    click.echo(f"or         sbatch --array=0 --dependency=afterany:JOBID {path} finish     where nodes may write the ledger")
