"""``datalab profile``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from datalab.cli.output import ConsoleFace, actor_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from datalab.services.discovery import Profile


@click.command("profile")
@click.argument("name")
@click.option("--rows", default=20_000, show_default=True, help="Look at no more than so many records.")
@actor_option
@json_option
def command(name: str, rows: int, actor: str, as_json: bool) -> None:
    """Profile a bounded sample of the source of pipeline NAME, under its terms: types, empty cells, categories of ten and more."""
    from datalab.lab import open_lab
    from datalab.lab.discover import profile_source
    from datalab.lab.pipelines import find_pipeline

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        profile, faults = profile_source(lab, find_pipeline(name, lab.settings), rows=max(1, rows), face=face)
    show_profile(profile, faults, as_json=as_json)


def show_profile(profile: Profile, faults: int, *, as_json: bool) -> None:
    """Print a profile: types, empty cells, the most frequent values of groups that are large enough."""
    if as_json:
        print_json({**profile.as_json(), "broken_records": faults})
        return
    click.echo(f"{profile.rows:,} records looked at, {faults} broken")
    lines = []
    for column, facts in profile.columns.items():
        share = facts["nulls"] / profile.rows if profile.rows else 0
        shown = ", ".join(f"{value or '(blank)'} {number:,}" for value, number in facts["categories"][:6])
        more = len(facts["categories"]) - 6
        lines.append((column, facts["type"], f"{share:.1%}", shown + (f" and {more} more" if more > 0 else "")))
    print_table(["column", "type", "empty", "most frequent"], lines, right=["empty"])
