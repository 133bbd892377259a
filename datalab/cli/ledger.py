"""``datalab ledger``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json, print_table


@click.group("ledger")
def command() -> None:
    """Read and verify the ledger: append-only, hash-chained."""


@command.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Walk the whole chain; name the first altered event."""
    from datalab.lab import open_lab

    with open_lab() as lab:
        head = lab.ledger.verify()
    events, digest = (head.sequence, head.hash) if head else (0, "")
    if as_json:
        print_json({"verified": True, "events": events, "head": digest})
    else:
        click.echo(f"the ledger holds: {events} events, head {digest[:16] or '-'}")


@command.command("list")
@click.option("--subject", default="", help="Only events about this plan, agreement, dataset or release.")
@click.option("--type", "kind", default="", help="Only events of this type.")
@click.option("--after", default=0, help="Only events after this sequence number.")
@json_option
def list_events(subject: str, kind: str, after: int, as_json: bool) -> None:
    """List events in order."""
    from datalab.lab import open_lab

    with open_lab() as lab:
        events = list(lab.ledger.events(subject=subject, type=kind, after=after))
    if as_json:
        print_json([event.as_json() for event in events])
    else:
        print_table(
            ["", "at", "type", "actor", "subject"],
            [(event.sequence, event.at, event.type, event.actor, event.subject[:44]) for event in events],
            right=[""],
        )
