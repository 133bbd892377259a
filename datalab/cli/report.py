"""``datalab report``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json


@click.command("report")
@click.argument("reference")
@click.option("--open", "open_it", is_flag=True, help="Open it in the default browser.")
@json_option
def command(reference: str, open_it: bool, as_json: bool) -> None:
    """Show where the report of REFERENCE is: one file, no external request, printable.

    REFERENCE is a release or a candidate; where neither stands, a pipeline or the plan of a run that was withheld.
    """
    from datalab.errors import NotFound
    from datalab.lab import open_lab
    from datalab.lab.history import withheld_report
    from datalab.lab.release import find_any

    with open_lab() as lab:
        try:
            path = find_any(lab, reference) / "governance" / "report.html"
        except NotFound:
            found = withheld_report(lab, reference)
            if found is None:
                raise
            path = found
    if not path.is_file():
        raise NotFound("the report is missing", where=str(path), next=f"datalab verify {reference}")
    if as_json:
        print_json({"report": str(path)})
    else:
        click.echo(str(path))
    if open_it:
        click.launch(path.as_uri())
