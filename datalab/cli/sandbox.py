"""``datalab sandbox``."""

from __future__ import annotations

from pathlib import Path

import click

from datalab.cli.output import json_option, print_json


@click.group("sandbox")
def command() -> None:
    """The sandbox data space: a Dataspace Protocol provider with a Simpl-style catalogue, on loopback, with demo offers."""


@command.command("start")
@click.option("--port", default=0, help="Port on loopback; 0 takes a free one.")
@json_option
def start_sandbox(port: int, as_json: bool) -> None:
    """Start it as its own process, or find it running."""
    from datalab_connectors.sandbox.server import start

    running = start(_state(), port)
    if as_json:
        print_json({"running": True, "url": running.url, "pid": running.pid})
    else:
        click.echo(f"the sandbox answers at {running.url} (process {running.pid})")


@command.command("status")
@json_option
def sandbox_status(as_json: bool) -> None:
    """Say whether it runs."""
    from datalab_connectors.sandbox.server import status

    running = status(_state())
    if as_json:
        print_json(
            {"running": running is not None, "url": running.url if running else "", "pid": running.pid if running else 0}
        )
    else:
        click.echo(f"the sandbox answers at {running.url} (process {running.pid})" if running else "the sandbox is not running")


@command.command("stop")
@json_option
def stop_sandbox(as_json: bool) -> None:
    """Stop it."""
    from datalab_connectors.sandbox.server import stop

    stopped = stop(_state())
    if as_json:
        print_json({"stopped": stopped})
    else:
        click.echo("the sandbox is stopped" if stopped else "the sandbox was not running")


def _state() -> Path:
    """Return the state folder of the lab's first sandbox connector."""
    from datalab.model.settings import find_settings

    settings = find_settings()
    name = next((name for name, table in settings.connectors.items() if table.get("kind", name) == "sandbox"), "sandbox")
    table = settings.connectors.get(name, {})
    return Path(table["state"]) if "state" in table else settings.path(settings.home) / "connectors" / name
