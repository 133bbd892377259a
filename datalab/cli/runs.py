"""``datalab runs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from datalab.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from datalab.lab.history import RunRecord


@click.command("runs")
@click.argument("name", required=False, default="")
@click.option("--costs", is_flag=True, help="Show where the time of the last finished run went, by step.")
@json_option
def command(name: str, costs: bool, as_json: bool) -> None:
    """List the runs (of the pipeline NAME) and what became of them, oldest first."""
    from datalab.lab import open_lab
    from datalab.lab.history import runs

    with open_lab() as lab:
        found = [run for run in runs(lab) if name in ("", run.pipeline)]
    if as_json:
        print_json([run.as_json() for run in found])
    elif not found:
        click.echo("no run yet: datalab run NAME")
    elif costs:
        _print_costs(found)
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


def _print_costs(found: Sequence[RunRecord]) -> None:
    run = next((run for run in reversed(found) if run.costs), None)
    if run is None:
        click.echo("no run has finished yet: datalab run NAME")
        return
    click.echo(f"{run.pipeline}, started {run.started[:19]}: processor time of the workers")
    whole = sum(cost["microseconds"] for cost in run.costs.values())
    print_table(
        ["step", "seconds", "share", "rows", "MB", "MB/s"],
        [
            (
                step,
                f"{cost['microseconds'] / 1e6:.2f}",
                f"{cost['microseconds'] / max(whole, 1):.0%}",
                f"{cost['rows']:,}" if cost["rows"] else "",
                f"{cost['bytes'] / 1e6:,.1f}" if cost["bytes"] else "",
                f"{cost['bytes'] / max(cost['microseconds'], 1):,.0f}" if cost["bytes"] else "",
            )
            for step, cost in run.costs.items()
        ],
        right=["seconds", "share", "rows", "MB", "MB/s"],
    )
