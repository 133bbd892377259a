"""``datalab catalogue``."""

from __future__ import annotations

import click

from datalab.cli.output import ConsoleFace, echo, json_option, print_json, print_table


@click.group("catalogue")
def command() -> None:
    """Harvest catalogues into the index, or list what is in it."""


@command.command("refresh")
@click.argument("names", nargs=-1)
@json_option
def refresh(names: tuple[str, ...], as_json: bool) -> int:
    """Harvest the catalogues NAMES (all of which a copy is kept, without names): only what changed, going on where one was cut."""
    import dataclasses

    from datalab.lab import open_lab
    from datalab.lab.discover import refresh as refreshed

    with open_lab() as lab, ConsoleFace(quiet=as_json) as face:
        done = refreshed(lab, names, face=face)
    failed = {name: text for name, text in done.items() if isinstance(text, str)}
    if as_json:
        print_json({name: {"error": one} if isinstance(one, str) else dataclasses.asdict(one) for name, one in done.items()})
        return 4 if failed else 0
    if not done:
        echo("no catalogue is copied here: the connectors in datalab.toml are asked each time")
    rows = [
        (name, one.datasets, one.new, one.changed, one.gone, one.unreadable)
        for name, one in done.items()
        if not isinstance(one, str)
    ]
    if rows:
        head = ["catalogue", "datasets", "new", "changed", "gone", "unreadable"]
        print_table(head, rows, right=head[1:])
    for name, text in failed.items():
        echo(f"{name}: {text}", err=True)
    return 4 if failed else 0


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the catalogues in the index: how many datasets, harvested when."""
    from datalab.lab import open_lab
    from datalab.lab.discover import catalogue_states

    with open_lab() as lab:
        states = catalogue_states(lab)
    if as_json:
        print_json([{"catalogue": name, "datasets": count, "harvested": ended} for name, (count, ended) in states.items()])
        return
    if not states:
        echo("the index is empty; datalab catalogue refresh harvests")
        return
    print_table(
        ["catalogue", "datasets", "harvested"],
        [(name, count, ended) for name, (count, ended) in states.items()],
        right=["datasets"],
    )
