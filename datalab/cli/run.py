"""``datalab run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from datalab.cli.output import ConsoleFace, actor_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from datalab.engine.engines import Engine
    from datalab.model.settings import Settings
    from datalab.model.summary import RunSummary


@click.command("run")
@click.argument("name")
@click.option("--engine", default="", help="What works the parts off: local (worker processes here) or beam.")
@click.option("--runner", default="", help="Beam's runner: fnapi, portable or flink.")
@click.option(
    "--runner-option", "runner_options", multiple=True, metavar="NAME=VALUE", help="An option of the runner; repeatable."
)
@click.option("--prepare", is_flag=True, help="Acquire and plan only; other processes then work it off with --shard.")
@click.option(
    "--shard", metavar="I/N", default="", help="Work off share I of N (from 0) of the prepared run: no network, no ledger."
)
@click.option("--finish", is_flag=True, help="Work off what is missing of the prepared run, judge it, write the candidate.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0.5),
    default=120.0,
    show_default=True,
    help="With --shard: seconds without a sign of life after which another shard's parts are taken over.",
)
@actor_option
@json_option
def command(
    name: str,
    engine: str,
    runner: str,
    runner_options: tuple[str, ...],
    prepare: bool,
    shard: str,
    finish: bool,
    patience: float,
    actor: str,
    as_json: bool,
) -> None:
    """Run the pipeline NAME to a candidate: acquire, plan, execute, judge.

    An interrupted run is resumed; a finished one is not repeated.

    On a cluster: --prepare on the login node, --shard 0/4 to 3/4 on four nodes, --finish where the ledger is. The nodes share
    the lab's folder and nothing else. datalab slurm script NAME writes this as a job.
    """
    from datalab.engine.engines import chosen

    if prepare + finish + bool(shard) > 1:
        raise click.UsageError("choose one of --prepare, --shard and --finish")
    if (engine or runner or runner_options) and (prepare or shard):
        raise click.UsageError("--engine and --runner are for a whole run: shards are worked off by local workers")
    if shard:
        _work_share(name, shard, patience, as_json)
    elif prepare:
        _prepare(name, actor, as_json)
    else:
        _run(name, actor, as_json, finish, lambda settings: chosen(settings, engine, runner, _pairs(runner_options)))


def _run(name: str, actor: str, as_json: bool, finish: bool, choose: Callable[[Settings], Engine]) -> None:
    from datalab.lab import open_lab, run_pipeline
    from datalab.lab.pipelines import find_pipeline
    from datalab.lab.prepared import finish_run

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        on = choose(lab.settings)
        pipeline = find_pipeline(name, lab.settings)
        summary = finish_run(lab, pipeline, face, on) if finish else run_pipeline(pipeline, lab=lab, face=face, engine=on)
    if as_json:
        print_json(summary.as_json())
    else:
        show_summary(summary)


def _prepare(name: str, actor: str, as_json: bool) -> None:
    from datalab.lab import open_lab
    from datalab.lab.pipelines import find_pipeline
    from datalab.lab.prepared import prepare_run

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        begun = prepare_run(lab, find_pipeline(name, lab.settings), face)
    if as_json:
        print_json({"pipeline": name, "plan": begun.plan.id, "folder": str(begun.folder.root)})
        return
    click.echo(f"{name}: prepared")
    click.echo(f"plan       {begun.plan.id}")
    click.echo(f"next       datalab run {name} --shard 0/2   and   --shard 1/2   on machines that see this folder")
    click.echo(f"then       datalab run {name} --finish")


def _work_share(name: str, shard: str, patience: float, as_json: bool) -> None:
    from datalab.engine.signs import Member
    from datalab.lab.pipelines import find_pipeline
    from datalab.lab.share import work_share
    from datalab.model.settings import find_settings

    member, settings = Member.parse(shard), find_settings()
    with ConsoleFace(quiet=as_json) as face:
        share = work_share(settings, find_pipeline(name, settings), member, face, patience=patience)
    if as_json:
        print_json(share.as_json())
        return
    click.echo(f"{name}: shard {member} is done ({share.seconds:.1f} s)")
    click.echo(f"worked     {share.worked} parts, {share.taken_over} of them taken over from other shards")
    click.echo(f"found      {share.found} parts done by others, or earlier")
    click.echo(f"next       datalab run {name} --finish, once, when the shards have ended")


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
