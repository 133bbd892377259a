"""``datalab runs``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json, print_table


@click.command("runs")
@click.argument("name", required=False, default="")
@json_option
def command(name: str, as_json: bool) -> None:
    """List the runs (of the pipeline NAME) and what became of them, oldest first."""
    from datalab.lab import open_lab
    from datalab.lab.history import runs

    with open_lab() as lab:
        found = [run for run in runs(lab) if name in ("", run.pipeline)]
    if as_json:
        print_json([run.as_json() for run in found])
    elif not found:
        click.echo("no run yet: datalab run NAME")
    else:
        print_table(
            ["started", "pipeline", "by", "status", "in", "out", "seconds", "plan"],
            [
                (
                    run.started[:19],
                    run.pipeline,
                    run.actor,
                    run.status,
                    run.rows_in,
                    run.rows_out,
                    f"{run.milliseconds / 1000:.1f}",
                    run.plan[:12],
                )
                for run in found
            ],
            right=["in", "out", "seconds"],
        )
        if any(run.status == "withheld" for run in found):
            click.echo("why a run was withheld: datalab report PLAN")
