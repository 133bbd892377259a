"""``datalab approve``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json


@click.command("approve")
@click.argument("reference")
@click.option("--as", "actor", metavar="WHO", required=True, help="Who approves: a person and role.")
@click.option("--note", default="", help="What the approval rests on; it is kept in the ledger.")
@json_option
def command(reference: str, actor: str, note: str, as_json: bool) -> None:
    """Approve the candidate REFERENCE (NAME or NAME@DIGEST): it becomes the next release."""
    from datalab.lab import open_lab
    from datalab.lab.release import approve

    with open_lab(actor=actor) as lab:
        folder, manifest = approve(lab, reference, actor=actor, note=note)
    if as_json:
        print_json(
            {
                "name": manifest.name,
                "version": manifest.version,
                "path": str(folder),
                "digest": manifest.digest,
                "status": "approved",
            }
        )
    else:
        click.echo(f"{manifest.name}@{manifest.version} is released: {folder}")
        click.echo(f"next: datalab pull {manifest.name}@{manifest.version} FOLDER")
