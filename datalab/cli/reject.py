"""``datalab reject``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json


@click.command("reject")
@click.argument("reference")
@click.option("--as", "actor", metavar="WHO", required=True, help="Who rejects: a person and role.")
@click.option("--note", required=True, help="Why; it is kept in the ledger.")
@json_option
def command(reference: str, actor: str, note: str, as_json: bool) -> None:
    """Reject the candidate REFERENCE (NAME or NAME@DIGEST): it is removed, the reason stays in the ledger."""
    from datalab.lab import open_lab
    from datalab.lab.release import reject

    with open_lab(actor=actor) as lab:
        manifest = reject(lab, reference, actor=actor, note=note)
    if as_json:
        print_json({"name": manifest.name, "digest": manifest.digest, "status": "rejected"})
    else:
        click.echo(f"{manifest.name}, candidate {manifest.digest[:16]}: rejected")
