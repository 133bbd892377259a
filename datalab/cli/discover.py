"""``datalab discover``."""

from __future__ import annotations

import click

from datalab.cli.output import ConsoleFace, json_option, print_json, print_table


@click.command("discover")
@click.argument("words", nargs=-1)
@click.option("--limit", default=50, show_default=True, help="At most so many offers of each catalogue.")
@json_option
def command(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Search the configured catalogues for WORDS (all offers without words): what is there, from whom, under which terms."""
    from datalab.lab import open_lab
    from datalab.lab.discover import discover
    from datalab.policy import in_words

    with open_lab() as lab, ConsoleFace(quiet=as_json) as face:
        offers = list(discover(lab, " ".join(words), limit=limit, face=face))
    if as_json:
        print_json(
            [
                {
                    "dataset": f"{offer.connector}:{offer.dataset_id}",
                    "title": offer.title,
                    "holder": offer.holder,
                    "licence": offer.licence,
                    "personal_data": offer.personal_data,
                    "keywords": list(offer.keywords),
                    "languages": list(offer.languages),
                    "terms": in_words(offer.policy),
                    "distributions": [
                        {"id": item.id, "format": item.format, "bytes": item.bytes} for item in offer.distributions
                    ],
                }
                for offer in offers
            ]
        )
        return
    if not offers:
        click.echo("no offer matches; datalab discover lists them all, datalab doctor checks the connectors")
    for offer in offers:
        click.echo(
            f"\n{offer.connector}:{offer.dataset_id}\n  {offer.title}\n  from {offer.holder}, licence {offer.licence or 'not stated'}"
        )
        click.echo(f"  personal data: {'yes' if offer.personal_data else 'no'}")
        for sentence in in_words(offer.policy):
            click.echo(f"  - {sentence}")
    if offers:
        rows = [(f"{o.connector}:{o.dataset_id}", d.id, d.format, d.bytes or 0) for o in offers for d in o.distributions]
        print_table(["dataset", "distribution", "format", "bytes"], rows, right=["bytes"])
