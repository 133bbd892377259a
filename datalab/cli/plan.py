"""``datalab plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from datalab.cli.output import ConsoleFace, actor_option, echo, json_option, print_json, print_table

if TYPE_CHECKING:
    from datalab.engine.explain import Pass, Physical


@click.command("plan")
@click.argument("name")
@click.option(
    "--explain",
    "physical",
    is_flag=True,
    help="Show each pass: columns read and left out, parts, memory, what is written and why.",
)
@actor_option
@json_option
def command(name: str, physical: bool, actor: str, as_json: bool) -> None:
    """Show what a run of NAME would do: sources, columns, stages, where every column comes from.

    The source is acquired (its terms are decided, its objects land), but no row is worked on.
    """
    from datalab.engine.explain import explain
    from datalab.lab import open_lab
    from datalab.lab.pipelines import find_pipeline
    from datalab.lab.run import prepare

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        _acquired, plan = prepare(lab, find_pipeline(name, lab.settings), face)
    body = plan.as_json()
    if as_json:
        print_json({**body, "physical": explain(plan).as_json()})
        return
    echo(f"plan       {plan.id}")
    echo(f"pipeline   {plan.pipeline.name}: {plan.pipeline.title}")
    for source in body["sources"]:
        echo(f"source     {source['name']} ({source['bytes']:,} bytes, {source['reader'].get('format')})")
    if physical:
        _print_physical(explain(plan))
        return
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


def _print_physical(physical: Physical) -> None:
    rows = "known when they are read" if physical.rows is None else f"{physical.rows:,}"
    echo(f"rows       {rows}, about {physical.row_bytes:,} bytes each in memory")
    for note in physical.notes:
        echo(f"memory     {note}")
    for item in physical.passes:
        echo(f"\n{item.stage.number:>2} {item.does}")
        for word, text in _facts(item):
            echo(f"   {word:<11}{text}")


def _facts(item: Pass) -> list[tuple[str, str]]:
    facts = []
    if item.reads:
        facts.append(("reads", ", ".join(item.reads)))
    if item.pruned:
        facts.append(("leaves out", ", ".join(item.pruned)))
    parts = "known when the rows are read" if item.parts is None else f"{item.parts:,}"
    if item.rows_per_part:
        facts.append(("parts", f"{parts}, of up to {item.rows_per_part:,} rows, about {item.memory_mb:,} MB a worker"))
    else:
        facts.append(("parts", parts))
    if item.partitions is not None:
        facts.append(("partitions", f"up to {item.partitions:,}"))
    return facts + [("writes", f"{what} ({why})") for what, why in item.writes]
