"""``datalab offer``."""

from __future__ import annotations

import sys

import click

from datalab.cli.output import ConsoleFace, actor_option, echo, json_option, print_json, print_table


@click.group("offer")
def command() -> None:
    """Show one offer with its terms in words, or a profile of its data."""


@command.command("show")
@click.argument("dataset", metavar="CONNECTOR:DATASET")
@click.option(
    "--for", "pipeline", metavar="PIPELINE", default="", help="Say whether the terms permit the purpose of a pipeline, and why."
)
@click.option("--record", is_flag=True, help="Print the catalogue's own record, to the letter, and nothing else.")
@json_option
def show(dataset: str, pipeline: str, record: bool, as_json: bool) -> None:
    """Show all that is known of one offer: its terms in words, what it holds, how good its record is."""
    from datalab.cli.discover import NOBODY, in_a_line, offer_as_json
    from datalab.lab import open_lab
    from datalab.lab.acquire import connector_for, intent_of
    from datalab.lab.discover import preview
    from datalab.lab.pipelines import find_pipeline
    from datalab.model.pipeline import Source
    from datalab.policy import explain

    with open_lab() as lab, ConsoleFace(quiet=as_json):
        connector, name = connector_for(lab, Source(dataset=dataset), lab.actor)
        offer = connector.offer(name)
        intent = intent_of(lab, find_pipeline(pipeline, lab.settings)) if pipeline else None
        decision = preview(lab, offer, intent) if intent else None
    if record:
        (echo if sys.stdout.isatty() else click.echo)(offer.catalogue_record)
        return
    if as_json:
        body = {**offer_as_json(offer), "description": offer.description, "policy": offer.policy.verbatim}
        print_json({**body, "decision": decision.as_json()} if decision else body)
        return
    echo(f"{offer.title}\n  {offer.dataset}\n  from {offer.holder or NOBODY}, licence {offer.licence or 'not stated'}")
    echo(f"  {in_a_line(offer)}")
    echo(f"  personal data: {'yes' if offer.personal_data else 'no'}")
    if offer.description:
        echo(f"\n{offer.description}")
    echo("\nTerms")
    for sentence in explain(offer.policy):
        echo(f"  - {sentence}")
    if decision and intent:
        echo(f"\nFor {intent.purpose}: {'permitted' if decision.permitted else 'refused'}")
        for sentence in (*decision.reasons, *decision.duties):
            echo(f"  - {sentence}")
    if offer.fitness.gaps:
        echo("\nThe record")
        for gap in offer.fitness.gaps:
            echo(f"  - {gap}")
    rows = [
        (item.id, item.format, item.bytes if item.bytes is not None else "", (item.sha256 or "")[:12], item.title)
        for item in offer.distributions
    ]
    print_table(["distribution", "format", "bytes", "sha256", "title"], rows, right=["bytes"])


@command.command("profile")
@click.argument("dataset", metavar="CONNECTOR:DATASET")
@click.option(
    "--for", "pipeline", metavar="PIPELINE", required=True, help="The pipeline in whose purpose the data is looked at."
)
@click.option("--distribution", default="", help="Which distribution; the first when none is named.")
@click.option("--rows", default=20_000, show_default=True, help="Look at no more than so many records.")
@actor_option
@json_option
def profile(dataset: str, pipeline: str, distribution: str, rows: int, actor: str, as_json: bool) -> None:
    """Profile a bounded sample of an offer before a pipeline is built on it, where its terms permit the purpose of one there is."""
    import dataclasses

    from datalab.cli.profile import show_profile
    from datalab.lab import open_lab
    from datalab.lab.discover import profile_source
    from datalab.lab.pipelines import find_pipeline
    from datalab.model.pipeline import Source

    with open_lab(actor=actor) as lab, ConsoleFace(quiet=as_json) as face:
        found = find_pipeline(pipeline, lab.settings)
        trial = dataclasses.replace(found, source=Source(dataset=dataset, distribution=distribution), references={})
        show_profile(*profile_source(lab, trial, rows=max(1, rows), face=face), as_json=as_json)
