"""``datalab releases``."""

from __future__ import annotations

import click

from datalab.cli.output import echo, json_option, print_json, print_table


@click.command("releases")
@json_option
def command(as_json: bool) -> None:
    """List candidates and releases."""
    from datalab.lab import open_lab
    from datalab.lab.release import listed

    with open_lab() as lab:
        found = list(listed(lab))
    if as_json:
        print_json([item.as_json() for item in found])
    elif not found:
        echo("nothing yet: datalab run NAME makes a candidate")
    else:
        print_table(
            ["name", "version", "status", "rows", "digest"],
            [(item.name, item.version, item.status, item.rows, item.digest[:16]) for item in found],
            right=["rows"],
        )
