"""``datalab discover``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from datalab.cli.output import ConsoleFace, echo, json_option, print_json, print_table

if TYPE_CHECKING:
    from datalab.lab.discover import Discovery, Hit
    from datalab.model.agreement import Intent
    from datalab.model.offer import Offer

NOBODY = "a holder who is not named"


@click.command("discover")
@click.argument("words", nargs=-1)
@click.option("--theme", multiple=True, help="Only of this theme, for example HEAL (repeat for several).")
@click.option("--format", "format_", multiple=True, help="Only with a distribution in this format, for example csv.")
@click.option("--licence", multiple=True, help="Only under this licence, for example CC-BY-4.0.")
@click.option("--publisher", multiple=True, help="Only from this publisher.")
@click.option("--language", multiple=True, help="Only in this language, for example de.")
@click.option("--access", multiple=True, help="Only with these access rights, for example PUBLIC.")
@click.option("--catalogue", multiple=True, help="Only from this connector.")
@click.option(
    "--for",
    "pipeline",
    metavar="PIPELINE",
    default="",
    help="Say of each hit whether its terms permit the purpose of a pipeline.",
)
@click.option("--limit", default=50, show_default=True, help="At most so many offers.")
@click.option(
    "--timeout", default=20.0, show_default=True, help="Seconds to wait for a catalogue; one that is slower stops nobody."
)
@json_option
def command(
    words: tuple[str, ...], catalogue: tuple[str, ...], pipeline: str, limit: int, timeout: float, as_json: bool, format_: tuple[str, ...],
    **facets: tuple[str, ...],
) -> None:  # fmt: skip
    """Search the configured catalogues for WORDS (all offers without words): what is there, from whom, under which terms.

    Where datalab.toml names a model ([discovery] model), datasets are found that say it in other words, too.
    """
    from datalab.lab import open_lab
    from datalab.lab.acquire import intent_of
    from datalab.lab.discover import discover
    from datalab.lab.pipelines import find_pipeline
    from datalab.services.discovery import Wanted

    wanted = Wanted(" ".join(words), {**facets, "format": format_}, max(0, limit))
    with open_lab() as lab, ConsoleFace(quiet=as_json) as face:
        intent = intent_of(lab, find_pipeline(pipeline, lab.settings)) if pipeline else None
        found = discover(lab, wanted, face=face, intent=intent, patience=timeout, catalogues=catalogue)
    if as_json:
        print_json([hit_as_json(hit) for hit in found.hits])
        return
    _show(found, intent)


def hit_as_json(hit: Hit) -> dict[str, Any]:
    """Return a hit as plain JSON."""
    body = {**offer_as_json(hit.offer), "score": hit.score, "also": list(hit.also)}
    if hit.by:
        body |= {"found_by": list(hit.by), "similarity": hit.similarity}
    return {**body, "decision": hit.decision.as_json()} if hit.decision else body


def offer_as_json(offer: Offer) -> dict[str, Any]:
    """Return an offer as plain JSON: what it is, its terms in words, and how fit it is."""
    from datalab.policy import in_words

    fitness = offer.fitness
    return {
        "dataset": offer.dataset,
        "title": offer.title,
        "holder": offer.holder,
        "licence": offer.licence,
        "personal_data": offer.personal_data,
        "keywords": list(offer.keywords),
        "languages": list(offer.languages),
        "terms": in_words(offer.policy),
        "distributions": [{"id": item.id, "format": item.format, "bytes": item.bytes} for item in offer.distributions],
        "fitness": {
            "themes": list(fitness.themes),
            "access": fitness.access,
            "modified": fitness.modified or offer.issued,
            "frequency": fitness.frequency,
            "route": fitness.route or "by agreement with the provider",
            "quality": fitness.quality,
            "gaps": list(fitness.gaps),
        },
    }


def in_a_line(offer: Offer) -> str:
    """Return what makes an offer fit, in one line: age, quality of the record, how it is had."""
    fitness = offer.fitness
    changed = fitness.modified or offer.issued
    parts = [f"changed {changed[:10]}" if changed else "no date stated"]
    if fitness.quality is not None:
        parts.append(f"record {fitness.quality:.0%} complete")
    return ", ".join([*parts, f"by {fitness.route}" if fitness.route else "by agreement with the provider"])


def _show(found: Discovery, intent: Intent | None) -> None:
    from datalab.policy import in_words

    if not found.hits:
        echo("no offer matches; datalab discover lists them all, datalab doctor checks the connectors")
    for hit in found.hits:
        offer = hit.offer
        echo(f"\n{offer.dataset}\n  {offer.title}\n  from {offer.holder or NOBODY}, licence {offer.licence or 'not stated'}")
        echo(f"  {in_a_line(offer)}")
        if hit.by == ("meaning",):
            echo(f"  found by its meaning: it does not hold all the words (similarity {hit.similarity:.2f})")
        echo(f"  personal data: {'yes' if offer.personal_data else 'no'}")
        for sentence in in_words(offer.policy):
            echo(f"  - {sentence}")
        if hit.also:
            echo(f"  also listed as {', '.join(hit.also)}")
        if hit.decision and intent:
            echo(f"  for {intent.purpose}: {'permitted' if hit.decision.permitted else 'refused'}")
    if found.hits:
        offers = [hit.offer for hit in found.hits]
        rows = [(o.dataset, d.id, d.format, d.bytes or 0) for o in offers for d in o.distributions]
        print_table(["dataset", "distribution", "format", "bytes"], rows, right=["bytes"])
