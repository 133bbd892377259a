"""``datalab quarantine``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json, print_table


@click.group("quarantine")
def command() -> None:
    """Look at what a run set aside, and remove it when its retention is over. Both are for the lab's own staff."""


@command.command("list")
@click.argument("name")
@click.option("--limit", default=50, show_default=True, help="At most so many records.")
@json_option
def list_records(name: str, limit: int, as_json: bool) -> None:
    """List the quarantined records of the last run of pipeline NAME: where they stand, which step, which code. No values."""
    from itertools import islice

    from datalab.lab import open_lab
    from datalab.lab.rows import newest_plan, quarantined

    with open_lab() as lab:
        found = list(islice(quarantined(lab, newest_plan(lab, name)), limit))
    if as_json:
        print_json(found)
    elif not found:
        click.echo("nothing was quarantined")
    else:
        keys = ["source", "record", "line", "step", "code"]
        print_table(keys, [["" if record[key] is None else record[key] for key in keys] for record in found])
        click.echo(f"the records themselves (sensitive): {found[0]['file']}")


@command.command("purge")
@click.argument("plan")
@click.option("--as", "actor", metavar="WHO", required=True, help="Who removes it.")
@click.option("--early", is_flag=True, help="Before the retention is over.")
@json_option
def purge_run(plan: str, actor: str, early: bool, as_json: bool) -> None:
    """Remove quarantine, sidecars and parts of the run PLAN; the removal is an event in the ledger."""
    from datalab.lab import open_lab
    from datalab.lab.rows import purge

    with open_lab(actor=actor) as lab:
        size = purge(lab, plan, actor=actor, early=early)
    if as_json:
        print_json({"plan": plan, "bytes": size})
    else:
        click.echo(f"run {plan}: {size:,} bytes removed")
