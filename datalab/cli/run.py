"""``datalab run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from datalab.cli.output import ConsoleFace, actor_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from datalab.model.summary import RunSummary


@click.command("run")
@click.argument("name")
@click.option("--engine", default="", help="What works the parts off: local (worker processes here) or beam.")
@click.option("--runner", default="", help="Beam's runner: fnapi, portable or flink.")
@click.option(
    "--runner-option", "runner_options", multiple=True, metavar="NAME=VALUE", help="An option of the runner; repeatable."
)
@actor_option
@json_option
def command(name: str, engine: str, runner: str, runner_options: tuple[str, ...], actor: str, as_json: bool) -> None:
    """Run the pipeline NAME to a candidate: acquire, plan, execute, judge.

    An interrupted run is resumed; a finished one is not repeated.
    """
    from datalab.engine.engines import chosen
    from datalab.lab import open_lab, run_pipeline
    from datalab.lab.pipelines import find_pipeline

    options = _pairs(runner_options)
    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        on = chosen(lab.settings, engine, runner, options)
        summary = run_pipeline(find_pipeline(name, lab.settings), lab=lab, face=face, engine=on)
    if as_json:
        print_json(summary.as_json())
    else:
        show_summary(summary)


def _pairs(options: tuple[str, ...]) -> dict[str, str]:
    """Return ``NAME=VALUE`` arguments by name; a name alone is a flag."""
    return {name.lstrip("-"): value for name, _, value in (option.partition("=") for option in options)}


def show_summary(summary: RunSummary) -> None:
    """Print what a run came to."""
    rows = summary.rows
    word = "nothing to redo" if summary.status == "unchanged" else summary.status
    click.echo(f"{summary.pipeline}: {word} ({summary.seconds:.1f} s)")
    lines: list[tuple[str, str, int]] = [("rows in", "", rows.rows_in)]
    if rows.generated:
        lines.append(("rows generated", "", rows.generated))
    lines += [("dropped", f"{step}: {reason}", n) for step, reasons in rows.dropped.items() for reason, n in reasons.items()]
    lines += [("quarantined", f"{step}: {code}", n) for step, codes in rows.quarantined.items() for code, n in codes.items()]
    lines.append(("rows out", f"{summary.shards} shards", rows.kept))
    print_table(["", "where and why", "rows"], lines, right=["rows"])
    passed = sum(ok for _, ok in summary.checks)
    click.echo(f"checks     {passed} of {len(summary.checks)} passed")
    click.echo(f"digest     {summary.digest}")
    click.echo(f"report     {summary.report}")
    if summary.status == "candidate":
        click.echo(f"next       read the report, then: datalab approve {summary.pipeline} --as 'NAME, ROLE'")
