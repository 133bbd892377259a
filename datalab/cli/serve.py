"""``datalab serve``."""

from __future__ import annotations

import contextlib

import click


@click.command("serve")
def command() -> None:
    """Answer other participants of a data space for what is published, until told to stop (Dataspace Protocol)."""
    from datalab.lab import open_lab
    from datalab.lab.serve import serve

    def ready(address: str, count: int) -> None:
        click.echo(f"serving {count} release{'s' if count != 1 else ''} at {address}")

    with open_lab() as lab, contextlib.suppress(KeyboardInterrupt):  # being told to stop is how it ends
        serve(lab, ready)
