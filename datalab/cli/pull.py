"""``datalab pull``."""

from __future__ import annotations

from pathlib import Path

import click

from datalab.cli.output import ConsoleFace, actor_option, json_option, print_json


@click.command("pull")
@click.argument("reference")
@click.argument("destination", type=click.Path(file_okay=False, path_type=Path))
@click.option("--for", "recipient", default="", metavar="WHO", help="Who receives it; terms may name recipients.")
@click.option("--purpose", default="", metavar="IRI", help="What for, by code; asked of another lab's release.")
@click.option("--legal-basis", default="", metavar="CODE", help="On what legal basis, where the release is personal data.")
@actor_option
@json_option
def command(
    reference: str, destination: Path, recipient: str, purpose: str, legal_basis: str, actor: str, as_json: bool
) -> None:
    """Copy the release REFERENCE to DESTINATION/NAME/VERSION, decided, verified on arrival.

    CONNECTOR:NAME@VERSION is a release that another lab publishes: it is agreed with that lab first.
    """
    from datalab.lab import open_lab
    from datalab.lab.facts import territory_of
    from datalab.lab.receive import receive_release
    from datalab.lab.stage import pull_release
    from datalab.model.agreement import Intent

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        if ":" in reference and not Path(reference).exists():
            intent = Intent(purpose, "", legal_basis, territory_of(lab.settings, destination), recipient)
            folder, manifest, _ = receive_release(lab, reference, destination.absolute(), intent, face=face)
        else:
            folder, manifest = pull_release(lab, reference, destination, recipient=recipient, face=face)
    if as_json:
        print_json({"name": manifest.name, "version": manifest.version, "path": str(folder), "digest": manifest.digest})
        return
    click.echo(f"{manifest.name}@{manifest.version} is at {folder}, verified")
    click.echo(f"terms: {folder / 'TERMS.md'}")
    click.echo(f"next:  python -c \"import datalab; print(datalab.open_dataset('{folder}').polars())\"")
