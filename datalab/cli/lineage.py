"""``datalab lineage``."""

from __future__ import annotations

import click

from datalab.cli.output import json_option, print_json, print_table
from datalab.errors import UsageError


@click.command("lineage")
@click.argument("reference")
@click.option("--row", default="", metavar="SPLIT:NUMBER", help="The origin of one row, counted from 0.")
@json_option
def command(reference: str, row: str, as_json: bool) -> None:
    """Show where the columns of REFERENCE come from, or one of its rows: source object, record, agreement."""
    from datalab.lab import open_lab
    from datalab.lab.release import evidence_of, find_any
    from datalab.lab.rows import origin_of
    from datalab.staging.manifest import read_manifest

    with open_lab() as lab:
        manifest = read_manifest(find_any(lab, reference))
        if row:
            split, _, number = row.partition(":")
            if not number.isdigit():
                raise UsageError(f"{row!r} names no row", next="write SPLIT:NUMBER, for example train:0")
            origin = origin_of(lab, manifest, split, int(number)).as_json()
            if as_json:
                print_json(origin)
            else:
                print_table(["", ""], [(key, str(value)) for key, value in origin.items()])
            return
        evidence = evidence_of(lab, manifest)
    if as_json:
        print_json([dict(entry) for entry in evidence.lineage])
    else:
        print_table(
            ["column", "from", "by", "masked"],
            [
                (
                    entry["column"],
                    ", ".join(entry["inputs"]) or "-",
                    ", ".join(entry["steps"]) or "unchanged",
                    "yes" if entry["masked"] else "",
                )
                for entry in evidence.lineage
            ],
        )
