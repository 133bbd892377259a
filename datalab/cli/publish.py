"""``datalab publish``."""

from __future__ import annotations

import click

from datalab.cli.output import actor_option, echo, json_option, print_json


@click.command("publish")
@click.argument("reference", required=False)
@click.option("--withdraw", is_flag=True, help="Offer it no longer; what was agreed stays agreed.")
@actor_option
@json_option
def command(reference: str | None, withdraw: bool, actor: str, as_json: bool) -> None:
    """Offer the release REFERENCE to a data space under its sources' terms; without REFERENCE, list what is on offer."""
    from datalab.lab import open_lab
    from datalab.lab.publish import publish_release, published, withdraw_release

    with open_lab(actor=actor) as lab:
        if reference and withdraw:
            gone = withdraw_release(lab, reference, actor=lab.actor)
            echo(f"{gone} is no longer on offer")
            return
        found = [publish_release(lab, reference, actor=lab.actor)] if reference else list(published(lab))
    if as_json:
        print_json([{"id": item.id, "digest": item.digest, "policy": item.body["policy"]} for item in found])
        return
    for item in found:
        echo(f"{item.id} is on offer: {item.body['title']}")
    echo("next: datalab serve" if found else "nothing is on offer: datalab publish RELEASE")
