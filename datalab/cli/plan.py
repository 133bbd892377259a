"""``datalab plan``."""

from __future__ import annotations

import click

from datalab.cli.output import ConsoleFace, actor_option, json_option, print_json, print_table


@click.command("plan")
@click.argument("name")
@actor_option
@json_option
def command(name: str, actor: str, as_json: bool) -> None:
    """Show what a run of NAME would do: sources, columns, stages, where every column comes from.

    The source is acquired (its terms are decided, its objects land), but no row is worked on.
    """
    from datalab.lab import open_lab
    from datalab.lab.pipelines import find_pipeline
    from datalab.lab.run import prepare

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        _acquired, plan = prepare(lab, find_pipeline(name, lab.settings), face)
    body = plan.as_json()
    if as_json:
        print_json(body)
        return
    click.echo(f"plan       {plan.id}")
    click.echo(f"pipeline   {plan.pipeline.name}: {plan.pipeline.title}")
    for source in body["sources"]:
        click.echo(f"source     {source['name']} ({source['bytes']:,} bytes, {source['reader'].get('format')})")
    print_table(["", "stage"], [(number, stage) for number, stage in enumerate(body["stages"])])
    print_table(
        ["column", "type", "from", "by", "masked"],
        [
            (
                o["column"],
                body["schema_out"][o["column"]],
                ", ".join(o["inputs"]) or "-",
                ", ".join(o["steps"]) or "unchanged",
                "yes" if o["masked"] else "",
            )
            for o in body["lineage"]
        ],
    )
