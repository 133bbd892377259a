"""``datalab show``."""

from __future__ import annotations

import click

from datalab.cli.output import echo, json_option, print_json, print_table


@click.command("show")
@click.argument("reference")
@json_option
def command(reference: str, as_json: bool) -> None:
    """Show the candidate or release REFERENCE: terms, columns, splits, rows and reasons."""
    from datalab.lab import open_lab
    from datalab.lab.release import find_any
    from datalab.staging.manifest import read_manifest

    with open_lab() as lab:
        folder = find_any(lab, reference)
    manifest = read_manifest(folder)
    if as_json:
        print_json({**manifest.as_json(), "path": str(folder)})
        return
    echo(f"{manifest.title}\n{manifest.name}@{manifest.version or 'candidate'}  {manifest.digest}\n{folder}")
    echo(f"licence {manifest.licence}")
    for sentence in manifest.terms.get("in_words", ()):
        echo(f"- {sentence}")
    print_table(["column", "type"], [(column["name"], column["type"]) for column in manifest.schema])
    print_table(["split", "rows"], list(manifest.splits.items()), right=["rows"])
    rows = manifest.rows
    lines = [("in", "", rows["rows_in"]), ("generated", "", rows["generated"])]
    lines += [("dropped", f"{step}: {reason}", n) for step, reasons in rows["dropped"].items() for reason, n in reasons.items()]
    lines += [("quarantined", f"{step}: {code}", n) for step, codes in rows["quarantined"].items() for code, n in codes.items()]
    lines.append(("kept", "", rows["kept"]))
    print_table(["rows", "where and why", "number"], lines, right=["number"])
