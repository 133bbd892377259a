"""``datalab login``."""

from __future__ import annotations

from typing import Any

import click

from datalab.cli.output import json_option, print_json
from datalab.errors import UsageError


@click.command("login")
@click.argument("connector")
@click.option("--browser/--no-browser", default=True, help="Open the address in a browser, or only print it.")
@click.option("--out", "leave", is_flag=True, help="Forget the login instead.")
@json_option
def command(connector: str, browser: bool, leave: bool, as_json: bool) -> None:
    """Log in at the data space behind CONNECTOR, in a browser. The lab keeps the tokens (mode 0600) and refreshes them."""
    from datalab.lab import open_lab

    with open_lab() as lab:
        found: Any = lab.connector(connector)
        if not hasattr(found, "log_in"):
            raise UsageError(f"connector {connector!r} has no login", next="its kind decides; see docs/how-to")
        if leave:
            done, said = found.log_out(), "logged out"
        else:
            seconds = found.log_in(lambda address: _show(address, browser=browser))
            done, said = True, f"logged in; the token is good for {seconds:.0f} s and will be refreshed"
    if as_json:
        print_json({"connector": connector, "logged_in": not leave, "changed": done})
    else:
        click.echo(f"{connector}: {said if done else 'nobody was logged in'}")


def _show(address: str, *, browser: bool) -> None:
    import webbrowser

    click.echo(f"open this address to log in:\n\n  {address}\n", err=True)
    if browser:
        webbrowser.open(address)
