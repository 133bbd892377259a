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


@command.command("due")
@click.option("--within", default=0, show_default=True, metavar="DAYS", help="Also what falls due within so many days.")
@json_option
def list_due(within: int, as_json: bool) -> None:
    """List what must be removed: runs and fetched objects past their retention or a duty to delete, releases whose terms have ended."""
    from datetime import timedelta

    from datalab.lab import open_lab
    from datalab.lab.retention import due

    with open_lab() as lab:
        found = due(lab, timedelta(days=max(0, min(within, 36_500))))
    if as_json:
        print_json([item.as_json() for item in found])
    elif not found:
        click.echo("nothing is due")
    else:
        rows = [(f"{item.at:%Y-%m-%d %H:%M}", item.what, item.name[:40], item.why, item.next) for item in found]
        print_table(["by", "what", "name", "why", "next"], rows)


@command.command("purge")
@click.argument("plan", required=False, default="")
@click.option("--as", "actor", metavar="WHO", required=True, help="Who removes it.")
@click.option("--early", is_flag=True, help="Before the retention is over.")
@click.option("--landing", is_flag=True, help="Instead of a run: the fetched objects that no run holds.")
@click.option(
    "--all-expired", is_flag=True, help="Instead of one run: every run past its retention, and objects that no run holds."
)
@json_option
def purge_run(plan: str, actor: str, early: bool, landing: bool, all_expired: bool, as_json: bool) -> None:
    """Remove what the run PLAN left: working files, quarantine, sidecars, the report of a withheld run, and the fetched objects.

    An object that another run still holds stays, and so does the evidence of a candidate or a valid release; what stays is
    listed with the reason. Each removal is an event in the ledger.
    """
    from datalab.errors import UsageError
    from datalab.lab import open_lab
    from datalab.lab.retention import purge, purge_expired, purge_landing

    if [bool(plan), landing, all_expired].count(True) != 1 or (early and all_expired):
        raise UsageError(
            "say what to remove: a run, --landing, or --all-expired (which is never early)", next="datalab runs lists the runs"
        )
    with open_lab(actor=actor) as lab:
        if all_expired:
            done = purge_expired(lab, actor=actor)
        elif landing:
            done = [purge_landing(lab, actor=actor, early=early)]
        else:
            done = [purge(lab, plan, actor=actor, early=early)]
    if as_json:
        print_json([item.as_json() for item in done] if all_expired else done[0].as_json())
        return
    for item in done:
        rows: list[tuple[object, ...]] = [
            ("removed", one.what, one.name[:24], one.files, one.bytes, "") for one in item.removed
        ]
        rows += [("kept", one.what, one.name[:24], "", "", one.why) for one in item.kept]
        if rows:
            print_table(["", "what", "name", "files", "bytes", "why"], rows, right=["files", "bytes"])
        click.echo(f"{f'run {item.plan}' if item.plan else 'landing, held by no run'}: {item.bytes:,} bytes removed")
