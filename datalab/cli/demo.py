"""``datalab demo``: the main job on the demo pipelines, from the catalogue to an open dataset."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from datalab.cli.output import ConsoleFace, print_table
from datalab.errors import PolicyRefusal

if TYPE_CHECKING:
    from datalab.lab import Lab
    from datalab.model.pipeline import Pipeline
    from datalab.model.settings import Settings
    from datalab.model.summary import RunSummary

APPROVER = "Ada Example, compliance officer (demo role)"
STEWARD = "demo steward"


@dataclass(frozen=True, slots=True)
class _Done:
    summary: RunSummary
    reference: str
    opened: str
    report: Path
    seconds: float


@click.command("demo")
def command() -> int:
    """Do the main job on real data: discover, decide, negotiate, fetch, plan, run, gate, approve, release, report, open.

    Asked again, it finds nothing to redo.
    """
    from datalab.lab import open_lab
    from datalab.lab.pipelines import find_pipelines
    from datalab.model.settings import find_settings

    started = time.perf_counter()
    settings = find_settings()
    _make_key(settings)
    click.echo(
        "The main job of a Data Lab, on real data. Everything happens on this machine; nothing is fetched from elsewhere.\n"
    )
    done: list[_Done] = []
    refused: list[tuple[str, PolicyRefusal]] = []
    with open_lab(settings, actor=STEWARD) as lab, ConsoleFace() as face:
        _show_catalogue(lab, face)
        for found in find_pipelines(settings).values():
            try:
                done.append(_main_job(lab, found.pipeline, face))
            except PolicyRefusal as error:
                refused.append((found.pipeline.name, error))
    _show_results(done)
    for name, refusal in refused:
        click.echo(
            f"Refused, as it must be: {name}\n  {refusal.what}\n  (datalab run {name} ends with exit code {refusal.exit_code})\n"
        )
    _show_next(done, time.perf_counter() - started)
    return 0 if done and refused else 1


def _main_job(lab: Lab, pipeline: Pipeline, face: ConsoleFace) -> _Done:
    from datalab.lab import run_pipeline
    from datalab.lab.release import approve, released_as
    from datalab.staging.reader import open_dataset

    started = time.perf_counter()
    summary = run_pipeline(pipeline, lab=lab, face=face)
    version = released_as(lab, pipeline.name, summary.digest)
    if version:
        face.say(f"{pipeline.name}: nothing to redo, it is {pipeline.name}@{version}")
    else:
        face.say(f"{pipeline.name}: approving as {APPROVER}")
        _folder, manifest = approve(lab, pipeline.name, actor=APPROVER, note="read the report of the demo run")
        version = manifest.version
    reference = f"{pipeline.name}@{version}"
    dataset = open_dataset(reference, home=lab.home, quiet=True)
    batch = next(dataset.batches("train"))
    opened = f"{dataset!r}: first batch {batch.num_rows} rows x {batch.num_columns} columns"
    face.say(f"{pipeline.name}: opened as an AI developer would\n")
    report = dataset.folder / "governance" / "report.html"
    return _Done(summary, reference, opened, report, time.perf_counter() - started)


def _show_catalogue(lab: Lab, face: ConsoleFace) -> None:
    from datalab.lab.discover import discover
    from datalab.services.discovery import Wanted

    face.say("the sandbox data space offers:")
    for offer in (hit.offer for hit in discover(lab, Wanted(), face=face).hits):
        personal = "personal data" if offer.personal_data else "no personal data"
        face.say(f"  {offer.connector}:{offer.dataset_id} - {offer.title} ({offer.licence}, {personal})")
    face.say("")


def _show_results(done: list[_Done]) -> None:
    rows = []
    for item in done:
        summary, counts = item.summary, item.summary.rows
        passed = f"{sum(ok for _, ok in summary.checks)}/{len(summary.checks)}"
        rows.append(
            (
                item.reference,
                counts.rows_in,
                counts.generated,
                counts.kept,
                counts.rows_dropped,
                counts.rows_quarantined,
                passed,
                summary.shards,
                f"{item.seconds:.1f}",
            )
        )
    columns = ["release", "rows in", "generated", "kept", "dropped", "quarantined", "checks", "shards", "seconds"]
    print_table(columns, rows, right=columns[1:])
    for item in done:
        click.echo(item.opened)
    click.echo("")


def _show_next(done: list[_Done], seconds: float) -> None:
    click.echo(f"All of it took {seconds:.1f} s. The reports (one file each, nothing external):")
    for item in done:
        click.echo(f"  {item.report}")
    for line in _suggestions(done):
        click.echo(line)


def _suggestions(done: list[_Done]) -> Iterator[str]:
    yield "\nTry next (with .venv/bin on the PATH):"
    if done:
        reference = done[0].reference
        yield f"  datalab verify {reference}"
        yield f"  datalab lineage {reference} --row train:0"
        yield f"  datalab pull {reference} ./pulled --for 'AI developer'"
        yield f"  python -c \"import datalab; print(datalab.open_dataset('{reference}').polars('train').head())\""
    yield "  datalab ledger verify"
    yield "  make dev        (Dagster on the same pipelines)"


def _make_key(settings: Settings) -> None:
    """Make the demo's pseudonym key on first use: only for a reference home:PATH that leads nowhere yet."""
    for reference in settings.secrets.values():
        scheme, _, place = reference.partition(":")
        path = settings.path(settings.home) / place
        if scheme == "home" and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_hex(32))
