"""``datalab verify``."""

from __future__ import annotations

import click

from datalab.cli.output import ConsoleFace, json_option, print_json


@click.command("verify")
@click.argument("reference")
@json_option
def command(reference: str, as_json: bool) -> None:
    """Verify REFERENCE (NAME, NAME@VERSION or a folder): manifest, every file, every row."""
    from datalab.lab import open_lab
    from datalab.lab.release import find_any
    from datalab.staging.verify import verify_release

    with open_lab() as lab, ConsoleFace(quiet=as_json) as face:
        folder = find_any(lab, reference)
        done = verify_release(folder, progress=lambda number, total: face.progress("verifying files", number, total))
    manifest = done.manifest
    if as_json:
        print_json(
            {
                "name": manifest.name,
                "version": manifest.version,
                "path": str(folder),
                "digest": manifest.digest,
                "verified": True,
                "files": done.files,
                "bytes": done.bytes,
                "rows": done.rows,
            }
        )
    else:
        click.echo(
            f"{manifest.name}@{manifest.version or 'candidate'} holds: {done.files} files, {done.bytes:,} bytes, {done.rows:,} rows"
        )
        click.echo(f"digest {manifest.digest}")
