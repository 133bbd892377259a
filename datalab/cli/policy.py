"""``datalab policy``."""

from __future__ import annotations

import click

from datalab.cli.output import echo, json_option, print_json, print_table


@click.group("policy")
def command() -> None:
    """Terms in words; and what a steward may do about a term that this lab does not know. What is unknown means no."""


@command.command("explain")
@click.argument("dataset")
@json_option
def explain_offer(dataset: str, as_json: bool) -> None:
    """Say the terms of DATASET (CONNECTOR:ID) in words: what is permitted, prohibited, demanded, unknown."""
    from datalab.errors import UsageError
    from datalab.lab import open_lab
    from datalab.policy import explain

    name, _, identifier = dataset.partition(":")
    if not identifier:
        raise UsageError(f"{dataset!r} names no dataset", next="write CONNECTOR:ID, as datalab discover lists them")
    with open_lab() as lab:
        policy = lab.connector(name).offer(identifier).policy
    if as_json:
        print_json({"dataset": dataset, "policy": policy.id, "sha256": policy.sha256, "terms": explain(policy)})
        return
    for sentence in explain(policy):
        echo(f"- {sentence}")
    echo(f"the policy itself: sha256:{policy.sha256}")


@command.command("terms")
@json_option
def list_terms(as_json: bool) -> None:
    """List the terms that decisions refused, those that a steward may vouch for marked, and the overrides that stand."""
    from datalab.lab import open_lab
    from datalab.lab.overrides import overrides, refused_terms
    from datalab.policy.moments import rfc3339

    with open_lab() as lab:
        refused, standing = refused_terms(lab), overrides(lab)
    given = [
        {
            "event": item.event,
            "sha256": item.policy,
            "term": item.term,
            "actor": item.actor,
            "reason": item.reason,
            "until": rfc3339(item.until),
        }
        for item in standing
    ]
    if as_json:
        print_json({"refused": [item.as_json() for item in refused], "overrides": given})
        return
    rows = [(item.sha256[:16], "unknown" if item.vouchable else "known", item.subject, item.term) for item in refused]
    if rows:
        print_table(["policy", "", "asked for", "term"], rows)
    else:
        echo("no decision refused a term")
    if given:
        print_table(
            ["event", "policy", "until", "by", "term"],
            [(str(item["event"]), str(item["sha256"])[:16], item["until"], item["actor"], item["term"]) for item in given],
        )


@command.command("override")
@click.argument("policy")
@click.option("--term", required=True, help="The unknown term, to the letter, as datalab policy terms lists it.")
@click.option("--reason", required=True, help="Why the term is met; it is kept in the ledger and shown in every decision.")
@click.option("--until", required=True, metavar="DATE", help="The last day on which this holds, within a year.")
@click.option("--as", "actor", metavar="WHO", required=True, help="Who vouches: a person and role.")
@json_option
def override_term(policy: str, term: str, reason: str, until: str, actor: str, as_json: bool) -> None:
    """Vouch for exactly one unknown term of exactly one POLICY (its SHA-256, 8 digits or more): an event in the ledger.

    A prohibition, or a term that was measured, cannot be overridden.
    """
    from datalab.lab import open_lab
    from datalab.lab.overrides import override

    with open_lab(actor=actor) as lab:
        event = override(lab, policy, term, actor=actor, reason=reason, until=until)
    if as_json:
        print_json(event.as_json())
    else:
        echo(f"{actor} vouches for it until {event.body['until']}: event {event.sequence}")
        echo(f"to take it back: datalab policy withdraw {event.sequence}")


@command.command("withdraw")
@click.argument("event", type=int)
@click.option("--reason", required=True, help="Why; it is kept in the ledger.")
@click.option("--as", "actor", metavar="WHO", required=True, help="Who takes it back.")
@json_option
def withdraw_override(event: int, reason: str, actor: str, as_json: bool) -> None:
    """Take back the override that is the ledger's EVENT."""
    from datalab.lab import open_lab
    from datalab.lab.overrides import withdraw

    with open_lab(actor=actor) as lab:
        done = withdraw(lab, event, actor=actor, reason=reason)
    if as_json:
        print_json(done.as_json())
    else:
        echo(f"override {event} is withdrawn: event {done.sequence}")
